"""The kinds of checked client: honest, written in Python, every request of them is judged.

They are few: the bulk (``bulk``) brings the load, these look closely. Each method is one conversation, on one
connection; ``CROWD`` says how many clients there are of each kind.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable

from websockets.frames import Frame, Opcode

from bench.soak import world
from bench.soak.verdicts import Request, Spot, is_open_too_long
from bench.soak.visitor import Outcome, Visitor
from bench.soak.wires import Line
from tests.feature.origins import BLOCK
from tests.feature.wire import WEBSOCKET, Http2, Wire

MOST_REQUESTS = 50
"""On one connection."""
SLOW_RATE = 40_000
"""Bytes a second of the origin's slow answers."""
EVENT_SECONDS = 10.0
"""Without an event, a stream is dead: there is one every tenth of a second."""


async def kept(self: Visitor) -> None:
    """HTTP/1.1, one request after the other, for any hostname."""
    async with Line(Wire, self.ports.http, self.source) as line:
        for _ in range(self.draw.randint(2, MOST_REQUESTS)):
            if not await _get(self, "kept", line, world.anything(self.draw)):
                break
            await self.rest(0.08)


async def fresh(self: Visitor) -> None:
    """HTTP/1.1, a connection for each request."""
    async with Line(Wire, self.ports.http, self.source) as line:
        await _get(self, "fresh", line, world.anything(self.draw), "Connection: close")
    await self.rest(0.1)


async def tls(self: Visitor) -> None:
    """TLS and HTTP/1.1: a handshake, some requests."""
    spot = world.with_certificate(self.draw)
    async with Line(Wire, self.ports.https, self.source, spot.host) as line:
        for _ in range(self.draw.randint(1, 8)):
            if not await _get(self, "tls", line, spot):
                break
            await self.rest(0.1)


async def _get(self: Visitor, kind: str, line: Line[Wire], spot: Spot, *headers: str) -> bool:
    """One GET; whether the connection can carry another."""
    async with self.noted(kind, spot, line) as outcome:
        wire = await line.wire()
        outcome.take(await wire.get(spot.path.encode(), spot.host, *headers))
    return outcome.goes_on


