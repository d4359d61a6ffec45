"""What is answered as in force during a reload holds at the worker that takes the new connections, too.

Every test asks when the files of the new worker have been rendered, and has the agent find out late what the
new worker holds: what it does not know yet is to be seen.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.picture import META
from holdfast.edge.dataplane.render import Frame
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.model.ban import Ban
from holdfast.model.enforcement import SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.lab import Lab, echo_origin, enforcement, eventually, free_ports, lab, released, site
from tests.feature.origins import origin
from tests.feature.wire import connect

T = TypeVar("T")
SOURCE = "127.9.9.9"
READING_SECONDS = 0.2
WITHIN = 1.0
"""The promise, in seconds: for what is open to end, whatever else is under way."""


class Slow(Runtime):
    """Takes its time to find out what a worker holds."""

    seconds = 0.0

    async def scans(self, texts: Sequence[str]) -> list[str]:
        await asyncio.sleep(self.seconds)
        return await super().scans(texts)


def slow(frame: Frame) -> Slow:
    return Slow(frame.change_socket, frame.scan_socket)


@dataclass
class House:
    """An edge whose reloads take as long as one likes."""

    lab: Lab
    edge: Edge
    sites: list[dict[str, Any]]

    async def reload(self, seconds: float = READING_SECONDS) -> asyncio.Task[None]:
        """A reload under way: the files have been rendered, and the new worker will be read late."""
        assert isinstance(self.edge.runtime, Slow)
        self.edge.runtime.seconds = seconds
        return await self.rendered(self.edge.reload())

    async def rendered(self, change: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin ``change``; return when the files for another worker have been written."""
        before = _rendering(self.edge)
        begun = asyncio.create_task(change)
        await eventually(lambda: _rendering(self.edge) != before)
        return begun


def _rendering(edge: Edge) -> str:
    """Which files lie there for the next worker."""
    return Path(edge.places.map(META)).read_text()


@asynccontextmanager
async def house(directory: Path, port: int) -> AsyncIterator[House]:
    # Without the others a worker would start before anything can be asked for.
    sites = [site("a", ["a.test"], port), *(site(f"n{n}", [f"n{n}.test"], port) for n in range(400))]
    async with lab(directory) as made, Edge(made.configuration(sites), runtime=slow) as edge:
        yield House(made, edge, sites)


@pytest.mark.parametrize(("what", "good"), [("block", 403), ("unblock", 200), ("ban", 0), ("unban", 200)])
async def test_an_answer_holds_for_every_request_after_it(tmp_path: Path, what: str, good: int) -> None:
    block = enforcement(SiteScope("a"))
    ban = Ban(ip_network(SOURCE), datetime.now(UTC) + timedelta(seconds=50))
    with echo_origin() as port:
        async with house(tmp_path, port) as home:
            made, edge = home.lab, home.edge
            if what == "unblock":
                await edge.block(released(block))
            if what == "unban":
                await edge.ban(ban)
            worker = edge.processes.worker
            reload = await home.reload()
            changes: dict[str, Callable[[], Awaitable[object]]] = {
                "block": lambda: edge.block(released(block)),
                "unblock": lambda: edge.unblock(block.id),
                "ban": lambda: edge.ban(ban),
                "unban": lambda: edge.unban(ip_network(SOURCE)),
            }
            change = changes[what]()
            assert edge.processes.worker == worker, "this comes too late to test anything"
            await change
            seen = set()
            while not reload.done():
                seen.add(await made.status("a.test", source=SOURCE))
            seen |= {await made.status("a.test", source=SOURCE) for _ in range(5)}
            assert (seen, edge.processes.worker != worker) == ({good}, True)
            await reload
            assert (await edge.reconciler.difference()).now == []


async def test_what_is_asked_for_during_a_reload_that_fails_is_answered(tmp_path: Path) -> None:
    """The former files are loaded once more then: that is a reload like any other."""
    with echo_origin() as port:
        async with house(tmp_path, port) as home:
            made, edge = home.lab, home.edge
            (late,) = free_ports(1)
            more = made.configuration(home.sites, http=[f"127.0.0.1:{made.http}", f"127.0.0.1:{late}"])
            apply = await home.rendered(edge.apply(more))
            with socket.create_server(("127.0.0.1", late)):  # it was free when the agent looked
                block = asyncio.create_task(edge.block(released(enforcement(SiteScope("a")))))
                with pytest.raises(HoldfastError, match="HAProxy refused the new configuration"):
                    await apply
            async with asyncio.timeout(5):
                await block
            assert await made.status("a.test") == 403
            assert (await edge.reconciler.difference()).now == []


async def test_what_is_open_ends_before_the_answer(tmp_path: Path) -> None:
    """The answer waits for the new worker; what is open at the old one does not."""
    async with origin() as content, house(tmp_path, content.port) as home, connect(home.lab.http) as wire:
        wire.writer.write(b"GET /?do=events HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert (await wire.head()).status == 200
        reload = await home.reload(2 * WITHIN)
        block = asyncio.create_task(home.edge.block(released(enforcement(SiteScope("a")))))
        async with asyncio.timeout(WITHIN):
            await wire.ended()
        assert not block.done(), "it was not the answer that ended it"
        await asyncio.gather(reload, block)
