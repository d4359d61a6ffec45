"""A log as its owner uses it: append, publish, prove.

The life of an entry: ``append`` makes it durable in the journal and gives it its index. ``publish`` takes all
that are durable, writes the tiles that hold them, then remembers the checkpoint as signed, then asks
witnesses, and only then shows it. Each step is durable before the next begins; a process that is killed
between two of them leaves what the next ``publish`` goes on from.

That a log never forks rests on one rule: what was signed once is remembered before anybody sees it, and
nothing is signed that does not continue it. Here belong that order and that rule. Not here: how something
becomes durable (``storage``), what is read and proved (``published``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from holdfast.ledger.checkpoint import Checkpoint, Opened, open_checkpoint
from holdfast.ledger.errors import (
    InconsistentError,
    MalformedError,
    MissingError,
    StorageError,
    UntrustedError,
)
from holdfast.ledger.files import Files
from holdfast.ledger.growth import Growth
from holdfast.ledger.heads import check_heads
from holdfast.ledger.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash, prove_consistency, root
from holdfast.ledger.note import Ed25519Signer, Note, Signature, Signer, SignerKey
from holdfast.ledger.posix import Directory
from holdfast.ledger.published import CHECKPOINT, RESTORE, Published
from holdfast.ledger.storage import Storage
from holdfast.ledger.tiles import FULL, new_tiles, tile_in

_PIECE: Final = 8 * 2**20
"""Bytes of tiles that are held before they are written."""

Prove = Callable[[int], tuple[bytes, ...]]
"""Old size → the consistency proof from there to the checkpoint that was signed just now."""
Cosign = Callable[[bytes, Prove], Iterable[Signature]]
"""The signed checkpoint, and proofs for it → the signatures of witnesses. Others can append meanwhile. What
it raises ends the ``publish``, which may be repeated."""


class Log(Published):
    """One log, in a store that several processes may use at once. All methods raise LedgerError only; after
    one, nothing that was acknowledged is lost, and the call may be repeated."""

    def __init__(self, storage: Storage, signer: Signer | None = None) -> None:
        """Without a signer it can do all but publish.

        Raises UntrustedError for a signer of another log, and InconsistentError or MalformedError where the
        store contradicts itself."""
        super().__init__(storage)
        if signer and signer.verifier != storage.key:
            raise UntrustedError(
                f"this is a key of {signer.verifier.name}, and not the one of the log in {storage.name}",
                "use the key that the log was made with",
            )
        self._signer = signer
        self._heads()

    @classmethod
    def create(
        cls, path: Path, signer: Signer, secret: SignerKey | None = None, files: Files | None = None
    ) -> Self:
        """A new, empty log in a directory, whose origin is the signer's name; ``secret`` is kept in it."""
        text = Checkpoint(signer.verifier.name, 0, EMPTY_ROOT).text()
        first = Note(text, (signer.sign(text),)).encode()
        return cls(Directory.create(path, signer.verifier, first, secret, files), signer)

    @classmethod
    def open(cls, path: Path, signer: Signer | None = None, files: Files | None = None) -> Self:
        """The log of a directory; with the key that is kept in it, where no other signer is given."""
        directory = Directory(path, files)
        if signer is None:
            with suppress(MissingError):
                signer = Ed25519Signer(directory.signer_key())
        return cls(directory, signer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.storage.close()

    def append(self, entries: Sequence[bytes]) -> int:
        """The index of the first; the others follow it. On return all are durable, and will be in the next
        checkpoint. Raises MalformedError for an entry of more than 65,535 bytes, and for none; then, as after
        any error, no index was given."""
        if not entries:
            raise MalformedError("there is nothing to append", "give an entry")
        return self.storage.append(entries)

    @property
    def pending(self) -> int:
        """Entries that are durable and not in the published checkpoint."""
        size = self.checkpoint().checkpoint.size
        return self.storage.span().end - size

    def publish(self, cosign: Cosign | None = None) -> Opened:
        """A checkpoint of all entries that are durable now; without new ones it is the same one again, with
        the cosignatures that it had, and new ones instead of those of the same witnesses.

        Raises InconsistentError, and signs nothing, where the store contradicts what was signed before."""
        if self._signer is None:
            raise UntrustedError("the log's key is not here", "publish where it is")
        with self.storage.publishing():
            published, growth = self._heads()
            self._integrate(growth, self.storage.settle().end)
            size = growth.size
            text = Checkpoint(self.storage.key.name, size, growth.root()).text()
            own = self._signer.sign(text)
            signed = Note(text, (own,)).encode()
            open_checkpoint(signed, self.storage.key)  # hardware can sign wrongly too
            self.storage.keep_signed(signed)
            fresh = tuple(cosign(signed, self._prover(size))) if cosign else ()
            former = published.note.signatures if published.note.text == text else ()
            opened = open_checkpoint(_merged(text, (own, *fresh, *former)).encode(), self.storage.key)
            self.storage.put({CHECKPOINT: opened.note.encode()})
            self._tidy(published.checkpoint.size, size)
            return opened

    def find(self, entry: bytes, start: int = 0) -> int | None:
        """The first index from ``start`` on at which this entry stands, published or only durable. Reads 32
        bytes for each entry; waits while somebody publishes."""
        wanted = leaf_hash(entry)
        with self.storage.publishing():
            size = self.checkpoint().checkpoint.size
            for tile in range(start // FULL, -(-size // FULL)):
                data = self.read(tile_in(size, 0, tile))
                for at in range(0, len(data), HASH_BYTES):
                    index = tile * FULL + at // HASH_BYTES
                    if data.startswith(wanted, at) and index >= start:
                        return index
            first = max(size, start)
            pending = self.storage.entries(first, self.storage.settle().end)
            return next((index for index, each in enumerate(pending, first) if each == entry), None)

    def _heads(self) -> tuple[Opened, Growth]:
        """The published checkpoint, and the tree that was signed last, after a check that they and the
        journal belong together. Others may publish meanwhile: read in this order, each of the four is at
        least as new as the one before, and may be no smaller."""
        start = self.storage.span().start
        published = self.checkpoint()
        signed = open_checkpoint(self.storage.signed(), self.storage.key).checkpoint
        end = self.storage.span().end
        check_heads(self.storage.name, start, published.checkpoint, signed, end)
        growth = Growth.load(signed.size, self.read)
        if growth.root() != signed.root:
            raise InconsistentError(
                f"the tree in {self.storage.name} is not the one that was signed at size {signed.size}",
                RESTORE,
            )
        if root(published.checkpoint.size, self.nodes(signed.size)) != published.checkpoint.root:
            raise InconsistentError(
                f"the tree in {self.storage.name} does not continue the published checkpoint", RESTORE
            )
        return published, growth

    def _integrate(self, growth: Growth, end: int) -> None:
        """Entries up to ``end`` become part of the tree, and its new files durable."""
        held: dict[str, bytes] = {}
        weight = 0
        grown = growth.add(self.storage.entries(growth.size, end))
        for tile, data in chain(grown, growth.partial()):
            held[tile.path] = data
            weight += len(data)
            if weight > _PIECE:
                self.storage.put(held)
                held, weight = {}, 0
        self.storage.put(held)

    def _tidy(self, old: int, new: int) -> None:
        """Remove what is not needed any more. A partial tile is, until the full one is there (tlog-tiles,
        section "Partial Tiles"): somebody may hold a checkpoint of its size."""
        for tile in new_tiles(old, new):
            if tile.is_full:
                self.storage.remove(f"{tile.path}.p")
        with suppress(StorageError):  # the checkpoint is published; the next one tries again
            self.storage.forget(new)

    def _prover(self, size: int) -> Prove:
        return lambda old: prove_consistency(old, size, self.nodes(size))


def _merged(text: str, signatures: Iterable[Signature]) -> Note:
    """A note with one signature of each key: the first that is given."""
    kept: dict[tuple[str, bytes], Signature] = {}
    for each in signatures:
        kept.setdefault((each.name, each.key_id), each)
    return Note(text, tuple(kept.values()))
