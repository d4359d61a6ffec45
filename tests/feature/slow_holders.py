"""Clients that hold a site's slots by sending or reading a few bytes now and then, each from an address of
its own, who come again whenever they are ended or refused; and honest ones of a steady speed."""

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
from tests.feature.wire import Answer, Wire, trusting

BREATH = 0.05
"""Before a client that was ended comes again: on this machine everything shares a core or two."""
DRIP = 0.3
SMALL_BUFFER = 2048
LARGE = 3_000_000
"""More than the kernel takes on loopback (2.6 MB) for a client that does not read."""
LARGER = 10_000_000
TICK = 0.05


class Kind(enum.Enum):
    """What a client does slowly: its request, and how."""

    DRIPS = (b"POST /drips HTTP/1.1\r\nContent-Length: 2000\r\n", b"")
    """A small body, byte by byte."""
    STALLS = (b"POST /stalls HTTP/1.1\r\nContent-Length: 2000000\r\n", b"x" * 20_000)
    """20 KB at once, the rest byte by byte."""
    READS = (f"GET /reads?count={LARGE} HTTP/1.1\r\n".encode(), b"")
    """A large answer, a few bytes at a time."""


@asynccontextmanager
async def holding(
    lab: Lab, host: str, kind: Kind, sources: int, *, network: str = "127.0.1", tls: bool = False
) -> AsyncIterator[Counter[str]]:
    """So many of them for as long as a block of code runs: how often they came, and what they got."""
    seen: Counter[str] = Counter()

    async def keep(source: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                await _hold(lab, host, kind, source, seen, tls=tls)
            await asyncio.sleep(BREATH)

    tasks = [asyncio.create_task(keep(f"{network}.{number + 1}")) for number in range(sources)]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(lab: Lab, host: str, kind: Kind, source: str, seen: Counter[str], *, tls: bool) -> None:
    """One connection until the edge ends it; ``seen`` counts how."""
    loop = asyncio.get_running_loop()
    head, body = kind.value
    with socket.socket() as raw:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        raw.bind((source, 0))
        await loop.sock_connect(raw, ("127.0.0.1", lab.https if tls else lab.http))
        channel = await _secured(raw, host) if tls else raw
        seen["came"] += 1
        await _send(channel, head + f"Host: {host}\r\n\r\n".encode() + body)
        answer = b""
        while True:
            await asyncio.sleep(DRIP)
            if kind is not Kind.READS:
                await _send(channel, b"x")
            part = _some(channel)
            answer += part or b""
            refused = len(answer) >= 12 and not answer.startswith(b"HTTP/1.1 200")
            if part == b"" or refused:
                seen[answer[9:12].decode() or "ended"] += 1
                return


async def _send(channel: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[channel.send(view) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            await asyncio.sleep(0.01)


def _some(channel: socket.socket) -> bytes | None:
    """A few bytes; None where nothing has come."""
    try:
        return channel.recv(12)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None


async def _secured(raw: socket.socket, host: str) -> ssl.SSLSocket:
    channel = trusting().wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    while True:
        try:
            channel.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            await asyncio.sleep(0.01)
        else:
            return channel


async def take(lab: Lab, host: str, source: str, rate: int, seconds: float) -> int:
    """Read an answer of ``LARGER`` bytes at so many a second for a while, then the rest at once; how many
    bytes of it came."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", lab.http, local_addr=(source, 0), limit=SMALL_BUFFER
    )
    wire, begun, read = Wire(reader, writer), time.monotonic(), 0
    writer.write(f"GET /take?count={LARGER} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        await wire.head()
        while (passed := time.monotonic() - begun) < seconds:
            if (due := int(passed * rate) - read) > 0:
                read += len(await reader.read(due))
            await asyncio.sleep(TICK)
        while part := await reader.read(1 << 16):
            read += len(part)
    finally:
        writer.close()
    return read


async def give(lab: Lab, host: str, source: str, rate: int, seconds: float, *, tls: bool = False) -> Answer:
    """Send a body at so many bytes a second."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", lab.https if tls else lab.http, local_addr=(source, 0)
    )
    if tls:
        await writer.start_tls(trusting(), server_hostname=host)
    parts = int(seconds / TICK)
    length = int(rate * TICK)
    head = f"POST /give HTTP/1.1\r\nHost: {host}\r\nContent-Length: {parts * length}\r\n\r\n"
    try:
        writer.write(head.encode())
        for _ in range(parts):
            writer.write(b"x" * length)
            await asyncio.sleep(TICK)
        return await Wire(reader, writer).ask(b"")
    finally:
        writer.close()
