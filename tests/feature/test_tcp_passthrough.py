"""Service ``tcp``: TLS goes through unopened, by SNI; a block refuses the connection and ends open ones."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.status import take_snapshot
from holdfast.model.enforcement import CustomerScope, HostScope, Scope, SiteScope
from tests.feature.lab import Lab, enforcement, eventually, lab, released, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import Wire, connect, serving, trusting

WITHIN = 1.0
EVENTS = b"GET /?do=events HTTP/1.1\r\nHost: any\r\n\r\n"
SCOPES = (SiteScope("pass"), CustomerScope("acme"), HostScope("p.test"))
"""Each covers p.test."""


@dataclass
class House:
    """A ``tcp`` site (p.test, *.q.test) with its own certificate, a ``web`` site (w.test) with another."""

    lab: Lab
    edge: Edge
    passed: Origin
    web: Origin

    async def reaches(self, name: str) -> str | None:
        """Which origin answers, by a certificate that fits; None where the connection is refused."""
        file = "web.pem" if name == "w.test" else "pass.pem"
        try:
            async with connect(self.lab.https, tls=trusting(self.lab.directory / file), name=name) as wire:
                return (await wire.get(b"/", name)).headers["x-origin"]
        except ssl.SSLCertVerificationError:
            raise  # not refused: answered by somebody else
        except (ssl.SSLError, ConnectionError, EOFError):
            return None


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    own = write_certificate(directory / "pass.pem", "p.test", "*.q.test", "late.test")
    edges = write_certificate(directory / "web.pem", "w.test")
    async with origin("pass", tls=serving(own)) as passed, origin("web") as web:
        sites = [
            site("pass", ["p.test", "*.q.test"], passed.port, service="tcp", customer="acme"),
            site("web", ["w.test"], web.port, certificate=str(edges), customer="other"),
        ]
        async with running(directory, sites) as (lab, edge):
            yield House(lab, edge, passed, web)


async def test_tls_is_passed_through_by_sni(tmp_path: Path) -> None:
    """The client trusts the origin's own certificate only, which the edge does not have."""
    async with house(tmp_path) as here:
        for name in ("p.test", "P.TEST", "x.q.test"):
            assert await here.reaches(name) == "pass", name
        assert await here.reaches("w.test") == "web"
        for name in ("q.test", "x.y.q.test", "x.p.test", "late.test", "unknown.test"):
            assert await here.reaches(name) is None, name


async def test_an_exact_hostname_wins_over_a_wildcard_of_the_other_service(tmp_path: Path) -> None:
    """And the wildcard over an exact hostname that is no more."""
    async with house(tmp_path) as here:
        edges = str(write_certificate(tmp_path / "edges.pem", "a.q.test", "*.wide.test"))
        exact = site("exact", ["a.q.test"], here.web.port, certificate=edges)
        wide = site("wide", ["*.wide.test"], here.web.port, certificate=edges)
        narrow = site("narrow", ["p.wide.test"], here.passed.port, service="tcp")
        trusted = trusting(Path(edges))

        async def certificate_of_the_edge(name: str) -> bool:
            async with connect(here.lab.https, tls=trusting(), name=name) as wire:
                shown = wire.writer.get_extra_info("ssl_object").getpeercert(True)
            return bool(shown == trusted.get_ca_certs(binary_form=True)[0])

        for document in (exact, wide, narrow):
            await here.edge.put_site(document)
        assert await certificate_of_the_edge("a.q.test")
        assert await here.reaches("b.q.test") == "pass"
        assert await certificate_of_the_edge("b.wide.test")
        assert not await certificate_of_the_edge("p.wide.test")
        for name in ("exact", "narrow"):
            await here.edge.remove_site(name)
        assert await here.reaches("a.q.test") == "pass"
        assert await certificate_of_the_edge("p.wide.test")


async def test_sites_come_move_and_go_at_run_time(tmp_path: Path) -> None:
    async with house(tmp_path) as here, origin("moved", tls=serving(tmp_path / "pass.pem")) as moved:
        document = site("late", ["late.test"], here.passed.port, service="tcp")
        assert await here.reaches("late.test") is None
        await here.edge.put_site(document)
        assert await here.reaches("late.test") == "pass"
        await here.edge.put_site(site("late", ["late.test"], moved.port, service="tcp"))
        assert await here.reaches("late.test") == "moved"
        await here.edge.remove_site("late")
        assert await here.reaches("late.test") is None
        assert (await here.reaches("p.test"), await here.reaches("w.test")) == ("pass", "web")


