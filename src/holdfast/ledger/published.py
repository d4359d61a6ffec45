"""A log as its own host reads it: the published checkpoint, entries, and proofs, from its storage.

Whatever is given out is first held against the signed root: a disk that has lost a bit must not become a
proof that fails at somebody's. Not here: what changes a log (``log``), and looking at one that one does not
trust (``verify``, ``fsck``).
"""

from __future__ import annotations

from typing import Final

from holdfast.ledger.checkpoint import Opened, open_checkpoint
from holdfast.ledger.errors import InconsistentError, MalformedError, MissingError
from holdfast.ledger.merkle import (
    HASH_BYTES,
    Node,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root,
    verify_consistency,
    verify_inclusion,
)
from holdfast.ledger.proof import TlogProof
from holdfast.ledger.storage import Storage
from holdfast.ledger.tiles import FULL, Tile, decode_bundle, encode_bundle, node_reader, tile_in

CHECKPOINT: Final = "checkpoint"
RESTORE: Final = "restore it from a copy of the log; 'holdfast ledger fsck' tells what else is wrong"


class Published:
    """The published part of a log. Needs no lock: others may publish meanwhile. Raises LedgerError."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def checkpoint(self) -> Opened:
        """The one that is published."""
        return open_checkpoint(self.storage.get(CHECKPOINT), self.storage.key)

    def prove(self, index: int, extra: bytes | None = None) -> TlogProof:
        """That entry ``index`` is in the published checkpoint. Raises InconsistentError where it is not, or
        not yet, and where the tree on the disk is not the one that was signed."""
        opened = self.checkpoint()
        head = opened.checkpoint
        node = self.nodes(head.size)
        hashes = prove_inclusion(index, head.size, node)
        verify_inclusion(node(0, index), index, head.size, hashes, head.root)
        return TlogProof(index, hashes, opened.note.encode(), extra)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """That the tree of ``new`` leaves continues that of ``old``, both at most the published one. Raises
        InconsistentError as ``prove`` does."""
        head = self.checkpoint().checkpoint
        if new > head.size:
            raise InconsistentError(f"the log has {head.size} entries, not {new}", "publish, or ask for less")
        node = self.nodes(head.size)
        proof = prove_consistency(old, new, node)
        old_root, new_root = root(old, node), root(new, node)
        verify_consistency(old, new, proof, old_root, new_root)
        verify_consistency(new, head.size, prove_consistency(new, head.size, node), new_root, head.root)
        return proof

    def entry(self, index: int) -> bytes:
        """A published entry. Raises InconsistentError where there is none, or not the one that was hashed."""
        size = self.checkpoint().checkpoint.size
        if not 0 <= index < size:
            raise InconsistentError(f"the log has {size} entries, and no entry {index}", "publish first")
        bundle = tile_in(size, None, index // FULL)
        entry = decode_bundle(self.read(bundle), bundle.width)[index % FULL]
        if leaf_hash(entry) != self.nodes(size)(0, index):
            raise InconsistentError(f"entry {index} in {bundle.path} is not what was hashed", RESTORE)
        return entry

    def nodes(self, size: int) -> Node:
        """The tree of ``size`` leaves, of which all tiles are there."""
        return node_reader(size, self.read)

    def read(self, tile: Tile) -> bytes:
        """A file of the log in exactly this width: cut from the full one, where only that is left. Raises
        MissingError, and MalformedError for one that is too short."""
        try:
            data = self.storage.get(tile.path)
        except MissingError:
            if tile.is_full:
                raise
            data = self.storage.get(tile.full().path)
            if tile.level is None:
                return encode_bundle(decode_bundle(data, FULL)[: tile.width])
            data = data[: tile.width * HASH_BYTES]
        if tile.level is not None and len(data) != tile.width * HASH_BYTES:
            raise MalformedError(f"{tile.path} in {self.storage.name} has {len(data)} bytes", RESTORE)
        return data
