"""The lines of a log's file, or of standard input; unpacked where it is packed. The replay's only I/O.

Not here: what a line means (``sieve``).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from typing import Final

from holdfast.model.errors import HoldfastError, error
from holdfast.replay.access_log import LONGEST_LINE

BLOCK: Final = 1 << 18
STANDARD_INPUT: Final = "-"
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)


class LogFile:
    """A log that is open. ``path``: ``-`` for standard input. Raises HoldfastError where it is unreadable."""

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.damage = ""
        """Why it could not be read to its end; '' where it was."""
        place: str | int = 0 if path == STANDARD_INPUT else path
        try:
            self._raw = open(place, "rb", closefd=path != STANDARD_INPUT)  # noqa: SIM115 - closed by __exit__
            self._size = os.fstat(self._raw.fileno()).st_size
            self._blocks = _unpacked(self._raw)
        except OSError as refused:
            raise _unreadable(self.name, refused) from refused

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def share(self) -> float | None:
        """How much of it has been read; None where nobody knows."""
        return min(self._raw.tell() / self._size, 1.0) if self._size else None

    def lines(self) -> Iterator[str]:
        """Without their ends. One that is far too long is not held whole."""
        rest = b""
        for block in self._read():
            whole, end, tail = block.rpartition(b"\n")
            if not end:
                rest = (rest + block)[: 2 * LONGEST_LINE]
                continue
            yield from (rest + whole).decode("utf-8", "backslashreplace").split("\n")
            rest = tail
        if rest:
            yield rest.decode("utf-8", "backslashreplace")

    def count(self) -> int:
        """How many lines it has. It is read to its end."""
        ends, last = 0, b"\n"
        for block in self._read():
            ends += block.count(b"\n")
            last = block[-1:]
        return ends + (last != b"\n")

    def _read(self) -> Iterator[bytes]:
        try:
            while block := self._blocks.read1(BLOCK):
                yield block
        except _DAMAGED as damage:
            self.damage = str(damage) or type(damage).__name__


def _unpacked(raw: io.BufferedReader) -> io.BufferedIOBase:
    """By how it begins, as names may lie."""
    begin = raw.peek(8)
    if begin.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if begin.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if begin.startswith(b"\xfd7zXZ"):
        return lzma.LZMAFile(raw)
    return raw


def _unreadable(name: str, refused: OSError) -> HoldfastError:
    if isinstance(refused, IsADirectoryError):
        return error("this is a directory", "name a log in it", name)
    if isinstance(refused, PermissionError):
        return error("no permission to read it", "use an account that may (sudo)", name)
    return error(
        f"it cannot be read ({refused.strerror})", "name a log that is there, or - for standard input", name
    )
