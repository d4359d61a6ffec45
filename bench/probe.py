"""Clients that look whether a change is in force: a kept-alive HTTP connection, a TLS handshake, a source.

Blocking sockets and no HTTP library, so that what they add to the measured time stays small; it is
measured as well (see ``measure``).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence

SECONDS = 10.0
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE  # which certificate it is is compared, byte for byte


class Http:
    """One kept-alive connection; asks for any hostname."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._port = port
        self._source = source
        self._socket: socket.socket | None = None

    def status(self, host: str, path: str = "/", lines: Sequence[str] = ()) -> int:
        """The status of one GET; ``lines`` are further lines of its head. Raises ConnectionError when the
        connection is refused or cut."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), SECONDS, (self._source, 0))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        told = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""])
        self._socket.sendall(told.encode())
        head, body = self._head(self._socket)
        fields = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:])
        while len(body) < int(fields.get(b"content-length", 0)):
            body += self._some(self._socket)
        if fields.get(b"connection") == b"close":
            self.close()
        return int(head.split(b" ", 2)[1])

    def _head(self, connection: socket.socket) -> tuple[bytes, bytes]:
        """The head of an answer, and what has come of its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def _some(self, connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        if not data:
            self.close()
            raise ConnectionError("the connection was closed")
        return data

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def is_refused(port: int, host: str, source: str) -> bool:
    """Whether a new connection from ``source`` is refused."""
    client = Http(port, source)
    with contextlib.closing(client):
        try:
            client.status(host)
        except ConnectionError:
            return True
    return False


def served_certificate(port: int, host: str) -> bytes:
    """The certificate (DER) of a new TLS connection; b'' when there is none for ``host``."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        try:
            with UNVERIFIED.wrap_socket(connection, server_hostname=host) as secure:
                return secure.getpeercert(binary_form=True) or b""
        except (ssl.SSLError, ConnectionError):
            return b""
