"""Load on one port for a moment: wrk on kept-alive connections, or new connections from a refused source."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.bystanders import Visits, end, visits

CONNECTIONS = 64
SPARE_SECONDS = 5
"""That wrk may run longer than it should before it ends by itself."""
WAIT = struct.pack("ll", SPARE_SECONDS, 0)
RESET = struct.pack("ii", 1, 0)


def wrk(port: int, host: str, seconds: float, lines: Sequence[str] = ()) -> Visits:
    """One thread, ``CONNECTIONS`` connections, for about so long; for longer where a machine is so busy that
    wrk did not come to its first answer. ``lines`` are further lines of each request's head. Raises
    RuntimeError when there is no answer at all."""
    for longer in (1, 4, 16):
        words = _wrk(port, [f"Host: {host}", *lines], longer * seconds)
        if words and (seen := visits(words)).requests:
            return seen
    raise RuntimeError(f"no answer at port {port} for {host}; wrk said: {words}")


def _wrk(port: int, lines: Sequence[str], seconds: float) -> str:
    """wrk itself counts in whole seconds, so that it is interrupted, which it notices within a tenth of one.
    It says nothing if that happens before it has begun."""
    process = subprocess.Popen(
        [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{int(seconds) + SPARE_SECONDS}s",
            *(part for line in lines for part in ("-H", line)),
            f"http://127.0.0.1:{port}/",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        words, _ = process.communicate(timeout=2 * SPARE_SECONDS)
        return words
    finally:
        end(process)


@dataclass(frozen=True, slots=True)
class Attempts:
    """New connections that were tried."""

    made: int
    seconds: float
    let_in: int
    """Not refused as expected."""


def attempts(port: int, host: str, source: str, expected: bytes, seconds: float) -> Attempts:
    """Connect from ``source``, send a request, read the answer, for so long. Refused means: the answer begins
    with ``expected``, or there is none if that is empty.

    ``CONNECTIONS`` are opened, then read, so that whoever is asked never waits for us in between. Plain
    blocking calls that the kernel ends after ``SPARE_SECONDS``: nothing is cheaper from Python."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    made = let_in = 0
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        opened = [_open(port, source, request) for _ in range(CONNECTIONS)]
        for connection in opened:
            let_in += not is_refusal(_answer(connection), expected)
        made += CONNECTIONS
    return Attempts(made, now - began, let_in)


def is_refusal(answer: bytes, expected: bytes) -> bool:
    return answer.startswith(expected) if expected else answer == b""


def _open(port: int, source: str, request: bytes) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, WAIT)
    # Leaves nothing behind that would hold the port for a minute.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.bind((source, 0))
    # It may be cut before we are back from connecting. That nobody listens would be another error.
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
    return connection


def _answer(connection: socket.socket) -> bytes:
    """The first of it; b'' when the connection is closed or cut."""
    with connection:
        try:
            return connection.recv(4096)
        except OSError as wrong:
            if wrong.errno not in (errno.ECONNRESET, errno.ENOTCONN):
                raise
            return b""