async def h2(self: Visitor) -> None:
    """HTTP/2: a handshake, then a few requests at once, again and again, until told to go elsewhere."""
    spot = world.with_certificate(self.draw)
    async with Line(Http2, self.ports.https, self.source, spot.host) as line:
        for _ in range(self.draw.randint(1, MOST_REQUESTS // 5)):
            count = self.draw.randint(1, 5)
            if not all(await asyncio.gather(*(_get2(self, line, spot) for _ in range(count)))):
                break
            await self.rest(0.2)


async def _get2(self: Visitor, line: Line[Http2], spot: Spot) -> bool:
    async with self.noted("h2", spot, line) as outcome:
        wire = await line.wire()
        stream = wire.start(spot.host, spot.path)
        answer = await wire.whole(stream)
        outcome.take(answer)
        if wire.over[stream] != "end":
            raise ConnectionError(f"the answer was cut: {wire.over[stream]}")
        outcome.goes_on = not wire.leaving
    return outcome.goes_on


async def post(self: Visitor) -> None:
    """Small POSTs, the last one as important as the first: the origin tells what has reached it."""
    spot = world.app(self.draw)
    async with Line(Wire, self.ports.http, self.source) as line:
        for _ in range(self.draw.randint(1, 20)):
            body = self.draw.randbytes(self.draw.randint(1, 2000))
            head = f"POST {spot.path} HTTP/1.1\r\nHost: {spot.host}\r\nContent-Length: {len(body)}\r\n\r\n"
            async with self.noted("post", spot, line) as outcome:
                answer = await (await line.wire()).ask(head.encode() + body)
                outcome.take(answer)
                if answer.status == 200 and answer.headers["x-body-hash"] != hashlib.sha256(body).hexdigest():
                    outcome.note = "the origin got another body"
            if not outcome.goes_on:
                break
            await self.rest(0.15)


async def download(self: Visitor) -> None:
    """A long answer of known length, which comes slowly."""
    spot = world.app(self.draw)
    count = int(SLOW_RATE * self.patience * self.draw.uniform(0.5, 1.5))
    async with (
        Line(Wire, self.ports.http, self.source) as line,
        self.noted("download", spot, line) as outcome,
    ):
        wire = await _begin(line, spot, f"{spot.path}?count={count}&slowly=1", outcome)
        come = 0
        while outcome.status == 200 and come < count:
            part = await asyncio.wait_for(wire.reader.read(len(BLOCK)), EVENT_SECONDS)
            if not part:
                raise EOFError(f"{count - come} bytes are missing")
            if part != (BLOCK + BLOCK)[come % 256 : come % 256 + len(part)]:
                outcome.note = "other bytes came than were sent"
                break
            come += len(part)
            _look(self, "download", spot, outcome)
    await self.rest(1)


async def events(self: Visitor) -> None:
    """Server-sent events, held open for a while: none may be missing."""
    spot = world.app(self.draw)
    async with (
        Line(Wire, self.ports.http, self.source) as line,
        self.noted("events", spot, line) as outcome,
    ):
        wire = await _begin(line, spot, f"{spot.path}?do=events", outcome)
        end, number, text = time.monotonic() + self.patience * self.draw.uniform(0.5, 1.5), 0, b""
        while outcome.status == 200 and time.monotonic() < end:
            text += await asyncio.wait_for(_chunk(wire.reader), EVENT_SECONDS)
            while b"\n\n" in text and not outcome.note:  # the edge may put several into one chunk
                event, _, text = text.partition(b"\n\n")
                if event != b"data: %d" % number:
                    outcome.note = f"{event!r} came instead of event {number}"
                number += 1
            if outcome.note:
                break
            _look(self, "events", spot, outcome)
    await self.rest(1)


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """One chunk (RFC 9112, section 7.1). Raises EOFError for the last one: the origin never sends it."""
    size = int(await reader.readuntil(b"\r\n"), 16)
    if size == 0:
        raise EOFError("the stream was ended")
    return (await reader.readexactly(size + 2))[:-2]


async def websocket(self: Visitor) -> None:
    """A WebSocket held open for a while, which echoes."""
    spot = world.app(self.draw)
    async with (
        Line(Wire, self.ports.http, self.source) as line,
        self.noted("websocket", spot, line) as outcome,
    ):
        wire = await _begin(line, spot, spot.path, outcome, *WEBSOCKET)
        end = time.monotonic() + self.patience * self.draw.uniform(0.5, 1.5)
        while outcome.status == 200 and time.monotonic() < end:
            words = self.draw.randbytes(20).hex().encode()
            wire.writer.write(Frame(Opcode.TEXT, words).serialize(mask=True))
            echo = await asyncio.wait_for(wire.reader.readexactly(2 + len(words)), EVENT_SECONDS)
            if echo[2:] != words:
                outcome.note = "another echo came than was sent"
                break
            _look(self, "websocket", spot, outcome)
            await asyncio.sleep(0.2)
    await self.rest(1)


async def _begin(line: Line[Wire], spot: Spot, target: str, outcome: Outcome, *headers: str) -> Wire:
    """Send a request whose answer is read by the caller, while its status is 200 (or 101, told as 200)."""
    wire = await line.wire()
    lines = "".join(f"{each}\r\n" for each in (f"Host: {spot.host}", *headers))
    wire.writer.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
    status = (await wire.head()).status
    outcome.status = 200 if status == 101 else status
    return wire


def _look(self: Visitor, kind: str, spot: Spot, outcome: Outcome) -> None:
    """Whether a block has forgotten what is open."""
    now = time.monotonic()
    seen = Request(kind, spot, self.source, now, now, now, outcome.status)
    if is_open_too_long(seen, self.ledger.history):
        outcome.note = "still open under a block"
        outcome.status = -1


CROWD: tuple[tuple[Callable[[Visitor], Awaitable[None]], int], ...] = (
    (kept, 10),
    (fresh, 8),
    (tls, 6),
    (h2, 6),
    (post, 4),
    (download, 3),
    (events, 4),
    (websocket, 3),
)
