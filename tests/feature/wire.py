"""Clients that send exactly the bytes they are given, over HTTP/1.1 and HTTP/2: what libraries would tidy up
or refuse must reach the edge as a hostile client sends it."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

ANSWER_SECONDS = 10.0
GOAWAY = 7
IP_FREEBIND = 15
"""ip(7); Python 3.11 has no name for it."""
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
"""The header lines that ask for a WebSocket (RFC 6455, section 1.3)."""


@functools.cache
def trusting(certificate: Path | None = None, *alpn: str) -> ssl.SSLContext:
    """A client's TLS that trusts just ``certificate``, or any certificate at all."""
    context = ssl.create_default_context(cafile=certificate)
    if certificate is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def serving(certificate: Path) -> ssl.SSLContext:
    """A server's TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@dataclass
class Answer:
    """A response: status, headers in lower case, and as much of the body as there is."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)


class Wire:
    """One connection of bytes; HTTP/1.1 is read from it on demand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> Answer:
        """Read one status line with its headers."""
        async with asyncio.timeout(ANSWER_SECONDS):
            raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = raw[:-4].split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Answer(int(status.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs})

    async def ask(self, request: bytes) -> Answer:
        """Send bytes; read a whole response (Content-Length or chunked)."""
        self.writer.write(request)
        await self.writer.drain()
        answer = await self.head()
        async with asyncio.timeout(ANSWER_SECONDS):
            if "transfer-encoding" in answer.headers:
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    answer.body += (await self.reader.readexactly(size + 2))[:-2]
                while (line := (await self.reader.readuntil(b"\r\n")).decode("latin-1").strip()) != "":
                    name, _, value = line.partition(":")
                    answer.trailers[name.lower()] = value.strip()
            elif not request.startswith(b"HEAD "):
                answer.body = await self.reader.readexactly(int(answer.headers.get("content-length", "0")))
        return answer

    async def get(self, target: bytes, host: str, *lines: str, method: str = "GET") -> Answer:
        """One request without a body."""
        head = "".join(f"{line}\r\n" for line in (f"Host: {host}", *lines))
        return await self.ask(method.encode() + b" " + target + b" HTTP/1.1\r\n" + head.encode() + b"\r\n")

    async def ended(self) -> None:
        """Read on until the other side ends the connection, however it does that."""
        try:
            while await self.reader.read(65_536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass


@asynccontextmanager
async def connect(
    port: int,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    name: str | None = None,
    source: str | None = None,
) -> AsyncIterator[Wire]:
    """A connection; over TLS with the server name ``name`` where a context is given; to the loopback address
    of its family where it is to come from ``source``."""
    if source is None:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    else:
        sock = await connected(source, port)
        reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def connected(source: str, port: int) -> socket.socket:
    """A connection to loopback from ``source``, which need not be an address of this machine as long as it is
    routed to it (see ``lab.ipv6_network``)."""
    is_v6 = ":" in source
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("::1" if is_v6 else "127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


class Http2(Wire):
    """One HTTP/2 connection with any number of streams at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._connection = H2Connection(
            H2Configuration(
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.answers: dict[int, Answer] = {}
        self.over: dict[int, str] = {}
        """How each stream ended: ``end`` or ``reset``."""
        self.settings = asyncio.Event()
        self.leaving = False
        """The other side has said GOAWAY: whoever is well-behaved begins no request here any more."""
        self._news: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._connection.initiate_connection()
        self._flush()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Frame by frame: h2 takes a GOAWAY, by which HAProxy asks for a new connection after a reload, for
        the end, though open streams go on (RFC 9113, section 6.8)."""
        try:
            while True:
                head = await self.reader.readexactly(9)
                frame = head + await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                if frame[3] == GOAWAY:
                    self.leaving = True
                    continue
                for event in self._connection.receive_data(frame):
                    self._take(event)
                self._flush()
        except (ConnectionError, EOFError, ssl.SSLError):
            pass
        for stream in self.answers.keys() | self._news.keys():
            self._end(stream, "closed")

    def _take(self, event: object) -> None:
        match event:
            case SettingsAcknowledged():
                self.settings.set()
            case ResponseReceived(stream_id=int(stream), headers=list(headers)):
                named = {str(name): str(value) for name, value in headers}
                self.answers[stream] = Answer(int(named.pop(":status")), named)
                # A body cut short is for the test to judge; h2 would end the whole connection over it.
                self._connection.streams[stream]._expected_content_length = None
                self._news[stream].set()
            case DataReceived(stream_id=int(stream), data=bytes(data), flow_controlled_length=int(length)):
                self.answers[stream].body += data
                self._connection.acknowledge_received_data(length, stream)
                self._news[stream].set()
            case TrailersReceived(stream_id=int(stream), headers=list(headers)):
                self.answers[stream].trailers = {str(name): str(value) for name, value in headers}
            case StreamEnded(stream_id=int(stream)):
                self._end(stream, "end")
            case StreamReset(stream_id=int(stream)):
                self._end(stream, "reset")

    def _end(self, stream: int, how: str) -> None:
        self.over.setdefault(stream, how)
        self._news[stream].set()

    def _flush(self) -> None:
        self.writer.write(self._connection.data_to_send())

    def start(
        self, host: str, path: str | bytes, *headers: tuple[str, str], method: str = "GET", end: bool = True
    ) -> int:
        """Begin a request; returns its stream."""
        stream = self._connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", host), (":path", path)]
        self._connection.send_headers(stream, [*pseudo, *headers], end_stream=end)
        self._flush()
        return stream

    def start_websocket(self, host: str, path: str) -> int:
        """Begin a WebSocket within this connection, as browsers do (RFC 8441)."""
        headers = ((":protocol", "websocket"), ("sec-websocket-version", "13"))
        return self.start(host, path, *headers, method="CONNECT", end=False)

    def start_connect(self, authority: str) -> int:
        """Ask for a tunnel (RFC 9113, section 8.5): without a scheme and without a path."""
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, [(":method", "CONNECT"), (":authority", authority)])
        self._flush()
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """Send data that fits the window."""
        self._connection.send_data(stream, data)
        self._flush()

    async def headers(self, stream: int) -> Answer:
        """Wait for the response's headers; a stream that ends without them is an error."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while stream not in self.answers:
                if stream in self.over:
                    raise ConnectionError(f"stream {stream}: {self.over[stream]}")
                self._news[stream].clear()
                await self._news[stream].wait()
        return self.answers[stream]

    async def bodies(self, stream: int) -> AsyncIterator[bytes]:
        """The response's body as it comes, until the stream ends; nothing of it is kept."""
        while True:
            answer = self.answers.get(stream)
            if answer is not None and answer.body:
                body, answer.body = answer.body, b""
                yield body
            elif stream in self.over:
                return
            else:
                self._news[stream].clear()
                await self._news[stream].wait()

    async def get2(self, host: str, path: str | bytes, *headers: tuple[str, str]) -> Answer:
        """One whole exchange."""
        return await self.whole(self.start(host, path, *headers))

    async def whole(self, stream: int) -> Answer:
        """Wait for the whole response, or for what there is of it when the stream ends otherwise."""
        answer = await self.headers(stream)
        async with asyncio.timeout(ANSWER_SECONDS):
            while stream not in self.over:
                self._news[stream].clear()
                await self._news[stream].wait()
        return answer


@asynccontextmanager
async def http2(port: int, name: str, source: str | None = None) -> AsyncIterator[Http2]:
    """An HTTP/2 connection over TLS."""
    async with connect(port, tls=trusting(None, "h2"), name=name, source=source) as wire:
        client = Http2(wire.reader, wire.writer)
        try:
            yield client
        finally:
            client.task.cancel()
            await asyncio.gather(client.task, return_exceptions=True)
