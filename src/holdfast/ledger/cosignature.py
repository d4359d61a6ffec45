"""Cosignatures: a witness states that, at a time, it has seen this checkpoint and that it continues every
earlier one.

C2SP tlog-cosignature (https://c2sp.org/tlog-cosignature), the Ed25519 form. Pure: the time is given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from holdfast.ledger.errors import MalformedError, UntrustedError
from holdfast.ledger.note import COSIGNATURE, SIGNATURE_BYTES, Note, Signature, SignerKey, VerifierKey
from holdfast.ledger.note import verify_ed25519 as _verify

_LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One that has been verified."""

    key: VerifierKey
    time: int
    """Unix seconds, by the witness's clock."""


def cosign(text: str, key: SignerKey, time: int) -> Signature:
    """The witness's signature under a checkpoint's text. Raises MalformedError for a key of another type: one
    key must never sign two kinds of messages."""
    if key.kind != COSIGNATURE:
        raise MalformedError(
            f"the key of {key.name} is not one for cosignatures", "use the witness's own key"
        )
    data = time.to_bytes(8, "big") + key.sign(_message(text, time))
    return Signature(key.name, key.verifier.key_id, data)


def verify_cosignature(text: str, signature: Signature, key: VerifierKey) -> Cosignature:
    """A signature of ``key`` under a checkpoint's text. Raises UntrustedError, also for one in another name:
    what is signed does not say who signs."""
    if key.kind != COSIGNATURE or not key.is_named_in(signature):
        raise UntrustedError(f"this is no cosignature of {key.name}", "ask the witness again")
    if len(signature.data) != 8 + SIGNATURE_BYTES:
        raise UntrustedError(f"the cosignature of {key.name} is malformed", "ask the witness again")
    time = int.from_bytes(signature.data[:8], "big")
    if time > _LATEST:
        raise UntrustedError(f"the cosignature of {key.name} has an impossible time", "ask the witness again")
    _verify(key, _message(text, time), signature.data[8:])
    return Cosignature(key, time)


def cosignatures(note: Note, witnesses: Collection[VerifierKey]) -> tuple[Cosignature, ...]:
    """Those of known witnesses, one for each, all verified; others are ignored. Raises UntrustedError where
    one of a known witness is wrong.

    Two names of one public key are one witness (tlog-cosignature, section "Ed25519 signed message"): whoever
    has its cosignature can write it under the other name, too."""
    found: dict[bytes, Cosignature] = {}
    for signature in note.signatures:
        for key in witnesses:
            if key.kind == COSIGNATURE and key.is_named_in(signature):
                found.setdefault(key.public, verify_cosignature(note.text, signature, key))
    return tuple(found.values())


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
