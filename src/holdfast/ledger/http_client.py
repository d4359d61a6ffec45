"""A small HTTP client that is never held up: every exchange is bounded in time and in bytes.

Here belong one request and its answer, over a connection that is kept. Not here: what is asked for
(``source``, ``witness``). Redirections are not followed: whoever configured an address trusts that one.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from holdfast.ledger.errors import LedgerError, MalformedError

USER_AGENT: Final = "holdfast-ledger"
_LONGEST_REASON: Final = 200
_GZIP: Final = 31
"""zlib's window size for data with gzip's own header (RFC 1952)."""


class UnreachableError(LedgerError):
    """Nobody answers, or not in a way that can be used. It says nothing about what is asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    """The Content-Type, as it was sent; '' when it was not."""
    body: bytes


class HttpClient:
    """Requests below one address, one at a time. Not for several threads."""

    def __init__(self, url: str, seconds: float) -> None:
        """``seconds``: how long a whole exchange may take. Raises MalformedError for what is no address."""
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise _no_address(url)
            parts.hostname.encode("idna")  # as it will be looked up
            maker = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self._connection = maker(parts.hostname, parts.port, timeout=seconds)
        except (ValueError, http.client.InvalidURL):
            raise _no_address(url) from None
        self._connection.response_class = _Response
        self._prefix, self._seconds = parts.path, seconds
        self._end, self._late = 0.0, threading.Event()
        self._socket: socket.socket | None = None

    def get(self, path: str, limit: int) -> Answer:
        """``path``: below the address. Raises UnreachableError where there is no whole answer of at
        most ``limit`` bytes."""
        return self._in_time("GET", path, None, {"Accept-Encoding": "gzip, identity"}, limit)

    def post(self, path: str, body: bytes, limit: int) -> Answer:
        """As ``get``."""
        return self._in_time("POST", path, body, {"Content-Type": "text/plain; charset=utf-8"}, limit)

    def close(self) -> None:
        self._connection.close()
        self._socket = None

    def _in_time(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], limit: int
    ) -> Answer:
        # A socket's own timeout begins anew with every byte that comes. This one does not.
        late = self._late = threading.Event()
        self._end = time.monotonic() + self._seconds
        alarm = threading.Timer(self._seconds, self._cut_off, (late,))
        alarm.daemon = True
        alarm.start()
        reason = ""
        try:
            answer = self._exchange(method, f"{self._prefix}/{path}", body, headers, limit)
            if not late.is_set():
                return answer
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as refused:
            # Its words may be the server's: without what a terminal would take for commands.
            reason = repr(str(refused) or type(refused).__name__)[1:-1][:_LONGEST_REASON]
        finally:
            alarm.cancel()
        self.close()
        if late.is_set() or reason == "timed out":
            reason = f"no whole answer within {self._seconds:g} s"
        raise UnreachableError(
            f"{self.url}/{path} cannot be read ({reason})",
            "check the address, and try again later",
        )

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], limit: int
    ) -> Answer:
        response = self._send(method, target, body, {"User-Agent": USER_AGENT, **headers})
        try:
            data = self._body(response, limit)
        except (http.client.HTTPException, zlib.error):
            if response.status == 200:
                raise
            self.close()  # a page of words beside an error: the status says it
            data = b""
        return Answer(response.status, response.getheader("Content-Type", ""), data)

    def _body(self, response: http.client.HTTPResponse, limit: int) -> bytes:
        data = response.read(limit + 1)
        if len(data) > limit:
            raise http.client.HTTPException(f"it is larger than {limit} bytes")
        if response.length:
            raise http.client.HTTPException("it is cut off")
        if response.getheader("Content-Encoding", "").lower() == "gzip":
            unpacked = zlib.decompressobj(_GZIP)
            data = unpacked.decompress(data, limit)
            if unpacked.unconsumed_tail or not unpacked.eof:
                raise http.client.HTTPException(f"it is cut off, or larger than {limit} bytes")
        return data

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection = self._connection
        was_kept = connection.sock is not None
        try:
            return self._send_once(method, target, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            if not was_kept:
                raise
            connection.close()  # a kept connection that was closed meanwhile: a new one is asked, once
            return self._send_once(method, target, body, headers)

    def _send_once(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        kept = self._connection.sock
        if kept is None:
            self._connection.timeout = max(0.001, self._end - time.monotonic())
            self._connection.connect()
            self._connection.sock.settimeout(self._seconds)
            self._socket = self._connection.sock
            if self._late.is_set():  # the alarm has rung while there was nothing to cut off
                raise TimeoutError("timed out")
        self._connection.request(method, target, body, dict(headers))
        return self._connection.getresponse()

    def _cut_off(self, late: threading.Event) -> None:
        late.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class _Reader(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise http.client.HTTPException("a chunk has a size below 0")
        return super().read(size)


class _Response(http.client.HTTPResponse):
    """That of http.client takes a chunk of size -1 for all that will ever come, and keeps it in memory."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.fp = _Reader(self.fp.detach())


def _no_address(url: str) -> MalformedError:
    return MalformedError(f"{url[:200]!r} is no web address", "write it like https://log.example.org")
