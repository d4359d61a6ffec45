"""A server that says exactly what it is given to say, at the pace that it is told, and a client for it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def saying(*answers: bytes, pause: float = 0, step: int = 1 << 20) -> Iterator[str]:
    """Each connection gets the next answer (the last one again and again) when it has sent a whole request,
    ``step`` bytes at a time with ``pause`` seconds between, and is closed. Yields the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    ending = threading.Event()

    def answer(connection: socket.socket, data: bytes) -> None:
        with connection, contextlib.suppress(OSError):
            _read_request(connection)
            for at in range(0, len(data), step):
                connection.sendall(data[at : at + step])
                if ending.wait(pause):
                    return

    def accept() -> None:
        count = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                data = answers[min(count, len(answers) - 1)]
                count += 1
                threading.Thread(target=answer, args=(connection, data), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65536)


def response(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """One as it goes over the wire."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def talk(address: tuple[str, int], data: bytes, seconds: float = 10) -> bytes:
    """Send, and read to the end of the connection."""
    with socket.create_connection(address, seconds) as connection:
        connection.sendall(data)
        return read_all(connection, seconds)


def read_all(connection: socket.socket, seconds: float = 10) -> bytes:
    """To the end of the connection, or as long as that."""
    found, end = b"", time.monotonic() + seconds
    while True:
        connection.settimeout(max(0.01, end - time.monotonic()))
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not more:
            return found
        found += more


def statuses(data: bytes) -> Sequence[int]:
    """Of the responses in it."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]
