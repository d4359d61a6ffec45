"""TLS at the edge: certificates come and go at run time, SNI chooses, versions, ALPN, redirect and HSTS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.feature.lab import Lab, echo_origin, eventually, running, site, write_certificate
from tests.feature.wire import connect, trusting


async def shown(lab: Lab, name: str | None, tls: ssl.SSLContext | None = None) -> bytes:
    """The certificate (DER) that a handshake for ``name`` is answered with."""
    async with connect(lab.https, tls=tls or trusting(), name=name) as wire:
        certificate = wire.writer.get_extra_info("ssl_object").getpeercert(True)
        assert isinstance(certificate, bytes)
        return certificate


def der(file: Path) -> bytes:
    return x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)


async def is_shown(lab: Lab, name: str, file: Path) -> bool:
    return await shown(lab, name) == der(file)


async def test_sni_chooses_the_certificate(tmp_path: Path) -> None:
    one = write_certificate(tmp_path / "one.pem", "a.test", "www.a.test")
    two = write_certificate(tmp_path / "two.pem", "*.b.test")
    three = write_certificate(tmp_path / "three.pem", "special.b.test")
    sites = [
        site("one", ["a.test", "www.a.test"], 1, certificate=str(one)),
        site("two", ["*.b.test"], 1, certificate=str(two)),
        site("three", ["special.b.test"], 1, certificate=str(three)),
    ]
    async with running(tmp_path, sites) as (lab, _):
        expected = {"a.test": one, "www.a.test": one, "A.TEST": one, "x.b.test": two, "special.b.test": three}
        for name, file in expected.items():
            assert await shown(lab, name, trusting(file)) == der(file), name


async def test_a_name_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """During the handshake: no visitor is shown a certificate of somebody else."""
    one = str(write_certificate(tmp_path / "one.pem", "a.test", "*.b.test"))
    sites = [site("one", ["a.test", "*.b.test"], 1, certificate=one), site("bare", ["bare.test"], 1)]
    async with running(tmp_path, sites) as (lab, _):
        for name in ("unknown.test", "x.a.test", "bare.test", "b.test", "x.y.b.test", None):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await shown(lab, name)
            assert await shown(lab, "a.test")


async def test_a_certificate_is_replaced_without_a_failed_handshake(tmp_path: Path) -> None:
    """Handshakes for its names and for another go on all the while."""
    file = tmp_path / "one.pem"
    document = site("one", ["a.test", "*.b.test"], 1, certificate=str(file))
    other = str(write_certificate(tmp_path / "other.pem", "other.test"))
    async with running(tmp_path, [site("other", ["other.test"], 1, certificate=other)]) as (lab, edge):

        async def shake(counts: list[int]) -> None:
            while True:
                for name in ("a.test", "x.b.test", "other.test"):
                    await shown(lab, name)
                    counts.append(1)

        write_certificate(file, "a.test", "*.b.test")
        await edge.put_site(document)
        counts: list[int] = []
        shaking = [asyncio.create_task(shake(counts)) for _ in range(4)]
        try:
            for _ in range(4):
                write_certificate(file, "a.test", "*.b.test")
                await edge.put_site(document)
                counts.clear()
                await eventually(lambda: len(counts) > 20 or any(task.done() for task in shaking))
                await eventually(lambda: is_shown(lab, "a.test", file))
                await eventually(lambda: is_shown(lab, "x.b.test", file))
        finally:
            for task in shaking:
                task.cancel()
            ends = await asyncio.gather(*shaking, return_exceptions=True)
        assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []


async def test_a_replaced_certificate_is_shown_at_once(tmp_path: Path) -> None:
    """As soon as the change is said to be in force: the old key may be in the wrong hands."""
    file = tmp_path / "one.pem"
    document = site("one", ["a.test"], 1, certificate=str(file))
    async with running(tmp_path) as (lab, edge):
        for _ in range(3):
            write_certificate(file, "a.test")
            await edge.put_site(document)
            assert await is_shown(lab, "a.test", file)


async def test_a_certificate_comes_and_goes_with_its_site(tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    document = site("one", ["a.test"], 1, certificate=certificate)

    async def refused() -> bool:
        try:
            await shown(lab, "a.test")
        except (ssl.SSLError, ConnectionError):
            return True
        return False

    async with running(tmp_path) as (lab, edge):
        for _ in range(2):
            assert await refused()
            await edge.put_site(document)
            assert not await refused()
            await edge.put_site({**document, "certificate": None})
            await eventually(refused)
            await edge.put_site(document)
            assert not await refused()
            await edge.remove_site("one")
            await eventually(refused)


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        (ssl.TLSVersion.TLSv1_1, "TLSV1_ALERT_PROTOCOL_VERSION"),
        (ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_old_versions_of_tls_are_refused(tmp_path: Path, version: ssl.TLSVersion, outcome: str) -> None:
    """By the edge, not by the client: the alert is the edge's."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    tls = ssl.create_default_context(cafile=certificate)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = tls.maximum_version = version
    async with running(tmp_path, [site("one", ["a.test"], 1, certificate=certificate)]) as (lab, _):
        try:
            async with connect(lab.https, tls=tls, name="a.test") as wire:
                seen = wire.writer.get_extra_info("ssl_object").version()
        except ssl.SSLError as refused:
            seen = refused.reason
        assert seen == outcome


async def test_alpn(tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    offers = {("h2", "http/1.1"): "h2", ("http/1.1", "h2"): "h2", ("http/1.1",): "http/1.1", (): None}
    async with running(tmp_path, [site("one", ["a.test"], 1, certificate=certificate)]) as (lab, _):
        for offered, agreed in offers.items():
            async with connect(lab.https, tls=trusting(None, *offered), name="a.test") as wire:
                assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed


@pytest.mark.parametrize("public", [None, 443, 8443])
async def test_redirect_and_hsts(tmp_path: Path, public: int | None) -> None:
    """308 keeps method and body (RFC 9110, section 15.4.9); HSTS is never sent in clear (RFC 6797, 7.2)."""
    kinds = ("optional", "redirect", "strict")
    certificate = str(write_certificate(tmp_path / "all.pem", *(f"{kind}.test" for kind in kinds)))
    with echo_origin() as one:
        sites = [site(kind, [f"{kind}.test"], one, certificate=certificate, https=kind) for kind in kinds]
        async with running(tmp_path, sites, https_port=public) as (lab, _):
            port = "" if public == 443 else f":{public or lab.https}"
            for kind in kinds:
                for host in (f"{kind}.test", f"{kind.upper()}.TEST:8080", f"{kind}.test."):
                    async with connect(lab.http) as wire:
                        plain = await wire.get(b"/x%2fy?a=1&b=%20", host)
                    location = f"https://{kind}.test{port}/x%2fy?a=1&b=%20"
                    expected = (200, None) if kind == "optional" else (308, location)
                    assert (plain.status, plain.headers.get("location")) == expected
                    assert "strict-transport-security" not in plain.headers
                async with connect(lab.https, tls=trusting(), name=f"{kind}.test") as wire:
                    secure = await wire.get(b"/x", f"{kind}.test")
                assert secure.status == 200
                age = "max-age=31536000" if kind == "strict" else None
                assert secure.headers.get("strict-transport-security") == age
