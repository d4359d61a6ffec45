"""What an edge is given to put a block in force, and whether it may: only what is on the public record.

Here belong the release and its check. Not here: keeping releases (``releases``, ``store``), making them
(``accountable``), what an entry says (``model.record``), how a proof is verified (``ledger.proof``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from holdfast.ledger.entry import parse_entry
from holdfast.ledger.errors import LedgerError
from holdfast.ledger.note import VerifierKey
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.model.enforcement import Enforcement, scope_document
from holdfast.model.errors import error
from holdfast.model.record import BLOCK, BlockRecord, content_hash, parse_block, stamp

EARLIEST: Final = timedelta(minutes=5)
"""By how much the clock of whoever decided may be ahead of the edge's."""
IN_FORCE: Final = "in force"
LIFTED: Final = "lifted"
OVER: Final = "over"
NOT_IN_FORCE: Final = "not in force"


@dataclass(frozen=True, slots=True)
class Release:
    """A decision that may be put in force, with what shows that it is on record."""

    enforcement: Enforcement
    entry: bytes
    """As it stands in the log."""
    proof: str
    """That it stands there: a C2SP tlog-proof (https://c2sp.org/tlog-proof)."""
    statement: str
    """The public statement, Markdown."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose record counts."""

    log: VerifierKey | None = None
    """None: nobody's, so nothing can be put in force."""
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    """So many of the witnesses must have countersigned."""


@dataclass(frozen=True, slots=True)
class PublicRecord:
    """A release as the public is told about it."""

    release: Release
    index: int
    """Of its entry in the log."""
    status: str
    """``IN_FORCE``, ``LIFTED``, ``OVER`` (it has come to its end) or ``NOT_IN_FORCE`` (its proof fails)."""
    ended: datetime | None = None
    """When it was lifted or came to its end."""


def check(release: Release, trust: Trust, now: datetime) -> int:
    """Whether a release may be in force at this time; returns the index of its entry.

    Raises HoldfastError, with what to do, when it is not on the trusted record, when the record says other
    than the enforcement or the statement, and when it is not its time.
    """
    enforcement = release.enforcement
    index = _prove(release, trust)
    record = _read(release.entry)
    # What the edge does and shows, and what the record says of it, one by one.
    pairs: dict[str, tuple[object, object]] = {
        "id": (enforcement.id, record.id),
        "scope": (scope_document(enforcement.scope), scope_document(record.scope)),
        "ground": (enforcement.ground, record.ground),
        "since": (stamp(enforcement.since), stamp(record.since)),
        "until": (stamp(enforcement.until), stamp(record.until)),
        "by": (enforcement.by, record.by_role),
        "authority": (enforcement.authority, record.authority),
    }
    for name, (done, said) in pairs.items():
        if done != said:
            raise error(
                f"entry {index} of the record says {said!r}, not {done!r}",
                "release what is on record, or record what is to be released",
                name,
            )
    if content_hash(release.statement.encode(errors="surrogatepass")) != record.statement_hash:
        raise error(
            f"this is not the statement that entry {index} of the record bears the hash of",
            "release it with the statement byte for byte as it was recorded",
            "statement",
        )
    if enforcement.until <= now:
        raise error(f"it was over at {stamp(enforcement.until)}", "decide and record anew", "until")
    if enforcement.since > now + EARLIEST:
        raise error(f"it begins only at {stamp(enforcement.since)}", "release it then", "since")
    return index


def _prove(release: Release, trust: Trust) -> int:
    if trust.log is None:
        raise error(
            "no log is trusted here, and nothing is blocked without a record",
            "set [ledger] key in holdfast.toml and run 'holdfast edge apply'",
            "ledger.key",
        )
    if not release.proof:
        raise error("there is no proof that it is on record", "record it, and release it anew", "proof")
    try:
        proof = parse_proof(release.proof.encode(errors="surrogatepass"))
        verify_proof(release.entry, proof, trust.log, trust.witnesses, trust.quorum)
    except LedgerError as wrong:
        raise error(wrong.problem, wrong.remedy, "proof") from wrong
    return proof.index


def _read(entry: bytes) -> BlockRecord:
    """The record in an entry that is proved. Raises HoldfastError where it is none of a block."""
    try:
        read = parse_entry(entry)
    except LedgerError as wrong:
        raise error(wrong.problem, wrong.remedy, "entry") from wrong
    if read.kind != BLOCK:
        raise error(f"the entry is of the kind {read.kind!r}", "release a block by its own entry", "entry")
    return parse_block(read.public)
