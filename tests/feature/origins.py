"""An origin that does what the query asks of it, and keeps every request exactly as it came.

``?do=events`` sends an event every 100 ms until the client goes, ``?do=told`` one each time the test says so;
``?count=N`` that many bytes, with ``&slowly=1`` a few at a time; ``?do=trailers`` a response with trailers;
``&held=1`` waits until the test says so. An ``Upgrade`` opens an echoing WebSocket. Anything else is answered
at once. All of it runs on the test's own event loop, without threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

PAUSE = 0.1
BLOCK = bytes(range(256)) * 256

Headers = list[tuple[str, str]]


@dataclass
class Received:
    """A request as it arrived: the target byte by byte, the headers in order, the body's length and hash."""

    method: str
    target: bytes
    headers: Headers
    body_bytes: int = 0
    body_hash: str = ""
    trailers: Headers = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for each, value in self.headers if each == name]


@dataclass
class Origin:
    """What the origin has seen, and what it waits for."""

    label: str = "origin"
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it, and what was ``held`` is answered, or one event sent to whoever wants to be ``told``."""
    open: int = 0
    """Responses and WebSockets that are under way now."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request by request."""
        # The edge has closed, or the test is over (asyncio 3.11 complains of handlers that end as cancelled).
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while await self._converse(reader, writer):
                pass
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        method, target, _ = line.split(b" ")
        request = Received(method.decode(), target, _headers(lines))
        self.requests.append(request)
        with self._under_way():
            if request.all("upgrade"):
                await _echo(head, reader, writer)
                return False
            if request.all("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await _read_body(request, reader)
            await self._answer(request, writer)
        return True

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        asked = {
            name: values[0]
            for name, values in parse_qs(request.target.partition(b"?")[2].decode("latin-1")).items()
        }
        if "held" in asked:
            await self.release.wait()
        do = asked.get("do")
        if do == "events":
            await _events(writer, lambda: asyncio.sleep(PAUSE))
        elif do == "told":
            await _events(writer, self._told)
        elif do == "trailers":
            writer.write(
                b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n0\r\nX-Sum: abc\r\n\r\n"
            )
        else:
            count = int(asked.get("count", "2"))
            writer.write(
                f"HTTP/1.1 200 OK\r\nX-Origin: {self.label}\r\nX-Body-Bytes: {request.body_bytes}\r\n"
                f"X-Body-Hash: {request.body_hash}\r\nContent-Length: {count}\r\n\r\n".encode()
            )
            if request.method != "HEAD":
                await _send(writer, count, slowly="slowly" in asked)
        await writer.drain()

    async def _told(self) -> None:
        await self.release.wait()
        self.release.clear()

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@asynccontextmanager
async def origin(label: str = "origin", tls: ssl.SSLContext | None = None) -> AsyncIterator[Origin]:
    """An origin on loopback, over TLS where a context is given."""
    made = Origin(label)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()


async def _send(writer: asyncio.StreamWriter, count: int, *, slowly: bool) -> None:
    while count > 0:
        part = BLOCK[: min(count, 4096 if slowly else len(BLOCK))]
        writer.write(part)
        await writer.drain()
        count -= len(part)
        if slowly:
            await asyncio.sleep(PAUSE)


async def _events(writer: asyncio.StreamWriter, pause: Callable[[], Awaitable[None]]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in itertools.count():
        event = f"data: {number}\n\n"
        writer.write(f"{len(event):x}\r\n{event}\r\n".encode())
        await writer.drain()
        if writer.is_closing():
            raise EOFError
        await pause()


async def _read_body(request: Received, reader: asyncio.StreamReader) -> None:
    digest = hashlib.sha256()
    if request.all("transfer-encoding"):
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            digest.update((await reader.readexactly(size + 2))[:-2])
            request.body_bytes += size
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            request.trailers += _headers([line.strip()])
    else:
        left = int((request.all("content-length") or ["0"])[0])
        while left:
            part = await reader.read(min(left, len(BLOCK)))
            if not part:
                raise EOFError
            digest.update(part)
            request.body_bytes += len(part)
            left -= len(part)
    request.body_hash = digest.hexdigest()


async def _echo(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(head)
    data = b""
    while True:
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                protocol.send_text(event.data)
        for part in protocol.data_to_send():
            writer.write(part)
        await writer.drain()
        if protocol.close_expected():
            return
        data = await reader.read(len(BLOCK))
        if not data:
            return
        protocol.receive_data(data)


def _headers(lines: list[bytes]) -> Headers:
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return [(name.lower(), value.strip()) for name, _, value in pairs]
