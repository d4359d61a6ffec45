"""Within a second a block ends what was begun before it, on every worker, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from tests.feature.lab import Lab, enforcement, eventually, lab, released, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import WEBSOCKET, Http2, Wire, connect, http2, trusting

WITHIN = 1.0
"""The promise, in seconds."""
OK, EVIL = "/ok", "/x/../EVIL/%78"
PLACES = [(host, path) for host in ("a.test", "b.test") for path in (OK, EVIL)]
PLACES += [("c.test", EVIL), ("d.test", EVIL)]
"""Hosts a and b are one site; c is another of the same customer; d is another customer's."""

Touches = Callable[[str, str], bool]
SCOPES: list[tuple[Scope, Touches]] = [
    (SiteScope("one"), lambda host, path: host in ("a.test", "b.test")),
    (CustomerScope("acme"), lambda host, path: host != "d.test"),
    (HostScope("a.test"), lambda host, path: host == "a.test"),
    (PathScope("one", "/evil/"), lambda host, path: host in ("a.test", "b.test") and path == EVIL),
]
by_scope = pytest.mark.parametrize(("scope", "touches"), SCOPES, ids=[str(scope) for scope, _ in SCOPES])

EVENTS, DOWNLOAD, LATE = "?do=events", "?slowly=1&count=900000000", "?do=events&held=1"
PING = b"\x81\x84\0\0\0\0ping"
"""A text frame as a client sends it; its echo comes back unmasked."""


@dataclass
class Held:
    """Something that a client has open, and a count that grows for as long as it is served."""

    what: str
    host: str
    path: str
    bytes: int = 0
    over: bool = False


class Clients:
    """Clients of one edge; what they hold ends with the test."""

    def __init__(self, lab: Lab, stack: AsyncExitStack) -> None:
        self._lab, self._stack = lab, stack
        self.held: list[Held] = []

    async def open_all(self) -> None:
        """A WebSocket, a download and events at every place, by every way in."""
        for (host, path), door in itertools.product(PLACES, ("http", "http6", "https")):
            for query in (EVENTS, DOWNLOAD, ""):
                wire = await self.connect(door, host)
                lines = () if query else WEBSOCKET
                wire.writer.write(_request(host, path + query, *lines))
                assert (await wire.head()).status == (200 if query else 101)
                self._keep(Held(f"{query} by {door}", host, path), wire, b"" if query else PING)
        # One connection for every site, as browsers do where a certificate allows it.
        streams = await self._stack.enter_async_context(http2(self._lab.https, "a.test"))
        for (host, path), query in itertools.product(PLACES, (EVENTS, DOWNLOAD, "")):
            stream = streams.start(host, path + query) if query else streams.start_websocket(host, path)
            assert (await streams.headers(stream)).status == 200
            self._watch(Held(f"{query} by h2", host, path), _pinged(streams, stream, not query))

    async def connect(self, door: str, host: str) -> Wire:
        tls = trusting() if door == "https" else None
        address = "::1" if door == "http6" else "127.0.0.1"
        port = self._lab.https if tls else self._lab.http
        return await self._stack.enter_async_context(connect(port, address, tls, host if tls else None))

    def _keep(self, held: Held, wire: Wire, ping: bytes) -> None:
        async def parts() -> AsyncIterator[bytes]:
            wire.writer.write(ping)
            while data := await wire.reader.read(65_536):
                yield data
                wire.writer.write(ping)

        self._watch(held, parts())

    def _watch(self, held: Held, parts: AsyncIterator[bytes]) -> None:
        async def count() -> None:
            try:
                async for part in parts:
                    held.bytes += len(part)
                    await asyncio.sleep(0.1)
            except OSError:
                pass
            held.over = True

        self.held.append(held)
        self._stack.callback(asyncio.create_task(count()).cancel)


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[Edge, Origin, Clients]]:
    hosts = {"one": ["a.test", "b.test"], "two": ["c.test"], "three": ["d.test"]}
    certificate = str(write_certificate(directory / "all.pem", "a.test", "b.test", "c.test", "d.test"))

    def document(name: str, port: int) -> dict[str, Any]:
        customer = "other" if name == "three" else "acme"
        return site(name, hosts[name], port, customer=customer, certificate=certificate)

    async with origin() as content:
        sites = [document(name, content.port) for name in hosts]
        async with running(directory, sites) as (lab, edge), AsyncExitStack() as stack:
            yield edge, content, Clients(lab, stack)


