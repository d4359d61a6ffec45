"""A client's connection over HTTP/2 and TLS, on asyncio: many requests at once."""

from __future__ import annotations

import asyncio
import itertools
import ssl

from bench.floods import frames
from bench.floods.agents import Headers
from bench.floods.answers import Answer
from bench.floods.http1 import Unanswered


class Http2(asyncio.Protocol):
    """Opened by ``open_http2``."""

    def __init__(self) -> None:
        self.used = 0
        self.is_open = True
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self._streams = itertools.count(1, 2)
        self._receiver = frames.Receiver()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(frames.opening())

    def data_received(self, data: bytes) -> None:
        for stream, answer in self._receiver.take(data):
            if (future := self.waiting.pop(stream, None)) and not future.done():
                if answer is None:
                    future.set_exception(ConnectionResetError("the stream was reset"))
                else:
                    future.set_result(answer)
        if self._receiver.reply and self._transport is not None:
            self._transport.write(self._receiver.reply)
            self._receiver.reply = b""
        if self._receiver.is_leaving:
            self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(Unanswered("the connection ended"))
        self.waiting.clear()

    def send(self, head: bytes, body: bytes = b"") -> asyncio.Future[Answer]:
        """A request with a ready header block. The future's exceptions are OSErrors."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self._transport is None or not self.is_open:
            future.set_exception(Unanswered("the connection has ended"))
            return future
        stream = next(self._streams)
        self.waiting[stream] = future
        self.used += 1
        self._transport.write(frames.request(stream, head, body))
        return future

    async def ask(self, method: str, path: str, headers: Headers, body: bytes, version: str) -> Answer:
        """As ``Http1.ask``; ``version`` is not asked for."""
        host = dict(headers)["Host"]
        more = [("Content-Length", str(len(body)))] if body else []
        return await self.send(frames.block(method, host, path, headers + more), body)

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()


async def open_http2(source: str, address: str, port: int, tls: ssl.SSLContext, host: str) -> Http2:
    """A connection from ``source``. Raises OSError."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        Http2, address, port, ssl=tls, server_hostname=host, local_addr=(source, 0)
    )
    return protocol


def context(family: str, *, http2: bool) -> ssl.SSLContext:
    """How a program begins TLS. Two families differ in what they offer, so that their handshakes do, too; no
    certificate is checked, as it is the benchmark's own."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    made.set_ciphers(CIPHERS.get(family, CIPHERS["library"]))
    return made


CIPHERS = {
    "chrome": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
    "firefox": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
    "safari": "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
    "ios": "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
    "msie": "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
    "opera": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    "curl": "HIGH",
    "library": "ECDHE+AESGCM:ECDHE+CHACHA20",
}
