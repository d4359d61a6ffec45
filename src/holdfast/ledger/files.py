"""The few ways in which a log's directory is changed, one system call each.

Whatever a log makes durable goes through a ``Files``: each call is one step that can fail, or be the last one
before the machine stops, and a test that subclasses it can make either happen at every step. Not here: in
which order the steps come (``journal``, ``posix``).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.ledger.errors import StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Files:
    """Each method raises OSError where the system refuses. Nothing is durable before it has been synced."""

    def create(self, path: Path, mode: int) -> int:
        """A descriptor of an empty file with exactly these permissions; what was there is no more."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        os.fchmod(descriptor, mode)  # whatever the umask
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """All of it."""
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def truncate(self, descriptor: int, length: int) -> None:
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """The file's bytes and length, or a folder's names, are durable."""
        os.fsync(descriptor)

    def mkdir(self, path: Path, mode: int) -> None:
        os.mkdir(path, mode)
        os.chmod(path, mode)

    def rename(self, old: Path, new: Path) -> None:
        """At once: whoever opens ``new`` finds the old file or the new one, whole."""
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def rmdir(self, path: Path) -> None:
        os.rmdir(path)


def fill(files: Files, path: Path, data: bytes, mode: int) -> None:
    """A new file; its bytes are durable, its name is not before its folder has been synced."""
    descriptor = files.create(path, mode)
    try:
        files.write(descriptor, data, 0)
        files.sync(descriptor)
    finally:
        os.close(descriptor)


def replace(files: Files, path: Path, data: bytes, mode: int) -> None:
    """A file in one step, durable on return. Its folder gets a ``.new`` beside it for a moment: one process
    at a time may do this to one path."""
    beside = path.with_name(f"{path.name}.new")
    try:
        fill(files, beside, data, mode)
        files.rename(beside, path)
    except OSError:
        with suppress(OSError):  # a full disk has better uses for it
            files.unlink(beside)
        raise
    sync_folder(files, path.parent)


def sync_folder(files: Files, path: Path) -> None:
    """The names in a folder are durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def refusing(doing: str, place: Path) -> Iterator[None]:
    """An OSError within becomes a StorageError: what could not be done, where, and what to do next."""
    try:
        yield
    except OSError as refused:
        remedy = "check the disk, and who may write there"
        if refused.errno in _FULL:
            remedy = "make room there"
        raise StorageError(
            f"cannot {doing} {place} ({refused.strerror or refused})",
            f"{remedy}; what was acknowledged before is kept",
        ) from refused
