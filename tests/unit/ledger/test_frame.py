from __future__ import annotations

import pytest

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.frame import (
    HEAD_BYTES,
    HEADER_BYTES,
    LARGEST_APPEND,
    Head,
    encode_frame,
    encode_header,
    entries_of,
    is_whole,
    parse_head,
    parse_header,
)


@pytest.mark.parametrize("start", [0, 1, 255, 10**15])
def test_a_header_is_read_as_it_was_written(start: int) -> None:
    header = encode_header(start)
    assert len(header) == HEADER_BYTES
    assert parse_header(header) == start


@pytest.mark.parametrize("data", [b"", encode_header(7)[:-1], encode_header(7) + b"x", bytes(HEADER_BYTES)])
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(MalformedError, match="does not begin as one"):
        parse_header(data)


@pytest.mark.parametrize("entries", [[b"a"], [b""], [b"a", b"", b"\0" * 65_535]])
def test_a_frame_is_read_as_it_was_written(entries: list[bytes]) -> None:
    frame = encode_frame(41, entries)
    head, payload = parse_head(frame[:HEAD_BYTES]), frame[HEAD_BYTES:]
    assert head == Head(41, len(entries), len(payload), head.checksum if head else 0)
    assert is_whole(head, payload)
    assert list(entries_of(payload)) == entries


def test_any_flipped_bit_shows() -> None:
    frame = encode_frame(3, [b"an entry", b"another"])
    for bit in range(8 * len(frame)):
        data = bytearray(frame)
        data[bit // 8] ^= 1 << bit % 8
        head = parse_head(bytes(data[:HEAD_BYTES]))
        assert head is None or not is_whole(head, bytes(data[HEAD_BYTES:]))


def test_what_is_too_much_is_refused() -> None:
    with pytest.raises(MalformedError, match="an entry of 65536 bytes is too large"):
        encode_frame(0, [bytes(65_536)])
    with pytest.raises(MalformedError, match=f"append at most {LARGEST_APPEND} a time"):
        encode_frame(0, [bytes(65_535)] * 1025)
