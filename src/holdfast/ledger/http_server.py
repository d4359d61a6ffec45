"""A small HTTP server for files and small requests: a thread a connection, everything bounded.

Here belong connections, limits and the framing of HTTP/1.1. Not here: what is answered (``serve``,
``witness_service``). Of ``http.server`` the reading of requests is used, and nothing that looks at files.

What bounds it: ``MOST_CONNECTIONS`` at once (further ones wait in the kernel's queue), ``IDLE`` seconds of
silence, ``LONGEST`` seconds for a request and its answer together however slowly bytes trickle, and
``MOST_REQUESTS`` on a connection.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO, Final

from holdfast.ledger.errors import MalformedError, StorageError

MOST_CONNECTIONS: Final = 64
MOST_REQUESTS: Final = 1000
IDLE: Final = 10.0
LONGEST: Final = 60.0
_LONGEST_LINE: Final = 8192
_DRAIN: Final = 3.0
"""Seconds that open requests get when the server ends."""
_LENGTH: Final = re.compile(r"[0-9]{1,9}")
_log: Final = logging.getLogger("holdfast.ledger")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    """As it stands in the request line: path and query, nothing decoded."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    kind: str = "text/plain; charset=utf-8"
    """The Content-Type."""
    body: bytes = b""
    file: BinaryIO | None = None
    """In place of a body; it is closed after it is sent."""
    length: int = 0
    """Bytes of the file."""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]
"""May be called from several threads. What it raises becomes a 500, and a line in the log."""


