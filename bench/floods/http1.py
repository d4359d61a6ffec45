"""A client's connection over HTTP/1, on asyncio: one request after the other, headers exactly as given."""

from __future__ import annotations

import asyncio
import ssl

from bench.floods.agents import Headers
from bench.floods.answers import Answer, parse_head

LONGEST_BODY = 1 << 20


class Unanswered(ConnectionError):
    """The connection ended before an answer began: on one that was used before, it had perhaps been closed in
    the moment when the request was sent, and a browser asks again."""


class Http1:
    """Opened by ``open_http1``; after any error it is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.used = 0
        self.is_open = True

    async def ask(self, method: str, path: str, headers: Headers, body: bytes, version: str) -> Answer:
        """Raises OSError (Unanswered among it), ValueError for what is no HTTP."""
        lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        try:
            self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer = await self._answer(method)
        except BaseException:
            self.close()
            raise
        self.used += 1
        if version == "1.0" or answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    async def _answer(self, method: str) -> Answer:
        while True:
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as ended:
                raise Unanswered("closed without an answer") from ended
            except ConnectionError as cut:
                raise Unanswered(str(cut)) from cut
            status, headers, cookies = parse_head(head)
            if status >= 200:
                break
        try:
            return Answer(status, headers, cookies, await self._body(method, status, headers))
        except asyncio.IncompleteReadError as ended:
            raise ConnectionError("closed within an answer") from ended

    async def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b""
            while size := int((await self._reader.readline()).split(b";")[0] or b"0", 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readline()
            return body
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        body = await self._reader.read(LONGEST_BODY)
        self.close()
        return body

    def close(self) -> None:
        self.is_open = False
        self._writer.transport.abort() if self._writer.is_closing() else self._writer.close()


async def open_http1(source: str, address: str, port: int, tls: ssl.SSLContext | None, host: str) -> Http1:
    """A connection from ``source``. Raises OSError."""
    reader, writer = await asyncio.open_connection(
        address, port, ssl=tls, server_hostname=host if tls else None, local_addr=(source, 0)
    )
    return Http1(reader, writer)