@pytest.mark.parametrize("reloaded", [False, True], ids=["worker", "leaving worker"])
@by_scope
async def test_a_block_ends_what_is_open_under_it(
    tmp_path: Path, scope: Scope, touches: Touches, reloaded: bool
) -> None:
    async with house(tmp_path) as (edge, content, clients):
        await clients.open_all()
        if reloaded:
            await edge.reload()
        started = asyncio.get_running_loop().time()
        await edge.block(released(enforcement(scope)))
        while left := [each for each in clients.held if touches(each.host, each.path) and not each.over]:
            assert asyncio.get_running_loop().time() - started < WITHIN, left
            await asyncio.sleep(0.1)
        others = [each for each in clients.held if not touches(each.host, each.path)]
        before = [each.bytes for each in others]
        await eventually(
            lambda: (
                all(each.bytes > count for each, count in zip(others, before, strict=True))
                or [each for each in others if each.over]
            )
        )
        assert [each for each in others if each.over] == []
        await eventually(lambda: content.open == len(others))


@by_scope
async def test_what_still_waits_for_the_origin_does_not_begin(
    tmp_path: Path, scope: Scope, touches: Touches
) -> None:
    """It passed before the block, and there was nothing yet to end when the block came."""
    async with house(tmp_path) as (edge, content, clients):
        waiting = []
        for (host, path), door in itertools.product(PLACES, ("http", "https")):
            wire = await clients.connect(door, host)
            wire.writer.write(_request(host, path.replace("/x/..", "/") + LATE))
            waiting.append((wire, host, path))
        await eventually(lambda: content.open == len(waiting))
        block = enforcement(scope, authority="A Court" if isinstance(scope, PathScope) else "")
        await edge.block(released(block))
        content.release.set()
        for wire, host, path in waiting:
            # 502: a whole site is cut off from its servers, so that HAProxy has no answer to pass on.
            assert (await wire.head()).status in ((block.status, 502) if touches(host, path) else (200,)), (
                host,
                path,
            )


@pytest.mark.parametrize("moment", ["at once", "later"])
async def test_a_leaving_worker_blocks_what_it_still_reads(tmp_path: Path, moment: str) -> None:
    """A request half sent when HAProxy is reloaded, and completed after the block, gets the block page.

    ``at once``: while the new worker is still being read."""
    async with house(tmp_path) as (edge, content, clients):
        wire = await clients.connect("http", "a.test")
        wire.writer.write(_request("a.test", OK)[:-2])
        await edge.reload()
        if moment == "later":
            await edge.block(released(enforcement(SiteScope("three"))))
        block = enforcement(SiteScope("one"))
        await edge.block(released(block))
        wire.writer.write(b"\r\n")
        answer = await wire.head()
        assert answer.status == 403
        assert block.id in (await wire.reader.readexactly(int(answer.headers["content-length"]))).decode()
        assert content.requests == []


@pytest.mark.parametrize("scope", [scope for scope, _ in SCOPES], ids=str)
async def test_what_a_dead_agent_did_not_end_the_next_one_ends(tmp_path: Path, scope: Scope) -> None:
    """It died when the block was in force, and before it had ended what was open."""
    async with origin() as content, lab(tmp_path) as made, AsyncExitStack() as stack:
        configuration = made.configuration([site("one", ["a.test"], content.port, customer="acme")])
        async with Edge(configuration) as edge:
            wire = await Clients(made, stack).connect("http", "a.test")
            wire.writer.write(_request("a.test", EVIL + EVENTS))
            assert (await wire.head()).status == 200
            block = enforcement(scope)
            edge.store.put_release(released(block), 0)
            await edge.reconciler.settle(edge.desired.put_enforcement(block))
        assert (await made.get("a.test", "/evil/x")).status_code == 403
        assert await wire.reader.readuntil(b"data: ")
        async with Edge(configuration):
            async with asyncio.timeout(WITHIN):
                await wire.ended()


@pytest.mark.parametrize("scope", [scope for scope, _ in SCOPES], ids=str)
async def test_what_began_on_a_former_origin_is_ended_too(tmp_path: Path, scope: Scope) -> None:
    """A site moves to another origin at run time; what is open goes on at the former one, until a block."""
    async with (
        origin() as former,
        origin() as present,
        running(tmp_path) as (lab, edge),
        AsyncExitStack() as stack,
    ):
        document = site("one", ["a.test"], former.port, customer="acme")
        await edge.put_site(document)
        clients = Clients(lab, stack)
        wire = await clients.connect("http", "a.test")
        wire.writer.write(_request("a.test", EVIL + EVENTS))
        assert (await wire.head()).status == 200
        await edge.put_site({**document, "origins": site("one", [], present.port)["origins"]})
        assert (await lab.get("a.test")).status_code == 200
        assert (former.open, len(present.requests)) == (1, 1)
        async with asyncio.timeout(WITHIN):
            await edge.block(released(enforcement(scope)))
            await wire.ended()


async def _pinged(streams: Http2, stream: int, ping: bool) -> AsyncIterator[bytes]:
    if ping:
        streams.send(stream, PING)
    async for part in streams.bodies(stream):
        yield part
        if ping and stream not in streams.over:
            streams.send(stream, PING)


def _request(host: str, target: str, *lines: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()
