"""Paths and files of tiles: one spelling, and limits."""

from __future__ import annotations

import pytest

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.tiles import (
    LARGEST_ENTRY,
    Tile,
    check_entry,
    decode_bundle,
    encode_bundle,
    new_tiles,
    node_reader,
    parse_path,
    tile_in,
    tiles_of,
)

PATHS = [
    (Tile(0, 0), "tile/0/000"),
    (Tile(0, 0, 1), "tile/0/000.p/1"),
    (Tile(63, 999, 255), "tile/63/999.p/255"),
    (Tile(1, 1_000), "tile/1/x001/000"),
    (Tile(2, 1_234_067), "tile/2/x001/x234/067"),
    (Tile(2, 1_234_067, 8), "tile/2/x001/x234/067.p/8"),
    (Tile(None, 0, 112), "tile/entries/000.p/112"),
    (Tile(None, 273), "tile/entries/273"),
]


@pytest.mark.parametrize(("tile", "path"), PATHS)
def test_paths(tile: Tile, path: str) -> None:
    """The specification's example is the fifth."""
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile//000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x1/000",
        "tile/0/x001/x000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/100/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/8/0/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/-1",
        "tile/0/000/p/1",
        "tile/0/" + "x999/" * 7 + "000",
        "tile/0/" + "x999/" * 2_000 + "000",
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(MalformedError, match="no path of a tile"):
        parse_path(path)


def test_an_empty_tree_has_no_tiles() -> None:
    assert list(tiles_of(0)) == []
    assert list(new_tiles(7, 7)) == []
    assert list(new_tiles(8, 7)) == []


def test_a_partial_tile_becomes_a_full_one() -> None:
    assert list(new_tiles(255, 256)) == [Tile(None, 0), Tile(0, 0), Tile(1, 0, 1)]
    assert list(new_tiles(256, 257)) == [Tile(None, 1, 1), Tile(0, 1, 1)]
    assert Tile(0, 5, 7).full() == Tile(0, 5)
    assert [tile_in(300, 0, index) for index in (0, 1)] == [Tile(0, 0), Tile(0, 1, 44)]


@pytest.mark.parametrize("length", [0, 1, 255, 256, LARGEST_ENTRY])
def test_lengths_of_entries(length: int) -> None:
    data = encode_bundle([b"x" * length, b"after"])
    assert data[:2] == length.to_bytes(2, "big")
    assert decode_bundle(data, 2) == (b"x" * length, b"after")


def test_an_entry_that_no_bundle_can_hold() -> None:
    with pytest.raises(MalformedError, match="65536 bytes is too large; 65535 are the limit"):
        check_entry(bytes(LARGEST_ENTRY + 1))
    with pytest.raises(MalformedError, match="too large"):
        encode_bundle([b"", bytes(LARGEST_ENTRY + 1)])


@pytest.mark.parametrize(
    ("data", "width", "reason"),
    [
        (b"", 1, "fewer"),
        (b"\0", 1, "cut off"),
        (b"\0\1", 1, "cut off"),
        (b"\xff\xff" + bytes(65_534), 1, "cut off"),
        (b"\0\0\0", 1, "cut off"),
        (b"\0\0", 2, "fewer"),
        (b"\0\0\0\0", 1, "more"),
        (b"\0\0", 0, "more"),
        (bytes(16_000_000), 256, "more"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_bundle(data: bytes, width: int, reason: str) -> None:
    """The last one would be eight million empty entries: it is left where the limit is passed."""
    with pytest.raises(MalformedError, match=reason):
        decode_bundle(data, width)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(32), bytes(65), bytes(95)])
def test_a_tile_of_a_wrong_length(data: bytes) -> None:
    node = node_reader(2, lambda tile: data)
    with pytest.raises(MalformedError, match=rf"tile/0/000\.p/2 has {len(data)} bytes"):
        node(1, 0)
