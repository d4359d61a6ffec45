from __future__ import annotations

import pytest

from holdfast.ledger.errors import InconsistentError, MalformedError, MissingError
from holdfast.ledger.growth import Growth
from holdfast.ledger.merkle import EMPTY_ROOT, leaf_hash
from holdfast.ledger.tiles import Tile, tiles_of
from tests.unit.ledger.naive import tree_root


class Folder(dict[Tile, bytes]):
    """Files as a log has them."""

    def read(self, tile: Tile) -> bytes:
        if tile not in self:
            raise MissingError(f"{tile.path} is not there", "")
        return self[tile]


def grown(folder: Folder, size: int, entries: list[bytes]) -> Growth:
    growth = Growth.load(size, folder.read)
    folder.update(growth.add(entries))
    folder.update(growth.partial())
    return growth


def entries(start: int, end: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, end)]


@pytest.mark.parametrize(
    "sizes", [[0], [1], [255, 256], [256], [257], [3, 3, 700], [65_535, 65_536, 65_537], [65_536 + 256]]
)
def test_files_and_root_are_those_of_the_tree(sizes: list[int]) -> None:
    folder, size = Folder(), 0
    for following in sizes:
        growth = grown(folder, size, entries(size, following))
        size = following
        assert growth.size == size
        assert growth.root() == tree_root([leaf_hash(each) for each in entries(0, size)])
        assert set(tiles_of(size)) <= set(folder)


def test_the_empty_tree() -> None:
    assert Growth.load(0, Folder().read).root() == EMPTY_ROOT
    assert list(Growth().partial()) == []


def test_only_what_is_new_is_written() -> None:
    folder = Folder()
    grown(folder, 0, entries(0, 300))
    again = Growth.load(300, folder.read)
    assert list(again.add(entries(300, 301))) == []
    assert [tile.path for tile, _ in again.partial()] == ["tile/entries/001.p/45", "tile/0/001.p/45"]


def test_entries_that_are_not_those_of_the_tree() -> None:
    folder = Folder()
    grown(folder, 0, entries(0, 300))
    bundle = Tile(None, 1, 44)
    folder[bundle] = folder[bundle].replace(b"entry 299", b"entry 298")
    with pytest.raises(InconsistentError, match=r"entries in tile/entries/001\.p/44 are not those"):
        Growth.load(300, folder.read)
    folder[bundle] = folder[bundle][:-1]
    with pytest.raises(MalformedError, match="cut off"):
        Growth.load(300, folder.read)
    del folder[bundle]
    with pytest.raises(MissingError):
        Growth.load(300, folder.read)
