"""Clients that hold a site's slots by sending or reading a few bytes now and then, each from an address of its
own; whoever is ended, or refused, comes again."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.feature.lab import Lab
from tests.feature.wire import trusting

BREATH = 0.05
"""Before a client that was ended comes again: on this machine everything shares a core or two."""
DRIP = 0.3
SMALL_BUFFER = 2048


class Kind(enum.Enum):
    """What a client does slowly."""

    DRIPS = "a small body, drop by drop"
    STALLS = "20 KB at once, the rest drop by drop"
    READS = "reads a large answer, byte by byte"


REQUESTS = {
    Kind.DRIPS: b"POST /drips HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000\r\n\r\n",
    Kind.STALLS: b"POST /stalls HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 20_000,
    Kind.READS: b"GET /reads?count=3000000 HTTP/1.1\r\nHost: a.test\r\n\r\n",
}


async def hold(lab: Lab, kind: Kind, source: str, seen: Counter[str], *, tls: bool = False) -> None:
    """One connection until the edge ends it; ``seen`` counts how."""
    loop = asyncio.get_running_loop()
    with socket.socket() as raw:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        raw.bind((source, 0))
        await loop.sock_connect(raw, ("127.0.0.1", lab.https if tls else lab.http))
        channel = await _secured(raw) if tls else raw
        seen["came"] += 1
        await _all(channel, REQUESTS[kind])
        answer = b""
        while True:
            await asyncio.sleep(DRIP)
            if kind is not Kind.READS:
                await _all(channel, b"x")
            part = _some(channel)
            if part == b"":
                seen["ended"] += 1
                return
            answer += part or b""
            if kind is not Kind.READS and answer or answer.startswith(b"HTTP/1.1 429"):
                seen[answer[9:12].decode()] += 1
                return
            
@asynccontextmanager
async def holding(
    lab: Lab, kind: Kind, sources: int, *, tls: bool = False
) -> AsyncIterator[Counter[str]]:
    """So many of them for as long as a block of code runs: how often they came, and what they got."""
    seen: Counter[str] = Counter()

    async def keep(source: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                await hold(lab, kind, source, seen, tls=tls)
            await asyncio.sleep(BREATH)

    tasks = [asyncio.create_task(keep(f"127.0.1.{number + 1}")) for number in range(sources)]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all(channel: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[channel.send(view) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            await asyncio.sleep(0.01)


def _some(channel: socket.socket) -> bytes | None:
    """A few bytes; None where nothing has come."""
    try:
        return channel.recv(4)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None


async def _secured(raw: socket.socket) -> ssl.SSLSocket:
    channel = trusting().wrap_socket(raw, server_hostname="a.test", do_handshake_on_connect=False)
    while True:
        try:
            channel.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            await asyncio.sleep(0.01)
        else:
            return channel
