"""For all trees: roots and proofs are those of RFC 6962's own definition, every proof verifies, and none that
was changed in a single bit does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.errors import InconsistentError
from holdfast.ledger.merkle import (
    LARGEST,
    Frontier,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.property.ledger_model import EvenTree, ModelTree

LARGE = 4_000
TREE = ModelTree([f"entry {index}".encode() for index in range(LARGE)])
EVEN = EvenTree()
sizes = st.one_of(st.integers(1, 40), st.integers(1, LARGE), st.sampled_from([255, 256, 257, 1024, 1025]))
enormous = st.one_of(
    st.integers(1, LARGEST),
    st.tuples(st.integers(0, 62), st.integers(-2, 2)).map(lambda near: max(1, (1 << near[0]) + near[1])),
)


@st.composite
def places(draw: st.DrawFn, of: st.SearchStrategy[int] = sizes) -> tuple[int, int]:
    """A size, and a number below it."""
    size = draw(of)
    return draw(st.integers(0, size - 1)), size


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def fails(verify: object, *arguments: object) -> bool:
    assert callable(verify)
    try:
        verify(*arguments)
    except InconsistentError:
        return True
    return False


@given(sizes)
def test_a_root_is_that_of_the_definition(size: int) -> None:
    assert root(size, TREE.node) == TREE.hash(0, size)
    assert Frontier.load(size, TREE.node).root() == TREE.hash(0, size)


def test_a_growing_tree_has_each_root_of_the_definition() -> None:
    frontier = Frontier()
    for size in range(1_000):
        assert (frontier.size, frontier.root()) == (size, TREE.hash(0, size))
        frontier.append(leaf_hash(TREE.entries[size]))


@given(sizes, st.integers(0, 100))
def test_a_loaded_edge_grows_on(size: int, more: int) -> None:
    more = min(more, LARGE - size)
    frontier = Frontier.load(size, TREE.node)
    for entry in TREE.entries[size : size + more]:
        frontier.append(leaf_hash(entry))
    assert frontier.root() == TREE.hash(0, size + more)


@given(places())
def test_an_inclusion_proof_is_that_of_the_definition_and_verifies(place: tuple[int, int]) -> None:
    index, size = place
    proof = prove_inclusion(index, size, TREE.node)
    assert list(proof) == TREE.path(index, 0, size)
    verify_inclusion(leaf_hash(TREE.entries[index]), index, size, proof, TREE.hash(0, size))


@given(places())
def test_a_consistency_proof_is_that_of_the_definition_and_verifies(place: tuple[int, int]) -> None:
    old, new = place[0] + 1, place[1]
    proof = prove_consistency(old, new, TREE.node)
    assert list(proof) == TREE.proof(old, new)
    verify_consistency(old, new, proof, TREE.hash(0, old), TREE.hash(0, new))


@given(places(enormous))
def test_proofs_of_enormous_trees_verify(place: tuple[int, int]) -> None:
    index, size = place
    inclusion = prove_inclusion(index, size, EVEN.node)
    assert len(inclusion) <= 63
    verify_inclusion(EVEN.node(0, index), index, size, inclusion, EVEN.root(size))
    consistency = prove_consistency(index, size, EVEN.node)
    assert len(consistency) <= 64
    verify_consistency(index, size, consistency, EVEN.root(index), EVEN.root(size))


@given(places(), st.integers(0), st.sampled_from(["leaf", "root", "proof"]))
def test_no_changed_inclusion_proof_verifies(place: tuple[int, int], bit: int, what: str) -> None:
    index, size = place
    leaf, expected = leaf_hash(TREE.entries[index]), TREE.hash(0, size)
    proof = list(prove_inclusion(index, size, TREE.node))
    match what:
        case "leaf":
            leaf = flipped(leaf, bit)
        case "root":
            expected = flipped(expected, bit)
        case "proof" if proof:
            at = bit // 256 % len(proof)
            proof[at] = flipped(proof[at], bit)
        case "proof":
            proof = [flipped(bytes(32), bit)]
    assert fails(verify_inclusion, leaf, index, size, proof, expected)


@given(places(), st.integers(0), st.sampled_from(["old root", "new root", "proof"]))
def test_no_changed_consistency_proof_verifies(place: tuple[int, int], bit: int, what: str) -> None:
    old, new = place[0] + 1, place[1]
    old_root, new_root = TREE.hash(0, old), TREE.hash(0, new)
    proof = list(prove_consistency(old, new, TREE.node))
    match what:
        case "old root":
            old_root = flipped(old_root, bit)
        case "new root":
            new_root = flipped(new_root, bit)
        case "proof" if proof:
            at = bit // 256 % len(proof)
            proof[at] = flipped(proof[at], bit)
        case "proof":
            proof = [flipped(bytes(32), bit)]
    assert fails(verify_consistency, old, new, proof, old_root, new_root)


@pytest.mark.parametrize("size", range(1, 13))
def test_every_single_bit_of_a_small_tree_counts(size: int) -> None:
    expected = TREE.hash(0, size)
    for index in range(size):
        leaf = leaf_hash(TREE.entries[index])
        proof = prove_inclusion(index, size, TREE.node)
        for bit in range(256):
            assert fails(verify_inclusion, flipped(leaf, bit), index, size, proof, expected)
            assert fails(verify_inclusion, leaf, index, size, proof, flipped(expected, bit))
            for at in range(len(proof)):
                changed = (*proof[:at], flipped(proof[at], bit), *proof[at + 1 :])
                assert fails(verify_inclusion, leaf, index, size, changed, expected)


@given(places(), st.integers(0, 65))
def test_no_inclusion_proof_verifies_at_another_index(place: tuple[int, int], bit: int) -> None:
    index, size = place
    proof = prove_inclusion(index, size, TREE.node)
    leaf = leaf_hash(TREE.entries[index])
    assert fails(verify_inclusion, leaf, index ^ (1 << bit), size, proof, TREE.hash(0, size))


@given(places(), st.integers(0, LARGE))
def test_no_entry_is_proved_at_a_place_that_it_does_not_have(place: tuple[int, int], other: int) -> None:
    index, size = place
    other %= size
    proof = prove_inclusion(other, size, TREE.node)
    is_there = not fails(
        verify_inclusion, leaf_hash(TREE.entries[index]), other, size, proof, TREE.hash(0, size)
    )
    assert is_there == (other == index)


@given(places(), st.integers(0, 13))
def test_another_size_fails_with_its_own_root(place: tuple[int, int], bit: int) -> None:
    """A size is bound by its root: who signs one, signs both (tlog-checkpoint)."""
    index, size = place
    other = size ^ (1 << bit)
    if other <= LARGE:
        leaf, proof = leaf_hash(TREE.entries[index]), prove_inclusion(index, size, TREE.node)
        assert fails(verify_inclusion, leaf, index, other, proof, TREE.hash(0, other))
        old = index + 1
        consistency = prove_consistency(old, size, TREE.node)
        assert fails(verify_consistency, old, other, consistency, TREE.hash(0, old), TREE.hash(0, other))


@given(places(), st.lists(st.binary(max_size=40), max_size=70))
def test_any_proof_is_right_or_raises_the_one_error(place: tuple[int, int], proof: list[bytes]) -> None:
    index, size = place
    right = prove_inclusion(index, size, TREE.node)
    leaf = leaf_hash(TREE.entries[index])
    assert fails(verify_inclusion, leaf, index, size, proof, TREE.hash(0, size)) == (tuple(proof) != right)
    right = prove_consistency(index, size, TREE.node)
    roots = TREE.hash(0, index), TREE.hash(0, size)
    assert fails(verify_consistency, index, size, proof, *roots) == (tuple(proof) != right)
