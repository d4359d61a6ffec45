"""As much of HTTP/2 (RFC 9113) as a client needs: frames out of and into octets, header blocks without a
table, so that a request is a few joined pieces."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hpack import Decoder

from bench.floods.agents import Headers
from bench.floods.answers import Answer

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
LEFT_OUT = ("host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
"""What HTTP/2 says in other ways."""
LARGE = (1 << 31) - 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening() -> bytes:
    """What a client sends first: no push, and room for every answer."""
    settings = struct.pack(">HIHI", 2, 0, 4, LARGE)
    room = struct.pack(">I", LARGE - 65_535)
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings) + frame(WINDOW, 0, 0, room)


def block(method: str, host: str, path: str, headers: Headers) -> bytes:
    """A header block (RFC 7541) of literals that are not indexed."""
    start = b"\x82" if method == "GET" else _literal(b"\x02", method)
    named = (
        b"\x00" + _string(name.lower()) + _string(value)
        for name, value in headers
        if name.lower() not in LEFT_OUT
    )
    return start + b"\x87" + _literal(b"\x01", host) + _literal(b"\x04", path) + b"".join(named)


def request(stream: int, head: bytes, body: bytes = b"") -> bytes:
    """The frames of a request whose header block is ``head``."""
    if not body:
        return frame(HEADERS, END_HEADERS | END_STREAM, stream, head)
    return frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, body)


def _literal(name: bytes, value: str) -> bytes:
    return name + _string(value)


def _string(text: str) -> bytes:
    octets = text.encode("latin-1")
    if len(octets) < 127:
        return bytes([len(octets)]) + octets
    rest, prefix = len(octets) - 127, b"\x7f"
    while rest >= 128:
        prefix, rest = prefix + bytes([rest % 128 + 128]), rest // 128
    return prefix + bytes([rest]) + octets


class Receiver:
    """Octets from a server → the answers that they complete."""

    def __init__(self) -> None:
        self.reply = b""
        """To be sent: acknowledgements. Whoever sends it empties it."""
        self.is_leaving = False
        """The server takes no more requests here."""
        self._data = b""
        self._decoder = Decoder()
        self._heads: dict[int, tuple[int, dict[str, str], tuple[str, ...]]] = {}
        self._bodies: dict[int, bytes] = {}
        self._block = b""

    def take(self, data: bytes) -> Iterator[tuple[int, Answer | None]]:
        """Stream and answer; None: the stream was reset."""
        self._data += data
        at = 0
        while len(self._data) - at >= 9:
            size = int.from_bytes(self._data[at : at + 3], "big")
            if len(self._data) - at < 9 + size:
                break
            kind, flags = self._data[at + 3], self._data[at + 4]
            stream = int.from_bytes(self._data[at + 5 : at + 9], "big") & LARGE
            payload = self._data[at + 9 : at + 9 + size]
            at += 9 + size
            yield from self._frame(kind, flags, stream, payload)
        self._data = self._data[at:]

    def _frame(
        self, kind: int, flags: int, stream: int, payload: bytes
    ) -> Iterator[tuple[int, Answer | None]]:
        if kind in (HEADERS, CONTINUATION):
            self._block += payload  # servers pad nothing and give no priorities, as far as we are concerned
            if flags & END_HEADERS:
                self._head(stream)
        elif kind == DATA:
            self._bodies[stream] = self._bodies.get(stream, b"") + payload
        elif kind == RESET:
            self._heads.pop(stream, None)
            self._bodies.pop(stream, None)
            yield stream, None
        elif kind == SETTINGS and not flags & ACK:
            self.reply += frame(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.reply += frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.is_leaving = True
        if kind in (HEADERS, DATA) and flags & END_STREAM and stream in self._heads:
            status, headers, cookies = self._heads.pop(stream)
            yield stream, Answer(status, headers, cookies, self._bodies.pop(stream, b""))

    def _head(self, stream: int) -> None:
        fields = [(str(name), str(value)) for name, value in self._decoder.decode(self._block)]
        self._block = b""
        found = dict(fields)
        if (status := int(found.get(":status", "0"))) >= 200:
            cookies = tuple(value for name, value in fields if name == "set-cookie")
            self._heads[stream] = (status, found, cookies)