def refusal(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The status in words."""
    body = f"{status} {HTTPStatus(status).phrase}\n".encode()
    return Response(status, body=body, headers={"Cache-Control": "no-store", **(headers or {})})


class Server:
    """Listens from the moment it is made. Raises StorageError where that address cannot be had."""

    def __init__(
        self,
        address: tuple[str, int],
        answer: Answer,
        *,
        methods: tuple[str, ...] = ("GET", "HEAD"),
        largest_body: int = 0,
        longest: float = LONGEST,
        idle: float = IDLE,
    ) -> None:
        """``address``: host and port, 0 for any that is free. ``largest_body``: bytes of a request's."""
        settings = _Settings(answer, methods, largest_body, longest, idle)
        try:
            self._server = _Threads(address, settings)
        except (OSError, OverflowError) as refused:
            raise StorageError(
                f"cannot listen on {format_address(address)} ({getattr(refused, 'strerror', refused)})",
                "name an address of this machine and a port that is free",
            ) from refused

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Answer, in threads of its own, until ``close``."""
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()

    def close(self) -> None:
        """After ``start``. Open requests get a moment to end."""
        self._server.shutdown()
        self._server.end()

    def run(self) -> None:
        """Answer until the process is told to end (SIGTERM, SIGINT). In the main thread only."""
        ending = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.set())
        self.start()
        ending.wait()
        self.close()


def parse_address(text: str) -> tuple[str, int]:
    """``127.0.0.1:9465``, ``[::1]:9465``. Raises MalformedError."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise MalformedError(f"{text!r} is no address to listen on", "write it like 127.0.0.1:9465")
    return host, int(port)


def format_address(address: tuple[str, int]) -> str:
    """The inverse of ``parse_address``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class _Settings:
    answer: Answer
    methods: tuple[str, ...]
    largest_body: int
    longest: float
    idle: float


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], settings: _Settings) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.settings = settings
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._deadlines: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def service_actions(self) -> None:
        """Called in each turn of the loop: cut off whoever takes too long."""
        now = time.monotonic()
        with self._guard:
            late = [each for each, end in self._deadlines.items() if end < now]
        for each in late:
            _shut(each)

    def set_deadline(self, connection: socket.socket, seconds: float) -> None:
        with self._guard:
            self._deadlines[connection] = time.monotonic() + seconds

    def get_request(self) -> tuple[socket.socket, Any]:
        # Where no slot is free the loop goes on, so that the late are cut off; whoever calls waits.
        if not self._free.acquire(timeout=0.2):
            raise OSError("all slots are taken")
        try:
            connection, address = super().get_request()
        except OSError:
            self._free.release()
            raise
        self.set_deadline(connection, self.settings.longest)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            is_ours = self._deadlines.pop(request, None) is not None
        super().shutdown_request(request)
        if is_ours:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who the client was is nobody's business."""
        _log.exception("a connection ended with an error")

    def end(self) -> None:
        """Nothing more is read, what is being answered is, for a moment; then all are cut off."""
        self.socket.close()
        for connection in self._open():
            _shut(connection, socket.SHUT_RD)
        until = time.monotonic() + _DRAIN
        while self._open() and time.monotonic() < until:
            time.sleep(0.02)
        for connection in self._open():
            _shut(connection)

    def _open(self) -> list[socket.socket]:
        with self._guard:
            return list(self._deadlines)


def _shut(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(how)


class _Lines(io.BufferedReader):
    """Knows whether a line has had a CR that does not end it. ``email`` begins a new field there, and who
    stands in front of us does not."""

    has_bare_cr = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.has_bare_cr |= b"\r" in line.removesuffix(b"\r\n")
        return line


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Threads

    def setup(self) -> None:
        super().setup()
        self.rfile: _Lines = _Lines(self.rfile.detach())
        self.connection.settimeout(self.server.settings.idle)
        self._requests = 0

    def handle_one_request(self) -> None:
        self.server.set_deadline(self.connection, self.server.settings.longest)
        self._requests += 1
        try:
            self.raw_requestline = self.rfile.readline(8193)
            if len(self.raw_requestline) > _LONGEST_LINE:
                self.command = ""
                self.send_error(414)
            elif not self.raw_requestline or not self.parse_request():
                self.close_connection = True  # what cannot be read has been answered
            else:
                self._answer()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def _answer(self) -> None:
        if self._requests >= MOST_REQUESTS:
            self.close_connection = True
        response = self._fault()
        if response:
            self.close_connection = True  # what comes after it on this connection may be its body
        else:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError("the request is cut off")
            # Not self.path: http.server takes several slashes at its beginning for one.
            request = Request(self.command, self.requestline.split()[1], body)
            try:
                response = self.server.settings.answer(request)
            except Exception:
                _log.exception("cannot answer a request")
                response = refusal(500)
        self._send(response)

    def _fault(self) -> Response | None:
        """Whether the request is one that is answered at all; two opinions on where it ends are none."""
        settings, headers = self.server.settings, self.headers
        if self.command not in settings.methods:
            return refusal(405, {"Allow": ", ".join(settings.methods)})
        lengths = headers.get_all("Content-Length", [])
        if headers.get_all("Transfer-Encoding"):
            return refusal(411)
        if (
            self.rfile.has_bare_cr
            or headers.defects
            or len(lengths) > 1
            or not all(_LENGTH.fullmatch(each) for each in lengths)
        ):
            return refusal(400)
        if lengths and int(lengths[0]) > (settings.largest_body if self.command == "POST" else 0):
            return refusal(413)
        return None if lengths or self.command != "POST" else refusal(411)

    def _send(self, response: Response) -> None:
        file = response.file
        try:
            length = response.length if file else len(response.body)
            head = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
            fields = {
                "Content-Type": response.kind,
                "Content-Length": str(length),
                "Date": self.date_time_string(),
                "X-Content-Type-Options": "nosniff",
                **response.headers,
            }
            if self.close_connection:
                fields["Connection"] = "close"
            head += [f"{name}: {value}" for name, value in fields.items()]
            start = "".join(f"{line}\r\n" for line in head).encode("latin-1") + b"\r\n"
            if self.command == "HEAD":
                self.wfile.write(start)
            elif file is None:
                self.wfile.write(start + response.body)
            else:
                self.wfile.write(start)
                if length and self.connection.sendfile(file, 0, length) != length:
                    self.close_connection = True  # a file that became shorter: the client must not wait
        finally:
            if file:
                file.close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself, in our form."""
        self.close_connection = True
        self._send(refusal(code))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: client addresses are not kept."""
