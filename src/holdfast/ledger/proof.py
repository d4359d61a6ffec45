"""Proofs to keep: that an entry is in a log, checked offline with the log's key and the witnesses' keys.

C2SP tlog-proof (https://c2sp.org/tlog-proof). Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from holdfast.ledger.checkpoint import Opened, open_checkpoint, parse_number
from holdfast.ledger.errors import MalformedError
from holdfast.ledger.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from holdfast.ledger.note import LARGEST_NOTE, VerifierKey, decode_base64

HEADER: Final = "c2sp.org/tlog-proof@v1"
MOST_HASHES: Final = 63
_AGAIN = "ask for the proof again, and keep it byte for byte"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """What a ``.tlog-proof`` file says. ``encode`` and ``parse_proof`` are inverses, byte for byte."""

    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up, 32 bytes each."""
    checkpoint: bytes
    """The signed note as the log gave it."""
    extra: bytes | None = None
    """Opaque, and signed by nobody."""

    def encode(self) -> bytes:
        """The file (tlog-proof, section "Format")."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(each).decode() for each in self.hashes]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def parse_proof(data: bytes) -> TlogProof:
    """Raises MalformedError for anything that ``TlogProof.encode`` would not write. The checkpoint in it is
    not read yet."""
    if len(data) > 2 * LARGEST_NOTE:
        raise MalformedError(f"a proof of {len(data)} bytes is too large", _AGAIN)
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as wrong:
        raise MalformedError("the proof has letters that no proof has", _AGAIN) from wrong
    if not blank or lines.pop(0) != HEADER:
        raise MalformedError(f"this is no proof: it does not begin with {HEADER}", _AGAIN)
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "), "the proof's extra data")
    if not lines or not lines[0].startswith("index "):
        raise MalformedError("the proof does not say which entry it is of", _AGAIN)
    index = parse_number(lines.pop(0).removeprefix("index "), "the proof's index")
    hashes = tuple(decode_base64(line, "a hash in the proof") for line in lines)
    if len(hashes) > MOST_HASHES or any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedError("the proof has too many hashes, or one that is not of 32 bytes", _AGAIN)
    return TlogProof(index, hashes, checkpoint, extra)


def verify_proof(
    entry: bytes,
    proof: TlogProof,
    log: VerifierKey,
    witnesses: Collection[VerifierKey] = (),
    quorum: int = 0,
) -> Opened:
    """That ``entry`` is in ``log`` at the proof's index, under a checkpoint that ``quorum`` of the witnesses
    have countersigned; returns that checkpoint. Raises MalformedError, UntrustedError, InconsistentError."""
    opened = open_checkpoint(proof.checkpoint, log, witnesses, quorum)
    head = opened.checkpoint
    verify_inclusion(leaf_hash(entry), proof.index, head.size, proof.hashes, head.root)
    return opened
