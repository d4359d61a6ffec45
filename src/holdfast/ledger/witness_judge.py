"""What a witness decides: whether a checkpoint continues what it has seen of the log. Pure.

C2SP tlog-witness (https://c2sp.org/tlog-witness), section "add-checkpoint": the request, its inverse, and the
answer to it, as a function of what is remembered. Not here: remembering (``witness_store``), asking others
(``witness``).
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.ledger.checkpoint import Checkpoint, parse_checkpoint, parse_number
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import InconsistentError, MalformedError, UntrustedError
from holdfast.ledger.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from holdfast.ledger.note import Note, SignerKey, VerifierKey, decode_base64, parse_note, verify_note

MOST_HASHES: Final = 63
LARGEST_REQUEST: Final = 1 << 18
"""Bytes: 63 lines of 45, and a checkpoint with more than sixteen of the largest signatures there are."""
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
_AGAIN: Final = "write it as tlog-witness has it"


@dataclass(frozen=True, slots=True)
class Request:
    """``encode`` and ``parse_request`` are inverses, byte for byte."""

    old: int
    """The size that the proof begins at: what the witness has seen last, as the client believes."""
    proof: tuple[bytes, ...]
    """32 bytes each (RFC 6962, section 2.1.2)."""
    checkpoint: bytes
    """The signed note."""

    def encode(self) -> bytes:
        lines = (f"old {self.old}", *(base64.b64encode(each).decode() for each in self.proof))
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def parse_request(data: bytes) -> Request:
    """Raises MalformedError for anything that ``Request.encode`` would not write."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("the request has letters that no request has", _AGAIN) from None
    if not blank or not first.startswith("old "):
        raise MalformedError("the request does not begin with an old size and end in a checkpoint", _AGAIN)
    proof = tuple(decode_base64(line, "a hash of the proof") for line in lines)
    if len(proof) > MOST_HASHES or any(len(each) != HASH_BYTES for each in proof):
        raise MalformedError("the proof has too many hashes, or one that is not of 32 bytes", _AGAIN)
    return Request(parse_number(first.removeprefix("old "), "the old size"), proof, checkpoint)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint of a log that this witness has cosigned."""

    note: bytes
    """With the log's signature: what is shown to others when the log tells two stories."""
    checkpoint: Checkpoint


def parse_seen(data: bytes) -> Seen:
    """From the signed note. Raises MalformedError."""
    return Seen(data, parse_checkpoint(parse_note(data).text))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and what must be durable before it is given."""

    status: int
    body: str
    kind: str = TEXT_TYPE
    remember: Seen | None = None
    """In place of what was remembered."""
    evidence: tuple[bytes, bytes] | None = None
    """Two checkpoints of one size and different roots, both signed by the log: it has told two stories."""


def judge(
    request: Request, seen: Seen | None, keys: Collection[VerifierKey], signer: SignerKey, now: int
) -> Verdict:
    """Decide, in the order of the specification. ``keys``: of the log that the checkpoint names, empty where
    it is not known; ``seen``: None where nothing of this log has been cosigned; ``now``: unix seconds."""
    try:
        note = parse_note(request.checkpoint)
        new = parse_checkpoint(note.text)
    except MalformedError as wrong:
        return _refuse(400, wrong.problem)
    if not keys:
        return _refuse(404, "this witness does not know that log")
    try:
        verify_note(note, keys)
    except UntrustedError as wrong:
        return _refuse(403, wrong.problem)
    if request.old > new.size:
        return _refuse(400, "the old size is larger than the checkpoint's")
    return _judge_signed(request, note, new, seen, signer, now)


def _judge_signed(
    request: Request, note: Note, new: Checkpoint, seen: Seen | None, signer: SignerKey, now: int
) -> Verdict:
    last = seen.checkpoint if seen else Checkpoint(new.origin, 0, EMPTY_ROOT)
    evidence = None
    if seen and new.size == last.size and new.root != last.root:
        evidence = seen.note, request.checkpoint
    if request.old != last.size:
        return Verdict(409, f"{last.size}\n", SIZE_TYPE, evidence=evidence)
    if evidence or (new.size == 0 and new.root != EMPTY_ROOT):
        return Verdict(409, "there is another checkpoint of this size\n", evidence=evidence)
    try:
        verify_consistency(last.size, new.size, request.proof, last.root, new.root)
    except InconsistentError as wrong:
        return _refuse(422, wrong.problem)
    # One of the same size is remembered once more: the process that wrote it down may have been killed, or
    # its sync have failed, before it was durable.
    kept = Seen(request.checkpoint, new) if seen is None or new.size > last.size else seen
    return Verdict(200, cosign(note.text, signer, now).line(), remember=kept)


def origin_of(request: Request) -> str:
    """The log that the checkpoint names, before anything is verified. Raises MalformedError."""
    return parse_checkpoint(parse_note(request.checkpoint).text).origin


def trusted_logs(keys: Sequence[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    """By origin, which is the name of the log's keys (tlog-checkpoint, section "Signatures")."""
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for key in keys:
        logs[key.name] = (*logs.get(key.name, ()), key)
    return logs


def _refuse(status: int, problem: str) -> Verdict:
    return Verdict(status, f"{problem}\n")
