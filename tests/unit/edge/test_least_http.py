"""Statuses are read as another implementation of HPACK writes them, and nothing that comes makes it fail."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.least_http import (
    END_HEADERS,
    GOAWAY,
    PADDED,
    PRIORITY,
    RESET,
    Head,
    error_of_frame,
    head_of_frame,
    is_interim,
    opening,
    request,
    status_of_frame,
    status_of_line,
)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.0 403 Forbidden\r\n", 403),
        (b"HTTP/1.1 404\r\n", 404),
        (b"HTTP/1.1 444 \n", 444),
        (b"HTTP/1.1 200 caf\xe9\r\n", 200),
        (b"HTTP/1.1 099 No\r\n", None),
        (b"HTTP/2 200\r\n", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"\r\n", None),
        (b"", None),
    ],
)
def test_status_lines(line: bytes, status: int | None) -> None:
    assert status_of_line(line) == status


def test_interim_statuses() -> None:
    assert [status for status in (100, 101, 102, 103, 199, 200) if is_interim(status)] == [100, 102, 103, 199]


def test_a_request_bears_no_header_of_ours() -> None:
    head, _, body = request("a.test").partition(b"\r\n\r\n")
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert (names, body) == ([b"host", b"user-agent", b"accept", b"connection"], b"")


@pytest.mark.parametrize("host", ["a.test", "b" * 60 + ".test", ".".join(["c" * 60] * 4) + ".test"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_opening_is_read_by_another_implementation(host: str, scheme: str) -> None:
    data = opening(host, scheme)[24:]
    settings = head_of_frame(data)
    question = data[9 + settings.length :]
    head = head_of_frame(question)
    assert (head.stream, len(question)) == (1, 9 + head.length)
    fields = [(str(name), str(value)) for name, value in Decoder().decode(question[9:])]
    expected = [(":method", "GET"), (":path", "/"), (":scheme", scheme), (":authority", host)]
    assert fields[:4] == expected


@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("size", [0, 4096])
def test_every_status_is_read(huffman: bool, size: int) -> None:
    for status in range(100, 600):
        encoder = Encoder()
        encoder.header_table_size = size
        block = encoder.encode([(":status", str(status)), ("server", "x")], huffman=huffman)
        assert status_of_frame(END_HEADERS, block) == status
        assert status_of_frame(END_HEADERS | PRIORITY, bytes(5) + block) == status
        assert status_of_frame(END_HEADERS | PADDED, b"\x03" + block + bytes(3)) == status
        assert status_of_frame(PADDED | PRIORITY, b"\x03" + bytes(5) + block + bytes(3)) == status


@given(st.integers(0, 255), st.binary(max_size=40))
def test_nothing_makes_it_fail(flags: int, payload: bytes) -> None:
    status = status_of_frame(flags, payload)
    assert status is None or 100 <= status <= 999


@pytest.mark.parametrize(
    ("kind", "stream", "payload", "expected"),
    [
        (RESET, 1, (2).to_bytes(4, "big"), 2),
        (RESET, 3, bytes(4), None),
        (GOAWAY, 0, bytes(8), 0),
        (GOAWAY, 0, (1).to_bytes(4, "big") + bytes(4), None),
        (GOAWAY, 0, (2**31 - 1).to_bytes(4, "big") + bytes(4), None),
        (GOAWAY, 0, (1).to_bytes(4, "big") + (2).to_bytes(4, "big"), 2),
        (6, 0, bytes(8), None),
    ],
)
def test_frames_that_end_the_stream(kind: int, stream: int, payload: bytes, expected: int | None) -> None:
    assert error_of_frame(Head(len(payload), kind, 0, stream), payload) == expected
