"""One conversation with one origin, past the edge: connect, shake hands, ask once, read the status.

Here is only the I/O: what it sees is judged in ``check_origin``, what it says is spelled in ``least_http``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

from holdfast.edge import least_http
from holdfast.edge.check_origin import (
    OriginFinding,
    Verdict,
    judge_connection,
    judge_handshake,
    judge_status,
)
from holdfast.model.site import Origin, Protocol, Service

GRACE_SECONDS, SETTLE_SECONDS = 1.0, 0.3
"""TLS 1.3 refuses a missing certificate after the client's handshake (RFC 8446, section 4.4.2.4): how long to
wait for that where nothing else need come, and before a request, whose reset would overtake the reason."""
HEAD_BYTES = 16_384

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one step, and (by the loop's clock) for everything."""

    step: float
    end: float

    async def wait(self, doing: Awaitable[T]) -> T:
        """The result of ``doing``; raises TimeoutError at the end of the step, or of everything."""
        async with asyncio.timeout_at(min(self.end, asyncio.get_running_loop().time() + self.step)):
            return await doing


@dataclass(frozen=True, slots=True)
class Seen:
    """What a conversation came to."""

    verdict: Verdict
    words: str
    status: int | None = None


class _Over(Exception):
    """There is no more to see than this."""

    def __init__(self, verdict: Verdict, words: str) -> None:
        super().__init__(words)
        self.seen = Seen(verdict, words)


async def ask(origin: Origin, service: Service, hostname: str, patience: Patience) -> OriginFinding:
    """Ask ``origin`` for ``hostname`` directly; every failure is a finding."""
    try:
        with contextlib.closing(await _connected(origin, patience)) as connection:
            seen = await _conversation(connection, origin, service, hostname, patience)
    except _Over as over:
        seen = over.seen
    return OriginFinding(origin, service, hostname, seen.verdict, seen.words, seen.status)


async def _connected(origin: Origin, patience: Patience) -> socket.socket:
    family = socket.AF_INET6 if origin.address.version == 6 else socket.AF_INET
    connection = None
    try:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        to = (str(origin.address), origin.port)
        await patience.wait(asyncio.get_running_loop().sock_connect(connection, to))
    except OSError as failed:
        if connection is not None:
            connection.close()
        if isinstance(failed, TimeoutError):
            raise _Over(Verdict.CLOSED, "no connection in time") from failed
        raise _Over(judge_connection(failed.errno), os.strerror(failed.errno or 0).lower()) from failed
    return connection


async def _conversation(
    connection: socket.socket, origin: Origin, service: Service, hostname: str, patience: Patience
) -> Seen:
    name = origin.tls.server_name if origin.tls else hostname if service is Service.TCP else None
    reader, writer = await _shaken(connection, _tls(origin) if name else None, name, patience)
    try:
        if service is Service.TCP:
            return await _stays_open(reader, writer, replace(patience, step=GRACE_SECONDS))
        return await patience.wait(_exchange(reader, writer, origin, hostname))
    except TimeoutError:
        return Seen(Verdict.SILENT, "accepts the connection and says nothing in time")
    except (ssl.SSLEOFError, ConnectionError):
        return Seen(Verdict.REFUSED, "ends the connection without an answer")
    except ssl.SSLError as refused:
        return Seen(judge_handshake(refused.reason or ""), f"refuses TLS ({_reason(refused)})")
    finally:
        writer.transport.abort()


async def _shaken(
    connection: socket.socket, tls: ssl.SSLContext | None, name: str | None, patience: Patience
) -> Streams:
    opening = asyncio.open_connection(sock=connection, ssl=tls, server_hostname=name, limit=HEAD_BYTES)
    try:
        return await patience.wait(opening)
    except TimeoutError as late:
        raise _Over(Verdict.SILENT, "accepts the connection and says nothing to TLS in time") from late
    except ssl.SSLError as refused:
        verdict = judge_handshake(refused.reason or "")
        words = "answers, but not in TLS" if verdict is Verdict.UNCLEAR else "refuses TLS"
        raise _Over(verdict, f"{words} ({_reason(refused)})") from refused
    except OSError as ended:
        raise _Over(Verdict.TLS_REFUSED, f"ends the connection during TLS for {name}") from ended


def _tls(origin: Origin) -> ssl.SSLContext:
    """As one who wants in would: any certificate, any version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    if origin.protocol is Protocol.HTTP2:
        context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def _stays_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: Patience) -> Seen:
    """Whether a handshake that seems to be done is not refused a moment later."""
    version = writer.get_extra_info("ssl_object").version()
    with contextlib.suppress(TimeoutError):
        if not await patience.wait(reader.read(1)):
            raise ConnectionResetError
    return Seen(Verdict.ANSWERS, f"agrees on {version}")


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: Origin, hostname: str
) -> Seen:
    """One GET /; nothing beyond the head of its answer is read."""
    tls = writer.get_extra_info("ssl_object")
    if tls and tls.version() == "TLSv1.3":
        await asyncio.sleep(SETTLE_SECONDS)
    is_http2 = origin.protocol is Protocol.HTTP2 and (not tls or tls.selected_alpn_protocol() != "http/1.1")
    try:
        if is_http2:
            writer.write(least_http.opening(hostname, "https" if tls else "http"))
            status = await _status_http2(reader, writer)
        else:
            writer.write(least_http.request(hostname))
            status = await _status_http1(reader)
    except asyncio.LimitOverrunError:
        status = None
    except asyncio.IncompleteReadError as ended:
        if not ended.partial:
            raise ConnectionResetError from ended
        status = None
    if status is None:
        return Seen(Verdict.UNCLEAR, f"answers, but not in {'HTTP/2' if is_http2 else 'HTTP/1.1'}")
    return Seen(judge_status(status), f"{status} to GET / for {hostname}", status)


async def _status_http1(reader: asyncio.StreamReader) -> int | None:
    while True:
        status = least_http.status_of_line(await reader.readuntil(b"\n"))
        if status is None or not least_http.is_interim(status):
            return status
        while (await reader.readuntil(b"\n")).strip():
            pass


async def _status_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
    is_first = True
    while True:
        head = least_http.head_of_frame(await reader.readexactly(least_http.FRAME_HEAD))
        if head.length > least_http.MOST_PAYLOAD or (is_first and head.kind != least_http.SETTINGS):
            return None
        is_first = False
        payload = await reader.readexactly(head.length)
        if head.kind == least_http.SETTINGS and not head.flags & least_http.ACK:
            writer.write(least_http.frame(least_http.SETTINGS, least_http.ACK, 0))
        elif head.kind == least_http.HEADERS_FRAME and head.stream == least_http.STREAM:
            status = least_http.status_of_frame(head.flags, payload)
            if status is None or not least_http.is_interim(status):
                return status
        elif (error := least_http.error_of_frame(head, payload)) is not None:
            raise _Over(
                Verdict.UNCLEAR, f"answers with the HTTP/2 error {error}, as gRPC does to what is no call"
            )


def _reason(refused: ssl.SSLError) -> str:
    return (refused.reason or "no reason given").lower().replace("_", " ")
