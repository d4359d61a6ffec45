"""Merkle trees as RFC 6962 defines them: hashes, roots, and proofs, made and verified. Pure.

Here belongs the shape of the tree. Not here: where hashes are kept (``tiles``), who signs a root
(``checkpoint``). A tree is read through a ``Node``: it knows the complete subtrees, of which every root and
every proof is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from holdfast.ledger.errors import InconsistentError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962, section 2.1)."""
LARGEST: Final = 2**63 - 1
"""Leaves of a tree: more are refused before anything is computed."""

Node = Callable[[int, int], bytes]
"""(level, index) → the hash of the complete subtree over leaves ``index << level`` to
``(index + 1) << level``, 32 bytes."""

_ADVICE = "ask for the proof again, of this entry and this checkpoint; if it fails again, keep both"


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(size: int, node: Node) -> bytes:
    """The hash of a tree of ``size`` leaves."""
    return _subtree(0, size, node) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """The path of leaf ``index`` in a tree of ``size``, from the leaf's sibling up (RFC 6962, section 2.1.1).

    Raises InconsistentError for a leaf that the tree does not have."""
    _check_leaf(index, size)
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, node))
            end = middle
        else:
            path.append(_subtree(start, middle, node))
            start = middle
    return tuple(reversed(path))


def prove_consistency(old: int, new: int, node: Node) -> tuple[bytes, ...]:
    """That the tree of ``new`` leaves continues that of ``old`` (RFC 6962, section 2.1.2); empty where the
    sizes are equal, and from the empty tree. Raises InconsistentError where ``old`` is the larger."""
    _check_sizes(old, new)
    if old in (0, new):
        return ()
    proof = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_subtree(middle, end, node))
            end = middle
        else:
            proof.append(_subtree(start, middle, node))
            start = middle
    if start:  # else this subtree is the old tree, whose root the verifier has
        proof.append(_subtree(start, end, node))
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """That ``leaf`` (a leaf's hash) stands at ``index`` in the tree of this size and root.

    RFC 9162, section 2.1.3.2. ``size`` and ``root`` must come from one signed checkpoint: of the size alone a
    proof shows no more than its own length does. Raises InconsistentError."""
    _check_leaf(index, size)
    _check_hashes(leaf, root, *proof)
    position, last = index, size - 1
    found = leaf
    for sibling in proof:
        if last == 0:
            raise InconsistentError("the inclusion proof is too long for this tree", _ADVICE)
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise InconsistentError("the inclusion proof is too short for this tree", _ADVICE)
    if found != root:
        raise InconsistentError(f"entry {index} is not in this tree: the proof leads elsewhere", _ADVICE)


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """That the tree of ``new`` leaves and ``new_root`` continues that of ``old`` and ``old_root``.

    RFC 9162, section 2.1.4.2. Each size and its root must come from one signed checkpoint, as for
    ``verify_inclusion``. Raises InconsistentError."""
    _check_sizes(old, new)
    _check_hashes(old_root, new_root, *proof)
    if old in (0, new):
        if proof:
            raise InconsistentError("the consistency proof should be empty for these sizes", _ADVICE)
        if (old == 0 and old_root != EMPTY_ROOT) or (old == new and old_root != new_root):
            raise InconsistentError(f"two trees of size {old} have different roots", "keep both checkpoints")
        return
    if not proof:
        raise InconsistentError("the consistency proof is empty", _ADVICE)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    former = latter = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise InconsistentError("the consistency proof is too long for these sizes", _ADVICE)
        if position & 1 or position == last:
            former, latter = node_hash(sibling, former), node_hash(sibling, latter)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            latter = node_hash(latter, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise InconsistentError("the consistency proof is too short for these sizes", _ADVICE)
    if (former, latter) != (old_root, new_root):
        raise InconsistentError(
            f"the tree of size {new} does not continue that of size {old}",
            "keep both checkpoints and the proof, and show them to others: the log may have been rewritten",
        )


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first. An append costs
    one hash on average, and any root log2(size)."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)

    @classmethod
    def load(cls, size: int, node: Node) -> Frontier:
        """That of the tree of ``size`` leaves."""
        return cls(size, [node(level, index) for level, index in _complete(0, size)])

    def append(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        rest = self.size
        while rest & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            rest >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(start: int, end: int, node: Node) -> bytes:
    return _fold([node(level, index) for level, index in _complete(start, end)])


def _complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees of leaves ``start`` to ``end``, from the left; ``start`` is a multiple of the
    largest."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _fold(peaks: Sequence[bytes]) -> bytes:
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found


def _check_leaf(index: int, size: int) -> None:
    if not 0 <= index < size <= LARGEST:
        raise InconsistentError(f"a tree of size {size} has no leaf {index}", "ask for a newer checkpoint")


def _check_sizes(old: int, new: int) -> None:
    if not 0 <= old <= new <= LARGEST:
        raise InconsistentError(f"a tree of size {new} cannot continue one of size {old}", "swap the two")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise InconsistentError("a hash in a proof is not of 32 bytes", _ADVICE)
