"""How entries lie in a journal: a header, then a frame for each append. Pure.

::

    header   "holdfast-journal/1 " start(20 digits) LF
    frame    magic(4) first(8) entries(4) bytes(4) CRC-32 of the payload(4) CRC-32 of all these(4) payload
    payload  for each entry its length (2) and its bytes, as in a bundle

Numbers are big-endian. The sum of the head on its own tells a frame that was not written to its end (nobody
was told that it is kept) from one that was damaged later (somebody was).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.tiles import check_entry

HEADER_BYTES: Final = 40
LARGEST_APPEND: Final = 64 * 2**20
"""Bytes of one append: it is in memory whole."""

_HEADER: Final = re.compile(rb"holdfast-journal/1 ([0-9]{20})\n")
_MAGIC: Final = b"\xf5HFJ"
_FIELDS: Final = struct.Struct(">4sQIII")
_SUM: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
HEAD_BYTES: Final = _FIELDS.size + _SUM.size


@dataclass(frozen=True, slots=True)
class Head:
    """What a frame says of itself."""

    first: int
    """The index of its first entry."""
    entries: int
    size: int
    """Bytes of its payload."""
    checksum: int


def encode_header(start: int) -> bytes:
    """The first bytes of a journal whose first entry has the index ``start``."""
    return b"holdfast-journal/1 %020d\n" % start


def parse_header(data: bytes) -> int:
    """The inverse of ``encode_header``; raises MalformedError."""
    found = _HEADER.fullmatch(data)
    if not found:
        raise MalformedError("the journal does not begin as one", "restore it from a copy")
    return int(found[1])


def encode_frame(first: int, entries: Sequence[bytes]) -> bytes:
    """Raises MalformedError for an entry that no bundle can hold, and for more than one append may bring."""
    for entry in entries:
        check_entry(entry)
    payload = b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)
    if len(payload) > LARGEST_APPEND:
        raise MalformedError(
            f"{len(payload)} bytes of entries are too many at once", f"append at most {LARGEST_APPEND} a time"
        )
    fields = _FIELDS.pack(_MAGIC, first, len(entries), len(payload), zlib.crc32(payload))
    return fields + _SUM.pack(zlib.crc32(fields)) + payload


def parse_head(data: bytes) -> Head | None:
    """The head of a frame; None for bytes that are none."""
    fields, checksum = data[: _FIELDS.size], data[_FIELDS.size :]
    magic, first, entries, size, payload = _FIELDS.unpack(fields)
    if magic != _MAGIC or _SUM.unpack(checksum) != (zlib.crc32(fields),):
        return None
    return Head(first, entries, size, payload)


def is_whole(head: Head, payload: bytes) -> bool:
    """Whether a payload is what the head says."""
    return len(payload) == head.size and zlib.crc32(payload) == head.checksum


def entries_of(payload: bytes) -> Iterator[bytes]:
    """The entries of a payload that is whole."""
    at = 0
    while at < len(payload):
        (length,) = _LENGTH.unpack_from(payload, at)
        yield payload[at + 2 : at + 2 + length]
        at += 2 + length