async def test_a_site_changes_its_service_at_run_time(tmp_path: Path) -> None:
    """From passed through to opened at the edge, and back."""
    async with house(tmp_path) as here:
        edges = str(write_certificate(tmp_path / "late-edge.pem", "late.test"))
        as_web = site("late", ["late.test"], here.web.port, certificate=edges)
        for _ in range(2):
            await here.edge.put_site(site("late", ["late.test"], here.passed.port, service="tcp"))
            assert await here.reaches("late.test") == "pass"
            await here.edge.put_site(as_web)
            async with connect(here.lab.https, tls=trusting(Path(edges)), name="late.test") as wire:
                assert (await wire.get(b"/", "late.test")).headers["x-origin"] == "web"


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_a_block_refuses_connections_until_it_is_lifted(tmp_path: Path, scope: Scope) -> None:
    async with house(tmp_path) as here:
        block = enforcement(scope)
        await here.edge.block(released(block))
        assert await here.reaches("p.test") is None
        assert await here.reaches("x.q.test") == ("pass" if isinstance(scope, HostScope) else None)
        assert await here.reaches("w.test") == "web"
        rows = {row.name: row.blocked for row in (await take_snapshot(here.edge)).sites}
        assert rows == {"pass": 1 if isinstance(scope, HostScope) else 2, "web": 0}
        await here.edge.unblock(block.id)
        assert await here.reaches("p.test") == "pass"


async def test_haproxy_itself_ends_a_block(tmp_path: Path) -> None:
    """The agent is gone by then. One that has ended does not hide another that has not."""
    own = write_certificate(tmp_path / "pass.pem", "p.test", "q.test")
    async with origin("pass", tls=serving(own)) as passed, lab(tmp_path) as made:
        sites = [
            site(name, [f"{name}.test"], passed.port, service="tcp", customer=f"owner-{name}")
            for name in "pq"
        ]
        started = time.monotonic()
        async with Edge(made.configuration(sites)) as edge:
            here = House(made, edge, passed, passed)
            assert (await here.reaches("p.test"), await here.reaches("q.test")) == ("pass", "pass")
            # Time enough on a machine as slow as this one is just now.
            end = datetime.now(UTC) + timedelta(seconds=1.5 + 2 * (time.monotonic() - started))
            for name in "pq":
                await edge.block(released(enforcement(CustomerScope(f"owner-{name}"), until=end)))
            await edge.block(released(enforcement(SiteScope("q"))))
        assert (await here.reaches("p.test"), await here.reaches("q.test")) == (None, None)

        async def over() -> bool:
            return await here.reaches("p.test") == "pass"

        await eventually(over, 20)
        assert datetime.now(UTC) > end - timedelta(seconds=1)  # HAProxy's clock counts seconds
        assert await here.reaches("q.test") is None


@pytest.mark.parametrize("reloaded", [False, True], ids=["worker", "leaving worker"])
@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_a_block_ends_open_connections(tmp_path: Path, scope: Scope, reloaded: bool) -> None:
    async with house(tmp_path) as here:
        names = ("p.test", "x.q.test", "w.test")
        async with (
            opened(here.lab, names[0]) as one,
            opened(here.lab, names[1]) as two,
            opened(here.lab, names[2]) as web,
        ):
            if reloaded:
                await here.edge.reload()
            async with asyncio.timeout(WITHIN):
                await here.edge.block(released(enforcement(scope)))
                await one.ended()
                if not isinstance(scope, HostScope):
                    await two.ended()
            left = [web, two] if isinstance(scope, HostScope) else [web]
            for wire in left:
                for _ in range(3):
                    assert await wire.reader.readuntil(b"data: ")


@asynccontextmanager
async def opened(lab: Lab, name: str) -> AsyncIterator[Wire]:
    """A connection with an endless response under way."""
    async with connect(lab.https, tls=trusting(), name=name) as wire:
        wire.writer.write(EVENTS.replace(b"any", name.encode()))
        assert (await wire.head()).status == 200
        yield wire


@pytest.mark.parametrize("name", ["p.test", "w.test"])
async def test_a_hello_in_many_pieces_is_put_together(tmp_path: Path, name: str) -> None:
    """Hellos with post-quantum keys are longer than a packet (RFC 8446, section 5.1 lets them be)."""
    async with house(tmp_path) as here:
        tls, incoming, outgoing = trusting(), ssl.MemoryBIO(), ssl.MemoryBIO()
        client = tls.wrap_bio(incoming, outgoing, server_hostname=name)
        async with connect(here.lab.https) as wire:
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            hello = outgoing.read()
            for start in range(0, len(hello), 50):
                wire.writer.write(hello[start : start + 50])
                await wire.writer.drain()
                await asyncio.sleep(0)
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    wire.writer.write(outgoing.read())
                    incoming.write(await wire.reader.read(16_384))
        assert client.version() is not None


NOT_TLS = [
    b"GET / HTTP/1.1\r\nHost: p.test\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x16\x03\x01\x00\x05\x02\0\0\x01\0",
    b"\0" * 600,
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n",
]


async def test_what_is_not_tls_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for data in NOT_TLS:
            async with connect(here.lab.https) as wire:
                wire.writer.write(data)
                assert await refusal(wire) == b"", data
        assert here.passed.requests == here.web.requests == []


async def refusal(wire: Wire) -> bytes:
    """What comes before the other side closes."""
    async with asyncio.timeout(5):
        try:
            return await wire.reader.read(100)
        except ConnectionError:
            return b""
