"""The log of this machine, as decisions need it: found again, appended to, published with its witnesses.

It is opened anew for each call: a block must be lifted also while the log cannot be used. Not here: the log
itself (``ledger.log``), when what is asked of it (``steps``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.ledger.disclosure import encode_disclosures
from holdfast.ledger.entry import Disclosure
from holdfast.ledger.errors import LedgerError
from holdfast.ledger.log import Log, Prove
from holdfast.ledger.note import Signature, VerifierKey
from holdfast.ledger.posix import Directory
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.ledger.witness import Witness, gather
from holdfast.model.errors import HoldfastError, error


@dataclass(frozen=True, slots=True)
class OwnLog:
    """All methods raise HoldfastError, and may be repeated then."""

    directory: Path
    key: VerifierKey
    """Whose log edges trust."""
    witnesses: tuple[Witness, ...] = ()
    """Whom to ask."""
    trusted: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    """So many of ``trusted`` edges want to have countersigned."""

    def end(self) -> int:
        """How many entries it has, those among them that are not published yet."""
        with self._opened() as log:
            return log.storage.span().end

    def find(self, entry: bytes, start: int) -> int | None:
        """The index of an entry, from ``start`` on; None: it is not there."""
        with self._opened() as log:
            return log.find(entry, start)

    def entry(self, index: int) -> bytes:
        """A published one."""
        with self._opened() as log:
            return log.entry(index)

    def has_signed(self, entry: bytes, proof: str) -> bool:
        """Whether ``proof`` shows ``entry`` in a log of this key."""
        try:
            verify_proof(entry, parse_proof(proof.encode()), self.key)
        except LedgerError:
            return False
        return True

    def check_holds(self, entry: bytes, index: int, proof: str) -> bool:
        """Whether ``proof`` is of this log. Raises HoldfastError where it is, and the entry is not there
        any more: the directory was put back from a copy that is older, and to go on with it would sign a
        second history."""
        if not self.has_signed(entry, proof):
            return False
        if self.find(entry, index) != index:
            raise error(
                f"{self.directory} is older than what it has published: entry {index} is not in it",
                "put back its newest copy, and what lacks there from whoever has copied the public files",
                "ledger",
            )
        return True

    def append(self, entry: bytes, private: Sequence[Disclosure]) -> int:
        """Its index, when it is durable, and what it commits to is kept for 'holdfast ledger reveal'."""
        with self._opened() as log, closing(Directory(self.directory)) as place:
            place.keep_disclosure(entry, encode_disclosures(private))
            return log.append([entry])

    def publish(self, entry: bytes, index: int) -> str:
        """Publish all there is, and prove that ``entry`` is at ``index``: a ``.tlog-proof`` file that every
        edge with this trust accepts."""
        with self._opened() as log:
            log.publish(self._cosign if self.witnesses else None)
            proof = log.prove(index)
            # Somebody else may have published in between, without the witnesses.
            verify_proof(entry, proof, self.key, self.trusted, self.quorum)
            return proof.encode().decode()

    def _cosign(self, checkpoint: bytes, prove: Prove) -> Sequence[Signature]:
        return gather(self.witnesses, checkpoint, prove, self.quorum).signatures

    @contextmanager
    def _opened(self) -> Iterator[Log]:
        try:
            with Log.open(self.directory) as log:
                if log.storage.key != self.key:
                    raise error(
                        f"the log in {self.directory} is not the one that edges trust ({self.key.name})",
                        f"set [ledger] key to {log.storage.key}, or [ledger] directory to the right one",
                        "ledger.key",
                    )
                yield log
        except LedgerError as wrong:
            raise told(wrong) from wrong


def told(wrong: LedgerError) -> HoldfastError:
    """The ledger's error as the one that surfaces render."""
    return error(wrong.problem, wrong.remedy, "ledger")
