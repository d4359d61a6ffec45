"""For all sizes: a tree has the tiles that tlog-tiles defines, a growing one needs just the new ones, and
what is read from tiles is the tree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.merkle import LARGEST, Frontier, prove_consistency, prove_inclusion, root
from holdfast.ledger.tiles import Tile, new_tiles, node_reader, tile_in, tiles_of
from tests.property.ledger_model import EvenTree, ModelTree

EDGES = [
    256**power + more
    for power in range(1, 8)
    for more in (-257, -256, -1, 0, 1, 255, 256)
    if power > 1 or more > -256
]
SMALL = st.one_of(
    st.integers(0, 700), st.sampled_from([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000])
)
TREE = ModelTree([index.to_bytes(3, "big") for index in range(65_800)])
EVEN = EvenTree()


def defined(size: int) -> list[Tile]:
    """The tiles of a tree, as the section "Partial Tiles" counts them: full ones, then what is left over."""
    found: list[Tile] = []
    for level in (None, *range(9)):
        hashes = size // 256 ** (level or 0)
        found += [Tile(level, index) for index in range(hashes // 256)]
        found += [Tile(level, hashes // 256, hashes % 256)] if hashes % 256 else []
    return found


@given(SMALL)
def test_a_tree_has_the_tiles_of_the_definition(size: int) -> None:
    assert list(tiles_of(size)) == defined(size)
    assert all(tile_in(size, tile.level, tile.index) == tile for tile in tiles_of(size))


@given(SMALL, SMALL)
def test_new_tiles_are_just_the_difference(one: int, other: int) -> None:
    old, new = sorted((one, other))
    had = set(defined(old))
    assert list(new_tiles(old, new)) == [tile for tile in defined(new) if tile not in had]


def test_the_specifications_example() -> None:
    """70,000 leaves, and 256 (tlog-tiles, section "Partial Tiles")."""
    counted: dict[tuple[int | None, int], int] = {}
    for tile in tiles_of(70_000):
        counted[tile.level, tile.width] = counted.get((tile.level, tile.width), 0) + 1
    bundles = {(None, 256): 273, (None, 112): 1}
    assert counted == bundles | {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1}
    assert list(tiles_of(256)) == [Tile(None, 0), Tile(0, 0), Tile(1, 0, 1)]


def reader(size: int, node: Callable[[int, int], bytes]) -> Callable[[Tile], bytes]:
    """The tiles of a tree, and no others."""

    def read(tile: Tile) -> bytes:
        assert tile.level is not None
        assert tile == tile_in(size, tile.level, tile.index)
        assert 0 < tile.width <= 256
        start = tile.index * 256
        return b"".join(node(8 * tile.level, at) for at in range(start, start + tile.width))

    return read


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 65_793])
def test_what_is_read_from_tiles_is_the_tree(size: int) -> None:
    node = node_reader(size, reader(size, TREE.node))
    assert root(size, node) == TREE.hash(0, size)
    for index in {0, size // 2, size - 1, size & ~255, max(0, size - 257)} & set(range(size)):
        assert list(prove_inclusion(index, size, node)) == TREE.path(index, 0, size)
        if index:
            assert list(prove_consistency(index, size, node)) == TREE.proof(index, size)


@given(st.one_of(st.sampled_from(EDGES), st.integers(1, LARGEST)), st.data())
def test_at_every_size_that_there_can_be(size: int, data: st.DataObject) -> None:
    node = node_reader(size, reader(size, EVEN.node))
    assert root(size, node) == EVEN.root(size)
    assert Frontier.load(size, node).root() == EVEN.root(size)
    index = data.draw(st.integers(0, size - 1))
    assert prove_inclusion(index, size, node) == prove_inclusion(index, size, EVEN.node)
    assert prove_consistency(index, size, node) == prove_consistency(index, size, EVEN.node)


@given(st.integers(1, 65_000), st.data())
def test_a_tile_is_read_once_and_may_be_fuller(size: int, data: st.DataObject) -> None:
    asked: list[Tile] = []

    def read(tile: Tile) -> bytes:
        asked.append(tile)
        assert tile.level is not None
        width = min(256, (65_800 >> 8 * tile.level) - tile.index * 256)
        return b"".join(TREE.node(8 * tile.level, tile.index * 256 + at) for at in range(width))

    node = node_reader(size, read)
    index = data.draw(st.integers(0, size - 1))
    assert list(prove_inclusion(index, size, node)) == TREE.path(index, 0, size)
    assert root(size, node) == TREE.hash(0, size)
    assert len(asked) == len(set(asked)) <= 6


@given(st.integers(1, 65_000), st.data())
def test_a_tile_that_is_too_short_is_refused(size: int, data: st.DataObject) -> None:
    whole = reader(size, TREE.node)
    node = node_reader(size, lambda tile: whole(tile)[: -data.draw(st.integers(1, 32))])
    with pytest.raises(MalformedError):
        root(size, node)
