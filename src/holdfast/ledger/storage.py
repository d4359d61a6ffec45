"""Where a log is kept: the boundary between ``log`` and a store.

Here belong the obligations. A directory meets them in ``posix``; a database that several hosts share would
meet them outside this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from holdfast.ledger.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Span:
    """Entries ``start`` up to, and without, ``end``."""

    start: int
    end: int


class Storage(Protocol):
    """A log's journal, its public files, and the last checkpoint that it has signed.

    Obligations, whatever happens to the process, and to the machine:

    - *Durable on return.* What ``append``, ``put`` or ``keep_signed`` has taken survives a power failure from
      then on. Where that is not certain they raise StorageError, and the caller acknowledges nothing.
    - *Atomic.* Of one ``append`` all entries are kept or none is. A file of ``put``, and the signed
      checkpoint, is there as it was or as it is to be, whole, and never anything between.
    - *One order.* Any number of processes, on all hosts that share the store, may append at once: entries get
      consecutive indexes from 0, each index once, in the order in which they are durable. An entry whose
      append was interrupted may stay or not; once ``settle`` has counted it, it stays.
    - *One publisher.* ``publishing`` is held by at most one thread of one process; it is free again as soon
      as that process ends, however it does. ``append`` does not wait for it. ``settle``, ``entries``,
      ``put``, ``remove``, ``keep_signed`` and ``forget`` are called while it is held.
    - *Nothing forgotten.* What was appended can be read with ``entries`` until ``forget`` says otherwise.

    All raise StorageError where the store refuses, and MalformedError or InconsistentError where it holds
    what it was never given; then they have changed nothing."""

    @property
    def key(self) -> VerifierKey:
        """Whose log this is; its name is the log's origin."""

    @property
    def name(self) -> str:
        """What people call this place."""

    def close(self) -> None:
        """Nothing is called afterwards."""

    def append(self, entries: Sequence[bytes]) -> int:
        """The index of the first."""

    def span(self) -> Span:
        """What the journal holds: it begins at or below the size of the published checkpoint."""

    def publishing(self) -> AbstractContextManager[None]:
        """Waits until nobody else holds it."""

    def settle(self) -> Span:
        """``span``, when all of it is durable, what others have left behind included."""

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Of the journal, in order, without holding all of them in memory."""

    def get(self, path: str) -> bytes:
        """A public file, by its path below the log's prefix. Raises MissingError."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Public files by their paths; one that is there is replaced."""

    def remove(self, folder: str) -> None:
        """The public files directly below a path, if there are any. May leave them, and need not be durable:
        nobody needs them any more."""

    def signed(self) -> bytes:
        """What ``keep_signed`` was given last."""

    def keep_signed(self, checkpoint: bytes) -> None: ...

    def forget(self, before: int) -> None:
        """Entries below this index are published, and may go from the journal."""
