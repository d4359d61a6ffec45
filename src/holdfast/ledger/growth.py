"""A tree while it grows: entries in, the files of its right edge out. Pure.

It holds the last, partial tile of each level, and nothing else: memory does not grow with the tree. Not here:
where files are kept, and when a root is signed (``log``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from holdfast.ledger.errors import InconsistentError
from holdfast.ledger.merkle import HASH_BYTES, leaf_hash, node_hash, root
from holdfast.ledger.tiles import (
    FULL,
    HEIGHT,
    LARGEST_TILE,
    Tile,
    decode_bundle,
    encode_bundle,
    node_reader,
    tile_in,
)


class Growth:
    """The right edge of a tree of ``size`` leaves."""

    def __init__(self) -> None:
        """Of the empty tree."""
        self.size = 0
        self._since = 0
        self._bundle: list[bytes] = []
        self._rows: list[bytearray] = []

    @classmethod
    def load(cls, size: int, read: Callable[[Tile], bytes]) -> Growth:
        """From the files of the tree of ``size``; ``read`` gives exactly the width asked for. Raises
        InconsistentError where the entries are not those that the tree has hashed, and MalformedError."""
        edge = cls()
        edge.size = edge._since = size
        row = 0
        while size >> HEIGHT * row:
            tile = tile_in(size, row, size >> HEIGHT * (row + 1))
            edge._rows.append(bytearray(read(tile) if tile.width else b""))
            row += 1
        if size % FULL:
            bundle = tile_in(size, None, size >> HEIGHT)
            edge._bundle = list(decode_bundle(read(bundle), bundle.width))
            if b"".join(map(leaf_hash, edge._bundle)) != edge._rows[0]:
                raise InconsistentError(
                    f"the entries in {bundle.path} are not those that the tree has",
                    "restore the log's files from a copy; 'holdfast ledger fsck' tells which are wrong",
                )
        return edge

    def add(self, entries: Iterable[bytes]) -> Iterator[tuple[Tile, bytes]]:
        """Append entries; the files that have become full by it, as they do."""
        for entry in entries:
            self._bundle.append(entry)
            self.size += 1
            if len(self._bundle) == FULL:
                yield Tile(None, (self.size - 1) >> HEIGHT), encode_bundle(self._bundle)
                self._bundle.clear()
            yield from self._push(0, leaf_hash(entry))

    def _push(self, row: int, found: bytes) -> Iterator[tuple[Tile, bytes]]:
        if row == len(self._rows):
            self._rows.append(bytearray())
        held = self._rows[row]
        held += found
        if len(held) == LARGEST_TILE:
            data = bytes(held)
            held.clear()
            yield Tile(row, (self.size - 1) >> HEIGHT * (row + 1)), data
            yield from self._push(row + 1, _top(data))

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """The files of the edge that are not full, where they differ from those that it was loaded from."""
        if self._bundle and self.size != self._since:
            yield tile_in(self.size, None, self.size >> HEIGHT), encode_bundle(self._bundle)
        for row, held in enumerate(self._rows):
            if held and self.size >> HEIGHT * row != self._since >> HEIGHT * row:
                yield tile_in(self.size, row, self.size >> HEIGHT * (row + 1)), bytes(held)

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return root(self.size, node_reader(self.size, lambda tile: bytes(self._rows[tile.level or 0])))


def _top(data: bytes) -> bytes:
    """What stands for a full tile one level above it."""
    hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]
