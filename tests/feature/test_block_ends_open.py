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
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.runtime import ask_master
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from tests.feature.lab import Lab, enforcement, eventually, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import WEBSOCKET, Wire, connect, http2, trusting

WITHIN = 1.0
"""The promise, in seconds."""
OK, EVIL = "/ok", "/x/../EVIL/%78"
PLACES = list(itertools.product(("a.test", "b.test", "c.test", "d.test"), (OK, EVIL)))
"""Hosts a and b are one site; c is another of the same customer; d is another customer's."""

Touches = Callable[[str, str], bool]
SCOPES: list[tuple[Scope, Touches]] = [
    (SiteScope("one"), lambda host, path: host in ("a.test", "b.test")),
    (CustomerScope("acme"), lambda host, path: host != "d.test"),
    (HostScope("a.test"), lambda host, path: host == "a.test"),
    (PathScope("one", "/evil/"), lambda host, path: host in ("a.test", "b.test") and path == EVIL),
]
by_scope = pytest.mark.parametrize(
    ("scope", "touches"), SCOPES, ids=[type(scope).__name__ for scope, _ in SCOPES]
)

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
        for (host, path), query in itertools.product(PLACES, (EVENTS, DOWNLOAD)):
            stream = streams.start(host, path + query)
            assert (await streams.headers(stream)).status == 200
            self._watch(Held(f"{query} by h2", host, path), streams.bodies(stream))

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
        await edge.block(enforcement(scope))
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
async def test_what_still_waited_for_the_origin_does_not_begin(
    tmp_path: Path, scope: Scope, touches: Touches
) -> None:
    """It passed before the block, and there was nothing yet to end when the block came."""
    async with house(tmp_path) as (edge, content, clients):
        waiting = [
            (await clients.connect(door, host), host, path)
            for host, path in PLACES
            for door in ("http", "https")
        ]
        for wire, host, path in waiting:
            wire.writer.write(_request(host, path.replace("/..", "/") + LATE))
        await eventually(lambda: content.open == len(waiting))
        await edge.block(enforcement(scope, authority="A Court"))
        content.release.set()
        for wire, host, path in waiting:
            assert (await wire.head()).status == (451 if touches(host, path) else 200), (host, path)


async def test_a_request_that_a_leaving_worker_still_reads_is_blocked(tmp_path: Path) -> None:
    async with house(tmp_path) as (edge, content, clients):
        wire = await clients.connect("http", "a.test")
        wire.writer.write(_request("a.test", OK)[:-2])
        await edge.reload()
        (leaving,) = edge.processes.leaving
        block = enforcement(SiteScope("one"))
        await edge.block(block)
        told = await ask_master(
            edge.master.socket, f"@!{leaving} show map {edge.places.map(Maps.BLOCK_RECORDS)}\n"
        )
        assert block.ground in told
        wire.writer.write(b"\r\n")
        assert (await wire.head()).status == 403
        assert content.requests == []


def _request(host: str, target: str, *lines: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()
