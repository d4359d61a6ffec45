"""What HAProxy refuses for good: whoever asked is told, nothing has changed, and everything else goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from holdfast.edge.agent import Edge
from holdfast.model.enforcement import SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Certificate
from tests.feature.lab import echo_origin, enforcement, eventually, released, running, site, write_certificate


@pytest.fixture
def port() -> Iterator[int]:
    with echo_origin() as number:
        yield number


def weak_certificate(name: str) -> Certificate:
    """One that the cryptography library takes, but OpenSSL refuses at the security level of Debian."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Certificate((certificate.public_bytes(Encoding.PEM) + private).decode(), (name,))


@pytest.mark.parametrize("new", [True, False], ids=["new site", "site in force"])
async def test_what_haproxy_refuses_for_good_holds_up_nothing_else(
    tmp_path: Path, port: int, new: bool
) -> None:
    """The asker is told and what was there before is put back; a restart of HAProxy, and an agent that finds
    the refused certificate in its file, bring everything else in force."""
    good = write_certificate(tmp_path / "good.pem", "a.test")
    sites = [site("a", ["a.test"], port, certificate=str(good)), site("b", ["b.test"], port)]
    async with running(tmp_path, sites) as (made, edge):
        configuration = made.configuration(sites)
        name = "b" if new else "a"
        weak = dataclasses.replace(configuration.sites[name], certificate=weak_certificate(f"{name}.test"))
        bad = dataclasses.replace(configuration, sites={**configuration.sites, name: weak})
        asked = asyncio.create_task(edge.apply(bad))
        async with asyncio.timeout(10):
            await edge.block(released(enforcement(SiteScope("b"))))
            await edge.put_site(site("c", ["c.test"], port))
            with pytest.raises(
                HoldfastError, match=r"(?s)HAProxy refuses this: .*unable to load SSL certificate"
            ):
                await asked
        assert edge.configuration.sites[name].certificate == configuration.sites[name].certificate
        await eventually(lambda: _in_step(edge), 10)
        assert [await made.status(f"{each}.test") for each in "abc"] == [200, 403, 200]
        os.kill(edge.processes.master, 9)
        await eventually(lambda: edge.starts == 2, 15)
        await eventually(lambda: _in_step(edge), 10)
        await edge.stop()
        async with Edge(bad) as edge:
            assert [await made.status(f"{each}.test") for each in "abc"] == [200, 403, 200]
            assert "Certificate" in edge.reconciler.trouble
            await edge.put_site(site("d", ["d.test"], port))
            assert await made.status("d.test") == 200


async def _in_step(edge: Edge) -> bool:
    return not (await edge.reconciler.difference()).now
