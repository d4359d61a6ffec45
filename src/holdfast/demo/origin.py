"""The demonstration origin: ``python -m holdfast.demo.origin --port 8081``.

Here belong the answers of the imaginary newspaper, as a pure function, and the small server around it. Not
here: its HTML (``pages``). It is for demonstrations and tests: it believes the X-Forwarded-For of all.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from holdfast.demo import pages

TICK: Final = 1.0
"""Seconds between two events of ``/clock``."""
IDLE: Final = 60.0
"""Seconds after which a silent kept-alive connection is closed."""
_HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """What one request is answered: ``headers`` say how long ``body`` is, unless ``ticking``."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    """Empty for HEAD."""
    ticking: bool = False
    """Whether clock events follow until the client leaves."""


def respond(method: str, path: str, headers: Mapping[str, str]) -> Response:
    """The answer to one request. ``path``: the request target; header names are in lower case."""
    if method not in ("GET", "HEAD"):
        # The request may have a body that nobody reads: the connection cannot be used again.
        refusal = (("Allow", "GET, HEAD"), ("Connection", "close"))
        return _answer(method, 405, "text/plain; charset=utf-8", "Use GET or HEAD.\n", *refusal)
    client = client_address(headers)
    match path.partition("?")[0].split("/")[1:]:
        case [""]:
            return _answer(method, 200, _HTML, pages.home(client))
        case ["articles", slug] if slug in pages.ARTICLES:
            return _answer(method, 200, _HTML, pages.article(pages.ARTICLES[slug], client))
        case ["clock"]:
            stream = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
            return Response(200, (*stream, ("Connection", "close")), b"", ticking=method == "GET")
        case ["style.css"]:
            cached = ("Cache-Control", "max-age=300")
            return _answer(method, 200, "text/css; charset=utf-8", pages.STYLE, cached)
        case ["healthz"]:
            return _answer(method, 200, "text/plain; charset=utf-8", "ok\n")
        case _:
            return _answer(method, 404, _HTML, pages.not_found(client))


def client_address(headers: Mapping[str, str]) -> str | None:
    """The address that the nearest proxy saw: the last of X-Forwarded-For; a client can write the others."""
    return headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or None


def clock_event(now: datetime) -> bytes:
    """One server-sent event: the time (aware), in whole seconds of UTC."""
    return f"event: tick\ndata: {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\n\n".encode()


def _answer(method: str, status: int, kind: str, text: str, *extra: tuple[str, str]) -> Response:
    body = text.encode()
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))), *extra)
    return Response(status, headers, b"" if method == "HEAD" else body)


class Origin(ThreadingHTTPServer):
    """The server; ``leaving`` is set when it shuts down, and ends every clock."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.leaving = threading.Event()
        super().__init__(address, _Handler)

    def leave(self) -> None:
        """Stop serving. Callable from any thread but the one that serves."""
        self.leaving.set()
        self.shutdown()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave in mid-answer; print everything else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: Origin
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    # Head and body leave in one segment; without it, Nagle's algorithm holds the body for a delayed ACK.
    wbufsize = 64 * 1024

    def _handle(self) -> None:
        received: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            received[name] = f"{received[name]}, {value}" if name in received else value
        response = respond(self.command, self.path, received)
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)
        if response.ticking:
            self._tick()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _tick(self) -> None:
        try:
            while not self.server.leaving.is_set():
                self.wfile.write(clock_event(datetime.now(UTC)))
                self.wfile.flush()
                self.server.leaving.wait(TICK)
        except OSError:
            pass  # the reader left

    def version_string(self) -> str:
        """The Server header."""
        return "HarbourGazette"

    def log_message(self, format: str, *args: object) -> None:
        """No access log: a newspaper need not know who reads it."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.demo.origin", description="A site to protect.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS")
    options = parser.parse_args(arguments)
    with Origin((options.bind, options.port)) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown() waits for the serving thread, in which the signal handler itself runs.
            signal.signal(number, lambda *_: threading.Thread(target=server.leave, daemon=True).start())
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
