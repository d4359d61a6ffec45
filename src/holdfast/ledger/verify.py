"""Anybody's look at a log: its checkpoint, who has signed it, and whether the tree that is served has its
root.

C2SP tlog-tiles (https://c2sp.org/tlog-tiles), for logs of any make. Nothing is shared with the writer but the
two hash functions: tiles and their paths are read here in a second way, so that one mistake cannot hide
itself. Not here: every entry and every tile (``fsck``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from holdfast.ledger.checkpoint import Checkpoint, parse_checkpoint
from holdfast.ledger.cosignature import Cosignature, verify_cosignature
from holdfast.ledger.errors import (
    LedgerError,
    MalformedError,
    MissingError,
    StorageError,
    UntrustedError,
)
from holdfast.ledger.merkle import EMPTY_ROOT, node_hash
from holdfast.ledger.note import Note, Signature, VerifierKey, parse_note, verify_note
from holdfast.ledger.source import CHECKPOINT, Source

ENTRIES: Final = "entries"
WIDTH: Final = 256
"""Hashes of a full tile, entries of a full bundle."""
_HASH: Final = 32
FAULTS: Final = (MissingError, MalformedError, StorageError)
"""What is wrong with one file. Others concern the whole log, and end the look at it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``problems``: a line for each thing that is wrong: where, and what."""

    checkpoint: Checkpoint | None
    """None where there is none that can be trusted; then nothing else was looked at."""
    signatures: tuple[Signature, ...] = ()
    """The log's, verified."""
    cosignatures: tuple[Cosignature, ...] = ()
    """Those of witnesses that are known, verified."""
    unknown: tuple[Signature, ...] = ()
    """Of other keys: ignored, as signed-note says."""
    problems: tuple[str, ...] = ()


def verify(
    source: Source, log: VerifierKey, witnesses: Collection[VerifierKey] = (), quorum: int = 0
) -> Report:
    """Look at the checkpoint, and at the tiles of the right edge, which have the whole tree's root between
    them. Raises MissingError and UnreachableError where there is no checkpoint to look at."""
    report = read_head(source, log, witnesses, quorum)
    if report.checkpoint is None:
        return report
    rows, problems = read_edge(lambda *tile: read_tile(source, *tile), report.checkpoint.size)
    if not problems and root_of_edge(rows) != report.checkpoint.root:
        problems = [f"{CHECKPOINT}: its root is not that of the tree that is served"]
    return replace(report, problems=(*report.problems, *problems))


def read_head(
    source: Source, log: VerifierKey, witnesses: Collection[VerifierKey] = (), quorum: int = 0
) -> Report:
    """The checkpoint and its signatures. Raises as ``verify``."""
    data = source.get(CHECKPOINT)
    try:
        note = parse_note(data)
        signatures = verify_note(note, (log,))
        checkpoint = parse_checkpoint(note.text)
        if checkpoint.origin != log.name:
            raise UntrustedError(f"it is of {checkpoint.origin}, not of {log.name}", "")
    except (MalformedError, UntrustedError) as wrong:
        return Report(None, problems=(f"{CHECKPOINT}: {wrong.problem}",))
    found, problems = _cosignatures(note, witnesses)
    if len(found) < quorum:
        problems.append(
            f"{CHECKPOINT}: {len(found)} of the {quorum} witnesses that are needed have signed it"
        )
    known = (log, *witnesses)
    unknown = tuple(each for each in note.signatures if not any(key.is_named_in(each) for key in known))
    return Report(checkpoint, signatures, tuple(found), unknown, tuple(problems))


def _cosignatures(note: Note, witnesses: Collection[VerifierKey]) -> tuple[list[Cosignature], list[str]]:
    found: dict[bytes, Cosignature] = {}  # by the key itself: one witness under two names is one witness
    problems = []
    for signature in note.signatures:
        for key in witnesses:
            if key.is_named_in(signature):
                try:
                    found.setdefault(key.public, verify_cosignature(note.text, signature, key))
                except UntrustedError as wrong:
                    problems.append(f"{CHECKPOINT}: {wrong.problem}")
    return list(found.values()), problems


Row = Sequence[bytes | None]
"""Hashes of a tile, None where one is not known."""
TileReader = Callable[[int, int, int], Row]
"""(level, index, width) → the hashes of a tile; raises LedgerError."""


def read_edge(read: TileReader, size: int) -> tuple[list[Row | None], list[str]]:
    """The partial tiles of a tree, from level 0 up: an empty row where a level has none, None where it cannot
    be read; and why not."""
    rows: list[Row | None] = []
    problems = []
    level = 0
    while size >> 8 * level:
        index, width = divmod(size >> 8 * level, WIDTH)
        try:
            rows.append(read(level, index, width) if width else ())
        except FAULTS as wrong:
            rows.append(None)
            problems.append(f"{tile_path(level, index, width)}: {in_words(wrong)}")
        level += 1
    return rows, problems


def root_of_edge(rows: Sequence[Row | None]) -> bytes | None:
    """The root of the tree with these partial tiles, from level 0 up; None where a hash is not known."""
    rest: list[bytes | None] = []
    for row in rows:
        if row is None:
            return None
        hashes = [*row, *rest]
        rest = [root_of(hashes)] if hashes else []
    return rest[0] if rest else EMPTY_ROOT


def root_of(hashes: Row) -> bytes | None:
    """The hash over complete subtrees of one size, of which the last may be smaller (RFC 6962, section 2.1);
    None where one is not known."""
    row = [each for each in hashes if each is not None]
    if len(row) < len(hashes):
        return None
    while len(row) > 1:
        pairs = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        row = pairs + row[len(pairs) * 2 :]
    return row[0]


def tile_path(level: int | str, index: int, width: int) -> str:
    """``level``: a number, or ``ENTRIES``."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [f"x{digits[at : at + 3]}" for at in range(0, len(digits), 3)]
    path = f"tile/{level}/{'/'.join([*groups[:-1], groups[-1][1:]])}"
    return path if width == WIDTH else f"{path}.p/{width}"


def read_file(source: Source, level: int | str, index: int, width: int) -> tuple[bytes, bool]:
    """A tile's or a bundle's file, and whether it may hold more than ``width``: a log may delete a partial
    file once it has the full one (tlog-tiles, section "Partial Tiles"). Raises LedgerError."""
    try:
        return source.get(tile_path(level, index, width)), False
    except MissingError:
        if width == WIDTH:
            raise
        try:
            return source.get(tile_path(level, index, WIDTH)), True
        except MissingError:
            pass
        raise


def in_words(wrong: LedgerError) -> str:
    """What is wrong with a file, after its path."""
    return "it is not there" if isinstance(wrong, MissingError) else wrong.problem


def read_tile(source: Source, level: int, index: int, width: int) -> list[bytes]:
    """The hashes of a tile. Raises LedgerError."""
    return split_tile(*read_file(source, level, index, width), width)


def split_tile(data: bytes, may_be_longer: bool, width: int) -> list[bytes]:
    """Raises MalformedError."""
    wanted = width * _HASH
    if len(data) < wanted or (len(data) > wanted and not may_be_longer):
        raise MalformedError(f"it has {len(data)} bytes, not {wanted}", "")
    return [data[at : at + _HASH] for at in range(0, wanted, _HASH)]
