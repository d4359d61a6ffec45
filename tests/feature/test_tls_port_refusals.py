"""The TLS port before TLS: bans, allowed sources, blocks and IPv6, for sites passed through and others."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.model.ban import Ban, parse_network
from holdfast.model.enforcement import CustomerScope, HostScope, Scope, SiteScope
from tests.feature.lab import Lab, enforcement, released, running, site, write_certificate
from tests.feature.origins import origin
from tests.feature.wire import Wire, serving, trusting

PASSED, OPENED = "p.test", "w.test"
SOURCES = ("127.0.0.1", "127.0.0.9", "::1")


@dataclass
class House:
    """``p.test`` is passed through to a TLS origin, ``w.test`` is opened at the edge."""

    lab: Lab
    edge: Edge
    opened: dict[str, Any]

    async def answer(self, name: str, source: str, secure: bool = True) -> str | None:
        """Which origin answers ``source``, with the certificate that belongs to it; None: refused."""
        file = self.lab.directory / ("pass.pem" if name == PASSED else "web.pem")
        tls: dict[str, Any] = {"ssl": trusting(file), "server_hostname": name} if secure else {}
        try:
            async with connected(self.lab, source, secure, **tls) as wire:
                return (await wire.get(b"/", name)).headers["x-origin"]
        except ssl.SSLCertVerificationError:
            raise  # answered by somebody else
        except (ssl.SSLError, ConnectionError, EOFError):
            return None


@asynccontextmanager
async def connected(lab: Lab, source: str, secure: bool = True, **tls: Any) -> AsyncIterator[Wire]:
    """A connection that comes from ``source``."""
    address, port = "::1" if ":" in source else "127.0.0.1", lab.https if secure else lab.http
    reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0), **tls)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    own = write_certificate(directory / "pass.pem", PASSED)
    edges = write_certificate(directory / "web.pem", OPENED)
    async with origin("pass", tls=serving(own)) as behind, origin("web") as web:
        opened = site("web", [OPENED], web.port, certificate=str(edges), customer="other")
        passed = site("pass", [PASSED], behind.port, service="tcp", customer="acme")
        async with running(directory, [passed]) as (lab, edge):
            await edge.put_site(opened)
            yield House(lab, edge, opened)


def ban(source: str) -> Ban:
    return Ban(parse_network(source), datetime.now(UTC) + timedelta(minutes=1))


@pytest.mark.parametrize("source", SOURCES)
async def test_a_banned_source_is_refused_at_both_ports(tmp_path: Path, source: str) -> None:
    """And nobody else; the TLS port closes without a byte."""
    doors = ((PASSED, True, "pass"), (OPENED, True, "web"), (OPENED, False, "web"))
    async with house(tmp_path) as here:
        for name, secure, label in doors:
            assert await here.answer(name, source, secure) == label
        await here.edge.ban(ban(source))
        for name, secure, label in doors:
            assert await here.answer(name, source, secure) is None, (name, secure)
            for other in set(SOURCES) - {source}:
                assert await here.answer(name, other, secure) == label, (name, secure, other)
        assert await refusal(here.lab, source, PASSED) == b""
        await here.edge.unban(parse_network(source))
        for name, secure, label in doors:
            assert await here.answer(name, source, secure) == label


@pytest.mark.parametrize(
    ("source", "allow", "banned"),
    [
        ("127.0.0.9", "127.0.0.9", "127.0.0.9"),
        ("127.0.0.9", "127.0.0.9", "127.0.0.0/8"),
        ("127.0.0.9", "127.0.0.0/24", "127.0.0.9"),
        ("::1", "::1", "::/64"),
        ("::1", "::/64", "::1"),
    ],
)
async def test_the_allow_list_wins_over_a_ban_at_the_tls_port(
    tmp_path: Path, source: str, allow: str, banned: str
) -> None:
    """But never over a block, of whichever service."""
    async with house(tmp_path) as here:
        await here.edge.ban(ban(banned))
        assert await here.answer(OPENED, source) is None
        await here.edge.put_site({**here.opened, "allow": [allow]})
        assert await here.answer(OPENED, source) == "web"
        assert await here.answer(PASSED, source) == "pass"
        await here.edge.block(released(enforcement(SiteScope("pass"))))
        assert await here.answer(PASSED, source) is None
        await here.edge.put_site(here.opened)
        assert await here.answer(OPENED, source) is None


@pytest.mark.parametrize("scope", [SiteScope("pass"), CustomerScope("acme"), HostScope(PASSED)], ids=str)
async def test_a_blocked_name_is_told_nothing(tmp_path: Path, scope: Scope) -> None:
    """The connection closes before any TLS answer, an alert included, over IPv4 and IPv6."""
    async with house(tmp_path) as here:
        block = enforcement(scope)
        await here.edge.block(released(block))
        for source in ("127.0.0.1", "::1"):
            for name in (PASSED, PASSED.upper()):
                assert await refusal(here.lab, source, name) == b""
            assert await here.answer(OPENED, source) == "web"
        await here.edge.unblock(block.id)
        for source in ("127.0.0.1", "::1"):
            assert (await refusal(here.lab, source, PASSED))[:1] == b"\x16"
            assert await here.answer(PASSED, source) == "pass"


async def refusal(lab: Lab, source: str, name: str) -> bytes:
    """What comes first in answer to a client's hello for ``name``."""
    hello = ssl.MemoryBIO()
    client = trusting().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    async with asyncio.timeout(5):
        try:
            async with connected(lab, source) as wire:
                wire.writer.write(hello.read())
                return await wire.reader.read(100)
        except ConnectionError:
            return b""
