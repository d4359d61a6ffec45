"""However entries come, in whatever batches and with whatever restarts between: the same files, the same
root as by the definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.frame import HEAD_BYTES, encode_frame, entries_of, is_whole, parse_head
from holdfast.ledger.growth import Growth
from holdfast.ledger.merkle import leaf_hash
from holdfast.ledger.tiles import Tile, tiles_of
from tests.unit.ledger.naive import tree_root

batches = st.lists(st.integers(0, 700), max_size=8)


@given(batches, st.binary(max_size=20))
def test_any_batches_make_the_same_tree(sizes: list[int], salt: bytes) -> None:
    entries = [salt + number.to_bytes(4, "big") for number in range(sum(sizes))]
    files: dict[Tile, bytes] = {}
    size = 0
    for count in sizes:
        growth = Growth.load(size, files.__getitem__)
        files |= growth.add(entries[size : size + count])
        files |= growth.partial()
        size += count
        assert growth.root() == tree_root([leaf_hash(each) for each in entries[:size]])
    at_once = Growth()
    wanted = {**dict(at_once.add(entries)), **dict(at_once.partial())}
    assert set(wanted) == set(tiles_of(size))
    assert {tile: files[tile] for tile in wanted} == wanted


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(max_size=300), min_size=1))
def test_frames_are_read_as_they_were_written(first: int, entries: list[bytes]) -> None:
    frame = encode_frame(first, entries)
    head, payload = parse_head(frame[:HEAD_BYTES]), frame[HEAD_BYTES:]
    assert head is not None
    assert (head.first, head.entries) == (first, len(entries))
    assert is_whole(head, payload)
    assert list(entries_of(payload)) == entries
