"""A small HTTP client that is never held up: every exchange is bounded in time and in bytes.

Here belong one request and its answer, over a connection that is kept. Not here: what is asked for
(``source``, ``witness``). Redirections are not followed: whoever configured an address trusts that one.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from holdfast.ledger.errors import LedgerError, MalformedError

USER_AGENT: Final = "holdfast-ledger"
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
            port = parts.port
        except ValueError:
            raise _no_address(url) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise _no_address(url)
        self._prefix, self._seconds = parts.path, seconds
        maker = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = maker(parts.hostname, port, timeout=seconds)
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
        late = threading.Event()
        alarm = threading.Timer(self._seconds, self._cut_off, (late,))
        alarm.daemon = True
        alarm.start()
        reason = ""
        try:
            answer = self._exchange(method, f"{self._prefix}/{path}", body, headers, limit)
            if not late.is_set():
                return answer
        except (OSError, http.client.HTTPException, zlib.error) as refused:
            reason = str(refused) or type(refused).__name__
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
        return Answer(response.status, response.getheader("Content-Type", ""), data)

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
        if self._connection.sock is None:
            self._connection.connect()
            self._socket = self._connection.sock
        self._connection.request(method, target, body, dict(headers))
        return self._connection.getresponse()

    def _cut_off(self, late: threading.Event) -> None:
        late.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _no_address(url: str) -> MalformedError:
    return MalformedError(f"{url[:200]!r} is no web address", "write it like https://log.example.org")
