"""What a removed site leaves behind (a slow download, hostnames not yet swept, its number) never becomes part
of another site; and more sites than there are slots for cost one reload that nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.commands import DelMap, SetMap
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.model.site import Service
from tests.feature.lab import Lab, eventually, lab, running, site
from tests.feature.wire import connect

PARTS = [bytes([number]) * 4096 for number in range(20)]
"""Of a slow download, in two seconds: far more than a test needs to remove its site."""
WHOLE = hashlib.sha256(b"".join(PARTS)).hexdigest()


@asynccontextmanager
async def origin() -> AsyncIterator[int]:
    """An origin that closes after each answer (HAProxy does not let go of a server with idle connections);
    ``/slow`` is the download. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            parts = PARTS if b" /slow " in head else [b"ok"]
            length = sum(map(len, parts))
            writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode())
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.1 if parts is PARTS else 0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def download(stack: AsyncExitStack, lab: Lab, host: str) -> asyncio.Task[str]:
    """A slow download under way; its result is the hash of what came."""
    wire = await stack.enter_async_context(connect(lab.http))
    wire.writer.write(f"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert (await wire.head()).status == 200

    async def read() -> str:
        return hashlib.sha256(await wire.reader.readexactly(sum(map(len, PARTS)))).hexdigest()

    return asyncio.create_task(read())


def slot(edge: Edge, name: str) -> str:
    return edge.desired.slots[name]


async def fill(edge: Edge, content: int, prefix: str, until: int) -> None:
    """Sites at run time until ``until`` slots have one."""
    for number in range(until - len(edge.desired.sites)):
        await edge.put_site(site(f"{prefix}{number}", [f"{prefix}{number}.test"], content))


async def test_a_slot_is_given_again_only_when_its_last_download_is_over(tmp_path: Path) -> None:
    """With every other slot taken, so that it would be next."""
    async with origin() as content, running(tmp_path) as (lab, edge), AsyncExitStack() as stack:
        size = edge.pools[Service.WEB].size
        await edge.put_site(site("old", ["old.test"], content))
        await fill(edge, content, "s", size - 1)
        old = slot(edge, "old")
        under_way = await download(stack, lab, "old.test")
        await edge.remove_site("old")
        assert (await lab.get("old.test")).status_code == 421
        await edge.put_site(site("next", ["next.test"], content))
        assert slot(edge, "next") != old
        assert not under_way.done(), "or this would prove nothing"
        assert edge.reloads == 0
        assert await under_way == WHOLE
        await eventually(lambda: edge.pools[Service.WEB].free == 1, 15)
        await edge.put_site(site("heir", ["heir.test"], content))
        assert (slot(edge, "heir"), edge.reloads) == (old, 0)
        assert (await lab.get("heir.test")).status_code == 200


@pytest.mark.parametrize("meanwhile", ["reload", "agent", "removed while away"])
async def test_a_slot_comes_free_whatever_happens_meanwhile(tmp_path: Path, meanwhile: str) -> None:
    async with origin() as content, lab(tmp_path) as place, AsyncExitStack() as stack:
        document = site("old", ["old.test"], content)
        fixed = [document] if meanwhile == "removed while away" else []
        async with Edge(place.configuration(fixed)) as edge:
            if not fixed:
                await edge.put_site(document)
            old = slot(edge, "old")
            under_way = await download(stack, place, "old.test")
            if not fixed:
                await edge.remove_site("old")
            if meanwhile == "reload":
                await edge.reload()
                await eventually(lambda: _all_free(edge), 15)
        async with Edge(place.configuration()) as edge:
            assert (edge.starts, edge.reloads) == (0, 0)
            await edge.put_site(site("new", ["new.test"], content))
            assert not under_way.done()
            assert slot(edge, "new") != old or meanwhile == "reload", "a leaving worker has slots of its own"
            assert await under_way == WHOLE
            await edge.remove_site("new")
            await eventually(lambda: _all_free(edge), 15)
            await eventually(lambda: _swept(edge), 15)


def _all_free(edge: Edge) -> bool:
    return all(pool.free == pool.size for pool in edge.pools.values())


async def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    """A hostname that still leads to the old number, as before it is swept up, leads nowhere."""
    async with origin() as content, running(tmp_path) as (lab, edge):
        await edge.put_site(site("a", ["a.test", "old.test"], content))
        number = edge.desired.ids["a"]
        await edge.remove_site("a")
        await edge.put_site(site("a", ["a.test"], content))
        assert edge.desired.ids["a"].site > number.site
        assert (await lab.get("a.test")).status_code == 200
        assert (await lab.get("old.test")).status_code == 421
        await eventually(lambda: _swept(edge), 15)
        async with Runtime(
            edge.supervisor.frame.change_socket, edge.supervisor.frame.scan_socket
        ) as stranger:
            text = edge.places.map("hosts")
            await stranger.change([f"add map {text} old.test {number}\n"])
            assert (await lab.get("old.test")).status_code == 421, "the old number has no backend"
            await stranger.change([SetMap("hosts", "old.test", str(edge.desired.ids["a"])).text(edge.places)])
            assert (await lab.get("old.test")).status_code == 200, "else this test would prove nothing"
            await stranger.change([DelMap("hosts", "old.test").text(edge.places)])


async def _swept(edge: Edge) -> bool:
    return not await edge.reconciler.difference()


async def test_more_sites_than_slots_cost_one_reload_that_nobody_notices(tmp_path: Path) -> None:
    async with origin() as content, running(tmp_path, [site("a", ["a.test"], content)]) as (lab, edge):
        size = edge.pools[Service.WEB].size
        many: list[dict[str, Any]] = [
            site(f"s{number}", [f"s{number}.test"], content) for number in range(size + 10)
        ]
        async with AsyncExitStack() as stack:
            under_way = await download(stack, lab, "a.test")
            over = asyncio.Event()
            asking = asyncio.create_task(_ask(lab, over))
            await edge.apply(lab.configuration([site("a", ["a.test"], content), *many]))
            assert (edge.reloads, edge.starts) == (1, 1)
            assert edge.pools[Service.WEB].size > size
            assert (await lab.get(f"s{size + 9}.test")).status_code == 200
            assert not under_way.done()
            await edge.put_site(site("more", ["more.test"], content))
            assert edge.reloads == 1
            over.set()
            answers = await asking
            assert len(answers) > 20
            assert set(answers) == {200}
            assert await under_way == WHOLE
        assert (await edge.reconciler.difference()).now == []


async def _ask(lab: Lab, over: asyncio.Event) -> list[int]:
    """The statuses of requests one after the other, each on a connection of its own."""
    answers = []
    while not over.is_set():
        async with connect(lab.http) as wire:
            answers.append((await wire.get(b"/", "a.test", "Connection: close")).status)
    return answers
