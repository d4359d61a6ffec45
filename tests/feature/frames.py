"""HTTP/2 frame by frame (RFC 9113), for clients that keep to none of its rules: nothing here checks what is
sent. Header blocks are made of literals only, so that they depend on nothing that was sent before."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hpack import Decoder
from hpack.hpack import encode_integer

from tests.feature.wire import Wire, connect, trusting

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8

Pairs = tuple[tuple[bytes, bytes], ...]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame, whatever it says."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def block(*pairs: tuple[bytes, bytes]) -> bytes:
    """A header block: literals without indexing and without Huffman coding (RFC 7541, section 6.2.2)."""
    return b"".join(
        b"\x00" + b"".join(bytes(encode_integer(len(each), 7)) + each for each in pair) for pair in pairs
    )


def pseudo(
    method: bytes = b"GET", path: bytes = b"/a", authority: bytes = b"a.test", scheme: bytes = b"https"
) -> Pairs:
    """What every request begins with."""
    return ((b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path))


def headers(*pairs: tuple[bytes, bytes], stream: int = 1, end: bool = True) -> bytes:
    """A request, or its trailers, in one frame."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(*pairs))


def data(body: bytes, stream: int = 1, *, end: bool = True) -> bytes:
    return frame(DATA, END_STREAM if end else 0, stream, body)


@dataclass
class Frames(Wire):
    """An HTTP/2 connection; what comes is read in the background; only settings are acknowledged."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    statuses: dict[int, int] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)
    """Streams that have ended or were reset."""
    answers: int = 0
    """Frames of any kind that came."""
    goaway: bool = False
    ended_by_edge: bool = False

    async def read(self) -> None:
        """Frame by frame until the edge ends the connection."""
        decoder = Decoder()
        try:
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
                self.answers += 1
                if kind == HEADERS:
                    fields = dict(decoder.decode(payload, raw=True))
                    self.statuses.setdefault(stream, int(fields.get(b":status", b"0")))
                elif kind == SETTINGS and not flags & ACK:
                    self.writer.write(frame(SETTINGS, ACK))
                self.goaway |= kind == GOAWAY
                if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    self.over.add(stream)
        except (OSError, EOFError, ssl.SSLError):
            self.ended_by_edge = True

    async def settled(self, *streams: int, seconds: float) -> None:
        """Wait until these streams are over, or the connection is, or the time is up."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (self.ended_by_edge or self.over >= set(streams)):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def frames(
    port: int, name: str, address: str = "127.0.0.1", *, settings: bytes = b"", reads: bool = True
) -> AsyncIterator[Frames]:
    """An HTTP/2 connection over TLS that has sent its preface and ``settings``; it reads what
    comes, or leaves it where it is until TCP takes no more."""
    async with connect(port, address, trusting(None, "h2"), name) as wire:
        client = Frames(wire.reader, wire.writer)
        reading = asyncio.create_task(client.read() if reads else asyncio.sleep(0))
        client.writer.write(PREFACE + frame(SETTINGS, 0, 0, settings))
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
