"""Where a log is read from: a folder, or a web address. Both give the same files by the same names.

Here belongs fetching, within limits. Not here: what the files mean, and whether they are right (``verify``,
``fsck``).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Final, Protocol

from holdfast.ledger.errors import MissingError, StorageError
from holdfast.ledger.http_client import HttpClient, UnreachableError
from holdfast.ledger.note import LARGEST_NOTE
from holdfast.ledger.tiles import LARGEST_BUNDLE, LARGEST_TILE

CHECKPOINT: Final = "checkpoint"
PATIENCE: Final = 30.0
"""Seconds for one file of a log on the web."""
_ABSENT: Final = (403, 404, 410)
"""How web servers say that a file is not there; stores of objects say 403."""


class Source(Protocol):
    """A log's files (tlog-tiles, section "APIs": https://c2sp.org/tlog-tiles).

    Obligations: ``get`` returns a whole file of at most ``limit_of(path)`` bytes, or raises LedgerError:
    MissingError where there is none, UnreachableError where that cannot be known. It may be called from
    several threads. ``name`` is what people call this place."""

    @property
    def name(self) -> str: ...

    def get(self, path: str) -> bytes: ...


def open_source(place: str) -> FolderSource | HttpSource:
    """A web address or a folder, as people write it. Raises MalformedError for an address that is none, and
    MissingError for a folder that is not there."""
    return HttpSource(place) if "://" in place else FolderSource(Path(place))


def limit_of(path: str) -> int:
    """Bytes. A file that is larger cannot be what it should be."""
    if path == CHECKPOINT:
        return LARGEST_NOTE
    return LARGEST_BUNDLE if path.startswith("tile/entries/") else LARGEST_TILE


class FolderSource:
    """A log's folder: the one that is served, or the log's own, which has it as ``public``."""

    def __init__(self, folder: Path) -> None:
        """Raises MissingError."""
        public = folder / "public"
        self._folder = public if public.is_dir() and not (folder / CHECKPOINT).exists() else folder
        if not self._folder.is_dir():
            raise MissingError(f"there is no folder {folder}", "name the log's folder, or its web address")

    @property
    def name(self) -> str:
        return str(self._folder)

    def get(self, path: str) -> bytes:
        place, limit = self._folder / path, limit_of(path)
        try:
            with open(place, "rb", opener=_without_waiting) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "it is no plain file")
                data = file.read(min(limit, status.st_size) + 1)  # read() takes all the memory it may need
        except OSError as refused:
            if refused.errno in (errno.ENOENT, errno.ENOTDIR):
                raise MissingError(f"{place} is not there", "restore it from a copy of the log") from None
            raise StorageError(
                f"{place} cannot be read ({refused.strerror})", "check the disk, and who may read it"
            ) from refused
        if len(data) > limit:
            raise StorageError(f"{place} is larger than {limit} bytes", "restore it from a copy of the log")
        return data


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


class HttpSource:
    """A log on the web. Each thread keeps a connection of its own."""

    def __init__(self, url: str, seconds: float = PATIENCE) -> None:
        """Raises MalformedError for what is no address."""
        self._seconds = seconds
        self._local = threading.local()
        self.name = HttpClient(url, seconds).url

    def get(self, path: str) -> bytes:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = HttpClient(self.name, self._seconds)
        answer = client.get(path, limit_of(path))
        if answer.status == 200:
            return bytes(answer.body)
        problem = f"{self.name}/{path} answers {answer.status}"
        if answer.status in _ABSENT:
            raise MissingError(problem, "check the address: it is the one below which 'checkpoint' lies")
        raise UnreachableError(problem, "try again later, or ask who runs that server")
