"""Trees at their edges: what is refused, and what a proof does not show."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast.ledger.errors import InconsistentError
from holdfast.ledger.merkle import (
    EMPTY_ROOT,
    LARGEST,
    Frontier,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(entry) for entry in (b"a", b"b", b"c", b"d", b"e", b"f", b"g")]
AB, CD = node_hash(*LEAVES[:2]), node_hash(*LEAVES[2:4])
EF = node_hash(*LEAVES[4:6])
ABCD = node_hash(AB, CD)
ROOTS = [EMPTY_ROOT, LEAVES[0], AB, node_hash(AB, LEAVES[2]), ABCD, node_hash(ABCD, LEAVES[4])]
ROOTS += [node_hash(ABCD, EF), node_hash(ABCD, node_hash(EF, LEAVES[6]))]
NOTHING = bytes(32)


def node(level: int, index: int) -> bytes:
    return {0: LEAVES, 1: [AB, CD, EF], 2: [ABCD]}[level][index]


def test_hashes_are_those_of_the_rfc() -> None:
    """RFC 6962, section 2.1: the empty tree, an empty leaf, and what keeps leaves and nodes apart."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != AB


@pytest.mark.parametrize("size", range(8))
def test_roots(size: int) -> None:
    assert root(size, node) == ROOTS[size]
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    assert frontier.root() == ROOTS[size]
    assert Frontier.load(size, node).root() == ROOTS[size]


# RFC 6962, section 2.1.3: its examples in a tree of seven leaves.
@pytest.mark.parametrize(
    ("index", "proof"),
    [
        (0, [LEAVES[1], CD, node_hash(EF, LEAVES[6])]),
        (3, [LEAVES[2], AB, node_hash(EF, LEAVES[6])]),
        (4, [LEAVES[5], LEAVES[6], ABCD]),
        (6, [EF, ABCD]),
    ],
)
def test_the_examples_of_inclusion(index: int, proof: list[bytes]) -> None:
    assert list(prove_inclusion(index, 7, node)) == proof
    verify_inclusion(LEAVES[index], index, 7, proof, ROOTS[7])


@pytest.mark.parametrize(
    ("old", "proof"),
    [
        (3, [LEAVES[2], LEAVES[3], AB, node_hash(EF, LEAVES[6])]),
        (4, [node_hash(EF, LEAVES[6])]),
        (6, [EF, LEAVES[6], ABCD]),
    ],
)
def test_the_examples_of_consistency(old: int, proof: list[bytes]) -> None:
    assert list(prove_consistency(old, 7, node)) == proof
    verify_consistency(old, 7, proof, ROOTS[old], ROOTS[7])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (7, 7), (8, 7), (-1, 7), (0, -1), (0, LARGEST + 1)])
def test_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(InconsistentError, match="has no leaf"):
        prove_inclusion(index, size, node)
    with pytest.raises(InconsistentError, match="has no leaf"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 1), (1, -1), (1, LARGEST + 1)])
def test_sizes_that_cannot_follow(old: int, new: int) -> None:
    with pytest.raises(InconsistentError, match="cannot continue"):
        prove_consistency(old, new, node)
    with pytest.raises(InconsistentError, match="cannot continue"):
        verify_consistency(old, new, [], AB, AB)


@pytest.mark.parametrize(
    ("old", "new", "old_root", "new_root"),
    [
        (0, 0, EMPTY_ROOT, NOTHING),
        (0, 0, NOTHING, EMPTY_ROOT),
        (0, 0, NOTHING, NOTHING),
        (0, 7, NOTHING, ROOTS[7]),
        (7, 7, ROOTS[7], ROOTS[6]),
    ],
)
def test_two_roots_of_one_size(old: int, new: int, old_root: bytes, new_root: bytes) -> None:
    """Also of the empty tree, which has one root only."""
    with pytest.raises(InconsistentError, match=f"two trees of size {old} have different roots"):
        verify_consistency(old, new, [], old_root, new_root)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 7), (7, 7)])
def test_where_no_proof_is_needed_none_is_taken(old: int, new: int) -> None:
    verify_consistency(old, new, [], ROOTS[old], ROOTS[new])
    with pytest.raises(InconsistentError, match="should be empty"):
        verify_consistency(old, new, [NOTHING], ROOTS[old], ROOTS[new])


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ([], "too short"),
        ([LEAVES[2], AB], "too short"),
        ([LEAVES[2], AB, node_hash(EF, LEAVES[6]), NOTHING], "too long"),
        ([NOTHING, AB, node_hash(EF, LEAVES[6])], "leads elsewhere"),
        ([b"", AB, NOTHING], "not of 32 bytes"),
        ([NOTHING * 2, AB, NOTHING], "not of 32 bytes"),
    ],
)
def test_wrong_inclusion_proofs(proof: Sequence[bytes], reason: str) -> None:
    with pytest.raises(InconsistentError, match=reason):
        verify_inclusion(LEAVES[3], 3, 7, proof, ROOTS[7])


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ([], "is empty"),
        ([EF, LEAVES[6]], "too short"),
        ([EF, LEAVES[6], ABCD, NOTHING], "too long"),
        ([EF, NOTHING, ABCD], "does not continue"),
        ([EF, LEAVES[6], b"short"], "not of 32 bytes"),
    ],
)
def test_wrong_consistency_proofs(proof: Sequence[bytes], reason: str) -> None:
    with pytest.raises(InconsistentError, match=reason):
        verify_consistency(6, 7, proof, ROOTS[6], ROOTS[7])


@pytest.mark.parametrize(("old", "new"), [(3, 7), (4, 7), (6, 7)])
def test_wrong_roots(old: int, new: int) -> None:
    proof = prove_consistency(old, new, node)
    for roots in ((NOTHING, ROOTS[new]), (ROOTS[old], NOTHING), (ROOTS[new], ROOTS[old])):
        with pytest.raises(InconsistentError):
            verify_consistency(old, new, proof, *roots)


def test_a_proof_does_not_show_the_size() -> None:
    """Which is why size and root are signed together: the way to this leaf is as long in a tree of four."""
    proof = prove_inclusion(0, 3, node)
    verify_inclusion(LEAVES[0], 0, 3, proof, ROOTS[3])
    verify_inclusion(LEAVES[0], 0, 4, proof, ROOTS[3])
