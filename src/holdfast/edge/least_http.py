"""The least of HTTP that asks one question and reads its status: bytes in, bytes out, nothing remembered.

The whole protocols are HAProxy's; only ``origin_probe`` asks by itself, and never reads a body.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HEADERS: Final = (("user-agent", "Mozilla/5.0 (compatible; holdfast-check)"), ("accept", "*/*"))
"""What any browser sends; an origin that misses them might turn away what it would answer to a browser."""
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")


def request(host: str) -> bytes:
    """GET / in HTTP/1.1."""
    lines = (("Host", host), *HEADERS, ("Connection", "close"))
    return ("GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n").encode()


def is_interim(status: int) -> bool:
    """Whether another status follows (RFC 9110, section 15.2); 101 is an answer of its own."""
    return 100 <= status < 200 and status != 101


def status_of_line(line: bytes) -> int | None:
    """The status of an HTTP/1 status line; None where it is none."""
    found = _STATUS_LINE.fullmatch(line)
    return int(found[1]) if found else None


# HTTP/2 (RFC 9113) with the least of HPACK (RFC 7541): we tell the other side to keep no table, so that a
# status is either in the static table or spelled out.

FRAME_HEAD: Final = 9
MOST_PAYLOAD: Final = 16_384
HEADERS_FRAME, RESET, SETTINGS, GOAWAY = 0x1, 0x3, 0x4, 0x7
ACK, END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
STREAM: Final = 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_NO_TABLE_NO_PUSH = bytes.fromhex("000100000000 000200000000")
_STATIC_STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
_DIGITS = {
    **{"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4"},
    **{"011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9"},
}
"""The digits in HPACK's Huffman code (RFC 7541, appendix B)."""


class Head(NamedTuple):
    """The head of a frame."""

    length: int
    kind: int
    flags: int
    stream: int


def head_of_frame(data: bytes) -> Head:
    """The nine bytes before each frame's payload."""
    return Head(
        int.from_bytes(data[:3], "big"), data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
    )


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def opening(host: str, scheme: str) -> bytes:
    """The preface of an HTTP/2 connection, and GET / on its first stream."""
    block = b"\x82\x84" + (b"\x87" if scheme == "https" else b"\x86") + b"\x01" + _text(host)
    block += b"".join(b"\x00" + _text(name) + _text(value) for name, value in HEADERS)
    question = frame(HEADERS_FRAME, END_STREAM | END_HEADERS, STREAM, block)
    return _PREFACE + frame(SETTINGS, 0, 0, _NO_TABLE_NO_PUSH) + question


def error_of_frame(head: Head, payload: bytes) -> int | None:
    """The error code with which a frame ends our stream, by a reset or by a GOAWAY; None where it goes on."""
    if head.kind == RESET and head.stream == STREAM:
        return int.from_bytes(payload[:4], "big")
    served, error = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
    return error if head.kind == GOAWAY and (error or served < STREAM) else None


def status_of_frame(flags: int, payload: bytes) -> int | None:
    """The status in a HEADERS frame's payload, where it stands first; None where it cannot be read."""
    if flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]] if payload else b""
    if flags & PRIORITY:
        payload = payload[5:]
    try:
        return _first_status(payload)
    except (IndexError, ValueError):
        return None


def _first_status(block: bytes) -> int | None:
    at = 0
    while block[at] & 0xE0 == 0x20:  # "my table has this size now"
        _, at = _number(block, at, 5)
    if block[at] & 0x80:
        return _STATIC_STATUSES.get(block[at] & 0x7F)
    name, at = _number(block, at, 6 if block[at] & 0x40 else 4)
    if name not in _STATIC_STATUSES:
        return None
    is_huffman = block[at] & 0x80
    length, at = _number(block, at, 7)
    value = block[at : at + length]
    text = _huffman_digits(value) if is_huffman else value.decode("ascii")
    return int(text) if re.fullmatch("[1-9][0-9]{2}", text) else None


def _huffman_digits(value: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in value)
    digits, code = "", ""
    for bit in bits:
        code += bit
        if code in _DIGITS:
            digits, code = digits + _DIGITS[code], ""
    return digits if set(code) <= {"1"} and len(code) < 8 else ""


def _text(text: str) -> bytes:
    data = text.encode("ascii")
    if len(data) < 127:
        return bytes((len(data),)) + data
    rest, more = len(data) - 127, b"\x7f"
    while rest >= 128:
        more, rest = more + bytes((rest & 0x7F | 0x80,)), rest >> 7
    return more + bytes((rest,)) + data


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """A number with a prefix of ``bits`` (RFC 7541, section 5.1), and where it ends."""
    most = 2**bits - 1
    number = block[at] & most
    at += 1
    if number < most:
        return number, at
    for shift in range(0, 28, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if not byte & 0x80:
            return number, at
    raise ValueError("a number without an end")
