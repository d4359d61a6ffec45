"""The journal of a log's directory: a file of entries that are durable, each with its index.

Several processes append to it in turn. Each remembers what it has seen, and looks at the rest only. Here
belongs what is in the file; not here: who may touch it when (``posix``, which holds the locks).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from holdfast.ledger.errors import InconsistentError, MalformedError
from holdfast.ledger.files import Files, fill, sync_folder
from holdfast.ledger.frame import (
    HEAD_BYTES,
    HEADER_BYTES,
    Head,
    encode_frame,
    encode_header,
    entries_of,
    is_whole,
    parse_head,
    parse_header,
)
from holdfast.ledger.storage import Span

LARGE: Final = 2**20
"""Bytes after which a journal is begun anew: whoever opens a log reads it once."""
_PIECE: Final = 2**20


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the frame begins whose first entry has this index."""

    index: int
    offset: int


class Journal:
    """One journal, as one process knows it. All methods but ``entries`` are called with the append lock held;
    they raise OSError, MalformedError where bytes are damaged, InconsistentError where some are gone."""

    def __init__(self, path: Path, files: Files) -> None:
        self._path = path
        self._files = files
        self._descriptor = -1
        self._start = 0
        self._read = _Mark(0, 0)
        """A frame at or before the next that will be integrated."""
        self._end = _Mark(0, 0)
        self._synced = 0
        """All before this offset was made durable, or may be taken for durable: this process saw to it."""
        self._is_named = False
        """Whether the file's name is durable too: whoever began it anew may have been killed before that."""

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def append(self, entries: Sequence[bytes]) -> int:
        """The index of the first. All are durable on return; after an OSError none of them is there."""
        size = self._look()
        first = self._end.index
        frame = encode_frame(first, entries)
        try:
            if size > self._end.offset:
                self._files.truncate(self._descriptor, self._end.offset)
            self._write_behind(frame)
        except OSError:
            with suppress(OSError):
                self._files.truncate(self._descriptor, self._end.offset)
            raise
        self._end = _Mark(first + len(entries), self._end.offset + len(frame))
        self._synced = self._end.offset
        return first

    def span(self) -> Span:
        """Of the entries that are there; some may not be durable yet."""
        self._look()
        return Span(self._start, self._end.index)

    def settle(self) -> Span:
        """``span``, all of it durable."""
        self._look()
        if self._synced < self._end.offset:
            self._write_behind(b"")
            self._synced = self._end.offset
        return Span(self._start, self._end.index)

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Those of a span that is settled. No lock is needed while nobody may call ``forget``."""
        mark = self._seek(start)
        while mark.index < end:
            head, payload = self._frame(mark)
            for index, entry in enumerate(entries_of(payload), mark.index):
                if start <= index < end:
                    yield entry
            mark = _Mark(mark.index + head.entries, mark.offset + HEAD_BYTES + head.size)

    def forget(self, before: int) -> None:
        """Begin anew with entry ``before``, where what lies before it is large."""
        self._look()
        self._read = self._seek(before)
        if self._read.index != before or self._read.offset < LARGE:
            return
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            self._copy(beside)
            self._files.rename(beside, self._path)
        except OSError:
            with suppress(OSError):
                self._files.unlink(beside)
            raise
        sync_folder(self._files, self._path.parent)

    def _write_behind(self, frame: bytes) -> None:
        """Write a frame, and make it durable with all before it.

        What others have written since is written once more: should their sync have failed before they could
        take it back, the system takes those pages for clean, and no sync of ours would bring them to the
        disk."""
        at, end = self._synced, self._end.offset
        theirs = self._piece(at, end)
        while at + len(theirs) < end:
            self._files.write(self._descriptor, theirs, at)
            at += len(theirs)
            theirs = self._piece(at, end)
        self._files.write(self._descriptor, theirs + frame, at)
        self._files.sync(self._descriptor)
        if not self._is_named:
            sync_folder(self._files, self._path.parent)
            self._is_named = True

    def _piece(self, at: int, end: int) -> bytes:
        """Bytes from ``at`` on: one read gives what it likes, and never more than 2 GiB."""
        piece = os.pread(self._descriptor, min(_PIECE, end - at), at)
        if at < end and not piece:
            raise InconsistentError(f"{self._path} has become shorter", "restore it from a copy")
        return piece

    def _look(self) -> int:
        """See what others have done; returns the size of the file, which may have an unfinished frame at its
        end: of an append that was interrupted, and that nobody was told of."""
        if not self._is_current():
            self._open()
        size = os.fstat(self._descriptor).st_size
        if size < self._end.offset:
            raise InconsistentError(
                f"{self._path} is shorter than it was: entries are lost", "restore it from a copy"
            )
        while (end := self._next(self._end, size)) is not None:
            self._end = end
        return size

    def _is_current(self) -> bool:
        """Whether the file that is open is the one of that name still: others begin it anew."""
        if self._descriptor < 0:
            return False
        mine, there = os.fstat(self._descriptor), os.stat(self._path)
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def _open(self) -> None:
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._start = parse_header(os.pread(self._descriptor, HEADER_BYTES, 0))
        self._read = self._end = _Mark(self._start, HEADER_BYTES)
        self._synced = HEADER_BYTES
        self._is_named = False

    def _next(self, mark: _Mark, size: int) -> _Mark | None:
        """The end of the frame at ``mark``; None where there is no whole one."""
        rest = size - mark.offset
        if rest < HEAD_BYTES:
            return None
        head = self._head(mark)
        if head is None:
            if any(os.pread(self._descriptor, rest, mark.offset)):
                raise self._damaged(mark)
            return None  # the file had grown, and the machine stopped before the bytes were written
        if rest < HEAD_BYTES + head.size:
            return None
        self._frame(mark)
        return _Mark(mark.index + head.entries, mark.offset + HEAD_BYTES + head.size)

    def _seek(self, index: int) -> _Mark:
        """The frame that has entry ``index``, or the end."""
        mark = self._read if self._read.index <= index else _Mark(self._start, HEADER_BYTES)
        while mark.index < min(index, self._end.index):
            head = self._head(mark)
            if head is None:
                raise self._damaged(mark)
            if mark.index + head.entries > index:
                break
            mark = _Mark(mark.index + head.entries, mark.offset + HEAD_BYTES + head.size)
        return mark

    def _head(self, mark: _Mark) -> Head | None:
        head = parse_head(os.pread(self._descriptor, HEAD_BYTES, mark.offset))
        return head if head and head.first == mark.index else None

    def _frame(self, mark: _Mark) -> tuple[Head, bytes]:
        head = self._head(mark)
        payload = os.pread(self._descriptor, head.size, mark.offset + HEAD_BYTES) if head else b""
        if head is None or not is_whole(head, payload):
            raise self._damaged(mark)
        return head, payload

    def _damaged(self, mark: _Mark) -> MalformedError:
        return MalformedError(
            f"{self._path} is damaged at byte {mark.offset}, from entry {mark.index} on",
            "restore it from a copy; only if the machine lost power in the middle of an append, and nobody "
            f"was told that this entry is kept, cut it: truncate -s {mark.offset} {self._path}",
        )

    def _copy(self, beside: Path) -> None:
        """A new journal with what is not integrated yet."""
        fill(self._files, beside, encode_header(self._read.index), 0o600)
        if self._read.offset == self._end.offset:
            return
        descriptor = os.open(beside, os.O_RDWR | os.O_CLOEXEC)
        try:
            at, to = self._read.offset, HEADER_BYTES
            while at < self._end.offset:
                piece = self._piece(at, self._end.offset)
                self._files.write(descriptor, piece, to)
                at, to = at + len(piece), to + len(piece)
            self._files.sync(descriptor)
        finally:
            os.close(descriptor)
