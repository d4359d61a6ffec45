"""A whole log, checked again: every entry, every tile, every hash, from the checkpoint down.

The checkpoint's root vouches for the partial tiles of the right edge, each of their hashes for a full tile
below, and each hash of level 0 for an entry; so that what is wrong can be told from what only stands beside
it. One tile a level is held at a time: memory does not grow with the log. As in ``verify``, nothing is
shared with the writer but the two hash functions. What an earlier checkpoint alone needs (its partial tiles)
is not read: a list of those is nowhere to be had over HTTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.merkle import leaf_hash
from holdfast.ledger.note import VerifierKey
from holdfast.ledger.source import CHECKPOINT, Source
from holdfast.ledger.verify import (
    ENTRIES,
    FAULTS,
    WIDTH,
    Report,
    Row,
    in_words,
    read_edge,
    read_file,
    read_head,
    root_of,
    root_of_edge,
    split_tile,
    tile_path,
)

MOST_PROBLEMS: Final = 100
"""More are not looked for: the log is broken, and the report stays readable."""
_READERS, _AHEAD = 4, 8

Progress = Callable[[int, int], None]
"""(entries checked, entries in all)."""


def fsck(
    source: Source,
    log: VerifierKey,
    progress: Progress = lambda done, size: None,
    *,
    witnesses: Collection[VerifierKey] = (),
    quorum: int = 0,
    pruned_below: int = 0,
    has_entries: bool = True,
) -> Report:
    """Check all of a log. ``pruned_below``: the index below which it need not serve tiles and entries any
    more (tlog-tiles, section "Pruning"). ``has_entries``: False for one that serves its entries in a form of
    its own, of which then the hashes alone are checked.

    Raises MissingError and UnreachableError where there is no checkpoint to look at, or where the log cannot
    be read any further."""
    report = read_head(source, log, witnesses, quorum)
    if report.checkpoint is None:
        return report
    size, kept = report.checkpoint.size, _Kept(pruned_below, has_entries)
    with _Ahead(source, _order(size, kept)) as files:
        walk = _Walk(files, size, kept, progress)
        try:
            walk.run(report.checkpoint.root)
        except _EnoughError:
            walk.problems.append(f"there are more than {MOST_PROBLEMS} problems: the rest was not looked at")
    return replace(report, problems=(*report.problems, *walk.problems))


class _EnoughError(Exception):
    pass


class _Walk:
    """From the top of the tree down, and at each level from the left."""

    def __init__(self, files: _Ahead, size: int, kept: _Kept, progress: Progress) -> None:
        self.problems: list[str] = []
        self._files, self._size, self._kept, self._progress = files, size, kept, progress

    def run(self, root: bytes) -> None:
        """Raises _EnoughError after the last problem that is listed."""
        served, problems = read_edge(self._tile, self._size)
        for problem in problems:
            self._add(problem)
        is_right = root_of_edge(served) == root
        computed: list[Row] = [()] * len(served)
        for level in reversed(range(len(served))):
            index, width = divmod(self._size >> 8 * level, WIDTH)
            if width:
                computed[level] = self._below(level, index, width, served[level], is_right)
        below_is_right = root_of_edge(computed) == root
        for level, row in enumerate(served):
            self._compare(
                level, self._size >> 8 * (level + 1), row, computed[level], is_right, below_is_right
            )
        if not is_right and not below_is_right:
            self._add(f"{CHECKPOINT}: its root is not that of the tree that is served")

    def _full(self, level: int, index: int, expected: bytes | None) -> bytes | None:
        """Check a full tile and all below it. ``expected``: its root by a tile above that can be believed.
        Returns the root as far as it is known."""
        if not self._kept.has(level, index):
            return expected
        path = tile_path(level, index, WIDTH)
        served: Row | None = None
        try:
            served = self._tile(level, index, WIDTH)
        except FAULTS as wrong:
            self._add(f"{path}: {in_words(wrong)}")
        is_right = served is not None and expected is not None and root_of(served) == expected
        computed = self._below(level, index, WIDTH, served, is_right)
        found = expected if is_right else root_of(computed)
        self._compare(level, index, served, computed, is_right, found == expected)
        if expected and found != expected and served == computed:
            self._add(f"{path}: it fits what lies below, and not what lies above it")
        return expected or found

    def _below(self, level: int, index: int, width: int, served: Row | None, is_right: bool) -> Row:
        """What the hashes of a tile are by what lies below it; as served where that cannot be known."""
        if level:
            expected = served if served and is_right else [None] * width
            return [self._full(level - 1, index * WIDTH + at, expected[at]) for at in range(width)]
        found: Row = served or [None] * width
        if self._kept.has_entries:
            try:
                found = _leaf_hashes(*self._files.get((ENTRIES, index, width)), width)
            except FAULTS as wrong:
                self._add(f"{tile_path(ENTRIES, index, width)}: {in_words(wrong)}")
        self._progress(index * WIDTH + width, self._size)
        return found

    def _compare(
        self, level: int, index: int, served: Row | None, computed: Row, is_right: bool, below_is_right: bool
    ) -> None:
        """A tile with what lies below it. ``is_right``: the tile is what the checkpoint vouches for;
        ``below_is_right``: what lies below is."""
        if served is None or served == computed or (level and is_right):
            return  # below level 0 the one that differs has been named already
        wrong = [at for at, pair in enumerate(zip(served, computed, strict=True)) if pair[0] != pair[1]]
        path = tile_path(level, index, len(served))
        if level == 0:
            numbers = _listed([str(index * WIDTH + at) for at in wrong])
            if is_right:
                bundle = tile_path(ENTRIES, index, len(served))
                self._add(f"{bundle}: not what the log had here: entry {numbers}")
            elif below_is_right:
                self._add(f"{path}: not the hash of its entry: {numbers}")
            else:
                self._add(f"{path}: these entries have other hashes, and neither fits the rest: {numbers}")
        else:
            children = _listed([tile_path(level - 1, index * WIDTH + at, WIDTH) for at in wrong])
            self._add(f"{path}: not the hash of {children}")

    def _tile(self, level: int, index: int, width: int) -> Row:
        return split_tile(*self._files.get((level, index, width)), width)

    def _add(self, problem: str) -> None:
        self.problems.append(problem)
        if len(self.problems) == MOST_PROBLEMS:
            raise _EnoughError


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a log still has to serve."""

    pruned_below: int
    has_entries: bool

    def has(self, level: int, index: int) -> bool:
        """Whether it does a full tile: one that ends below the pruned index may be gone."""
        return (index + 1) << 8 * (level + 1) > self.pruned_below


