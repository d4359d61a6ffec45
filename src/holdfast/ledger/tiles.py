"""Tiles: how a tree and its entries lie in files of at most 256, their paths, and the tree read from them.

C2SP tlog-tiles (https://c2sp.org/tlog-tiles). Pure: whoever uses it reads the files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.merkle import HASH_BYTES, Node, node_hash

HEIGHT: Final = 8
FULL: Final = 1 << HEIGHT
"""Hashes of a full tile, entries of a full bundle."""
LARGEST_ENTRY: Final = 65_535
"""Bytes: a bundle gives an entry's length in 16 bits (tlog-tiles, section "Log entries")."""
LARGEST_TILE: Final = FULL * HASH_BYTES
LARGEST_BUNDLE: Final = FULL * (2 + LARGEST_ENTRY)

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)"
    r"/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"  # 21 digits: a tree of 2**63 leaves has fewer tiles
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_AGAIN = "fetch it again; if it comes like this again, the log is faulty"


@dataclass(frozen=True, slots=True)
class Tile:
    """One file of a log. ``path`` and ``parse_path`` are inverses."""

    level: int | None
    """0 for leaf hashes; above it each hash is that of a full tile one level below. None: entries."""
    index: int
    width: int = FULL

    @property
    def is_full(self) -> bool:
        return self.width == FULL

    def full(self) -> Tile:
        """The tile that this one becomes a part of."""
        return Tile(self.level, self.index)

    @property
    def path(self) -> str:
        """Below the log's prefix (tlog-tiles, section "Merkle Tree")."""
        rest, groups = self.index // 1000, [f"{self.index % 1000:03}"]
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.is_full else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> Tile:
    """Raises MalformedError for anything that ``Tile.path`` would not write."""
    found = _PATH.fullmatch(path)
    if found:
        level = None if found["level"] == "entries" else int(found["level"])
        index = int(found["index"].replace("x", "").replace("/", ""))
        tile = Tile(level, index, int(found["width"] or FULL))
        if (level or 0) < 64 and tile.width <= FULL and tile.path == path:
            return tile
    raise MalformedError(f"{path[:80]!r} is no path of a tile", "write it as tlog-tiles has it")


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of the tree, bundles first, then level by level, from the left."""
    yield from new_tiles(0, size)


def new_tiles(old: int, new: int) -> Iterator[Tile]:
    """The tiles of the tree of ``new`` leaves that the one of ``old`` does not have, in that order."""
    if old >= new:
        return
    yield from (tile for tile in _row(None, old, new))
    level = 0
    while new >> (HEIGHT * level):
        yield from _row(level, old >> (HEIGHT * level), new >> (HEIGHT * level))
        level += 1


def _row(level: int | None, old: int, new: int) -> Iterator[Tile]:
    if old < new:
        for index in range(old // FULL, -(-new // FULL)):
            yield Tile(level, index, min(FULL, new - index * FULL))


def tile_in(size: int, level: int | None, index: int) -> Tile:
    """The tile at that place as the tree of ``size`` leaves has it."""
    total = size >> (HEIGHT * (level or 0))
    return Tile(level, index, min(FULL, total - index * FULL))


def node_reader(size: int, read: Callable[[Tile], bytes]) -> Node:
    """The tree of ``size`` leaves, as ``merkle`` reads it. A tile that was read is kept for as long as the
    result is; ``read`` may give the full tile where a partial one is asked for.

    What it returns raises MalformedError for a tile that is too short."""
    held: dict[Tile, bytes] = {}

    def tile_data(tile: Tile) -> bytes:
        if tile not in held:
            data = read(tile)
            if len(data) < tile.width * HASH_BYTES or len(data) % HASH_BYTES:
                raise MalformedError(f"{tile.path} has {len(data)} bytes", _AGAIN)
            held[tile] = data
        return held[tile]

    def node(level: int, index: int) -> bytes:
        row, height = divmod(level, HEIGHT)
        first = index << height
        data = tile_data(tile_in(size, row, first >> HEIGHT))
        start = (first % FULL) * HASH_BYTES
        hashes = [
            data[at : at + HASH_BYTES] for at in range(start, start + (HASH_BYTES << height), HASH_BYTES)
        ]
        while len(hashes) > 1:
            hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    return node


def check_entry(entry: bytes) -> None:
    """Raises MalformedError for one that no bundle can hold."""
    if len(entry) > LARGEST_ENTRY:
        raise MalformedError(
            f"an entry of {len(entry)} bytes is too large",
            f"{LARGEST_ENTRY} are the limit: record a hash of it, and publish the rest elsewhere",
        )


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """At most 256 entries as one file; ``decode_bundle`` is the inverse. Raises MalformedError for an entry
    that is too large."""
    for entry in entries:
        check_entry(entry)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """The ``width`` entries of a bundle. Raises MalformedError where there are fewer or more."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) <= width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise MalformedError("a bundle of entries is cut off", _AGAIN)
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        few_or_many = "fewer" if len(entries) < width else "more"
        raise MalformedError(f"a bundle has {few_or_many} than its {width} entries", _AGAIN)
    return tuple(entries)
