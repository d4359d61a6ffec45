"""Checkpoints: the signed head of a log.

C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint). Pure. Not here: whether one continues another
(``merkle``), where one is kept (``log``).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass

from holdfast.ledger.cosignature import Cosignature, cosignatures
from holdfast.ledger.errors import MalformedError, UntrustedError
from holdfast.ledger.merkle import HASH_BYTES, LARGEST
from holdfast.ledger.note import Note, VerifierKey, decode_base64, parse_note, verify_note

_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
_AGAIN = "fetch it again; if it comes like this again, the log is faulty"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself. ``text`` and ``parse_checkpoint`` are inverses, byte for byte."""

    origin: str
    size: int
    """Entries."""
    root: bytes
    extensions: tuple[str, ...] = ()
    """Lines without their newline, opaque."""

    def text(self) -> str:
        """The text of the note (tlog-checkpoint, section "Note text")."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises MalformedError for anything that ``Checkpoint.text`` would not write."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise MalformedError("the checkpoint does not have three lines or more, none of them empty", _AGAIN)
    origin, size, encoded, *extensions = lines
    root = decode_base64(encoded, "the checkpoint's root")
    if len(root) != HASH_BYTES:
        raise MalformedError("the checkpoint's root is not of 32 bytes", _AGAIN)
    return Checkpoint(origin, parse_number(size, "the checkpoint's size"), root, tuple(extensions))


def parse_number(text: str, what: str) -> int:
    """A decimal number without leading zeroes, as all these formats spell it. Raises MalformedError."""
    if not _NUMBER.fullmatch(text) or int(text) > LARGEST:
        raise MalformedError(f"{what} is {text[:40]!r}, not a number in its usual spelling", _AGAIN)
    return int(text)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint whose signatures have been verified."""

    checkpoint: Checkpoint
    note: Note
    cosignatures: tuple[Cosignature, ...]


def open_checkpoint(
    data: bytes, log: VerifierKey, witnesses: Collection[VerifierKey] = (), quorum: int = 0
) -> Opened:
    """Verify a signed checkpoint of ``log``, whose origin is its key's name, and that ``quorum`` of the
    witnesses have countersigned it. Raises MalformedError and UntrustedError."""
    note = parse_note(data)
    verify_note(note, (log,))
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log.name:
        raise UntrustedError(
            f"the checkpoint is of {checkpoint.origin[:80]!r}, not of {log.name}",
            "check which log you have asked",
        )
    found = cosignatures(note, witnesses)
    if len(found) < quorum:
        raise UntrustedError(
            f"{len(found)} of the {quorum} witnesses that are needed have signed the checkpoint",
            "wait until they have, or ask the log's operator why they do not",
        )
    return Opened(checkpoint, note, found)