_Place = tuple[int | str, int, int]
"""(level or ENTRIES, index, width)."""


def _order(size: int, kept: _Kept) -> Iterator[_Place]:
    """Every file of a log, as the walk comes to it."""

    def below(level: int, index: int, width: int) -> Iterator[_Place]:
        if level == 0:
            if kept.has_entries:
                yield ENTRIES, index, width
            return
        for child in range(index * WIDTH, index * WIDTH + width):
            if kept.has(level - 1, child):
                yield level - 1, child, WIDTH
                yield from below(level - 1, child, WIDTH)

    edge = [(level, *divmod(size >> 8 * level, WIDTH)) for level in range(9) if (size >> 8 * level) % WIDTH]
    yield from edge
    for level, index, width in reversed(edge):
        yield from below(level, index, width)


class _Ahead:
    """Reads files before they are asked for: over a network, waiting for one at a time would take hours."""

    def __init__(self, source: Source, order: Iterator[_Place]) -> None:
        self._source, self._order = source, order
        self._readers = ThreadPoolExecutor(_READERS, "fsck")
        self._coming: deque[tuple[_Place, Future[tuple[bytes, bool]]]] = deque()

    def __enter__(self) -> _Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.shutdown(cancel_futures=True)

    def get(self, place: _Place) -> tuple[bytes, bool]:
        """As ``read_file``, in the order that was given."""
        for following in self._order:
            self._coming.append((following, self._readers.submit(read_file, self._source, *following)))
            if len(self._coming) > _AHEAD:
                break
        expected, coming = self._coming.popleft()
        if expected != place:
            raise AssertionError(f"{place} was asked for, {expected} was due")
        return coming.result()


def _leaf_hashes(data: bytes, may_be_longer: bool, width: int) -> list[bytes]:
    """Of the entries in a bundle (tlog-tiles, section "Log entries"). Raises MalformedError."""
    found: list[bytes] = []
    at, end = 0, len(data)
    for _ in range(width):
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1]) if start <= end else end + 1
        if at > end:
            raise MalformedError(f"it is cut off after {len(found)} entries, and should have {width}", "")
        found.append(leaf_hash(data[start:at]))
    if at < end and not may_be_longer:
        raise MalformedError(f"it has more than {width} entries", "")
    return found


def _listed(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
