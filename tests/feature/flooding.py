"""A small flood, and visitors beside it: bounded in number and time, each request on a connection of its own,
from thousands of loopback addresses."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.edge.agent import Edge
from tests.feature.lab import Lab, eventually, running, site
from tests.feature.mortal import Mortal, mortal

MOST_RATE, MOST_SECONDS, MOST_OPEN = 800.0, 30.0, 400
PATIENCE = 3.0
"""Seconds that a client waits for an answer."""
STEP = 0.02
CALM_SECONDS = 3.0
"""Of visitors before a flood begins."""
NO_ANSWER = 0
SHOP = "shop.test"

Make = Callable[[int], tuple[str, ...]]
"""The n-th request: its first line but for the version, then its header lines."""


def tool(number: int) -> tuple[str, ...]:
    """One program with random query strings."""
    return f"GET /?q{number * 7919 % 99_991}=1", "User-Agent: floodtool/1.0"


def browser(number: int) -> tuple[str, ...]:
    """Four browsers at thirty pages."""
    return (
        f"GET /page/{number % 30}",
        f"User-Agent: Mozilla/5.0 (X11) Browser/{number % 4}",
        "Accept: text/html",
        "Accept-Language: de-DE",
        "Accept-Encoding: gzip",
    )


def another(number: int) -> tuple[str, ...]:
    """Another program."""
    return f"POST /login?{number}", "User-Agent: other/2", "Content-Length: 0", "X-More: 1"


def unlike(number: int) -> tuple[str, ...]:
    """No two alike, but for the order of their headers."""
    return f"GET /{number}/x?{number}=1", f"User-Agent: agent/{number}", f"Accept-Language: x{number}"


def bot_source(number: int) -> str:
    """One of 5,000 addresses in 200 networks."""
    return f"127.{100 + number % 20}.{number // 20 % 10}.{1 + number * 31 % 250}"


def visitor_source(number: int) -> str:
    """One of 40 addresses in 40 networks."""
    return f"127.50.{number % 40}.{1 + number % 40}"


@dataclass
class Stream:
    """Requests at a steady rate, and what became of them."""

    port: int
    rate: float
    make: Make = tool
    source: Callable[[int], str] = bot_source
    host: str = SHOP
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, seconds: float) -> Counter[int]:
        """Returns the statuses of the requests that were answered meanwhile."""
        if not (self.rate <= MOST_RATE and seconds <= MOST_SECONDS):
            raise ValueError(f"{self.rate}/s for {seconds} s is more than this machine should bear")
        before, loop = self.statuses.copy(), asyncio.get_running_loop()
        begin, due, sent = loop.time(), 0.0, 0
        while (passed := loop.time() - begin) < seconds:
            due = min(passed * self.rate, sent + MOST_RATE * STEP * 4)  # no bursts after a pause
            while sent < due and len(self._open) < MOST_OPEN:
                task = asyncio.create_task(self._one(self.sent))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
                self.sent += 1
                sent += 1
            await asyncio.sleep(STEP)
        return self.statuses - before

    async def end(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _one(self, number: int) -> None:
        status = NO_ANSWER
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(PATIENCE):
                status = await self._ask(number)
        self.statuses[status] += 1

    async def _ask(self, number: int) -> int:
        loop = asyncio.get_running_loop()
        line, *headers = self.make(number)
        lines = [f"{line} HTTP/1.1", f"Host: {self.host}", *headers, "Connection: close", "", ""]
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.bind((self.source(number), 0))
            await loop.sock_connect(sock, ("127.0.0.1", self.port))
            await loop.sock_sendall(sock, "\r\n".join(lines).encode())
            answer = b""
            while b"\r\n" not in answer:
                part = await loop.sock_recv(sock, 4096)
                if not part:
                    return NO_ANSWER
                answer += part
            return int(answer.split(b" ", 2)[1])


@asynccontextmanager
async def going_on(stream: Stream, seconds: float = MOST_SECONDS) -> AsyncIterator[Stream]:
    """While the block runs, ``seconds`` at most."""
    task = asyncio.create_task(stream.run(seconds))
    try:
        yield stream
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await stream.end()


def visitors(port: int) -> Stream:
    return Stream(port, 20, browser, visitor_source)


@asynccontextmanager
async def flooded(port: int, rate: float = 400) -> AsyncIterator[tuple[Stream, Stream]]:
    """Visitors for a while, then a flood too, until something is done about it."""
    async with going_on(visitors(port)) as people:
        await asyncio.sleep(CALM_SECONDS)
        async with going_on(Stream(port, rate)) as flood:
            await eventually(lambda: flood.statuses[403] > 20, 8)
            yield flood, people


async def during(stream: Stream, seconds: float) -> set[int]:
    """The statuses of that time, but for what was under way when it began."""
    await asyncio.sleep(0.3)
    before = stream.statuses.copy()
    await asyncio.sleep(seconds)
    return set((stream.statuses - before).keys())


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[tuple[Lab, Edge, Mortal]]:
    """The site ``shop`` behind an edge of this process."""
    async with (
        mortal() as origin,
        running(directory, [site("shop", [SHOP], origin.port)]) as (made, edge),
    ):
        yield made, edge, origin
