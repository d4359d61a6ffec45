"""Signed notes: a text and the signatures under it, byte for byte, and the keys that make and check them.

C2SP signed-note (https://c2sp.org/signed-note). Pure: key material is given. Not here: what the text says
(``checkpoint``), and signatures that cover more than the text (``cosignature``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.ledger.errors import MalformedError, UntrustedError

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
"""Signature types (signed-note, section "Signature types"); of others signatures are ignored."""
KEY_BYTES: Final = 32
LONGEST_NAME: Final = 255
"""Bytes of a key's name, as in tlog-cosignature's newer type. Names of unknown keys may be longer."""
SIGNATURE_BYTES: Final = 64
LARGEST_NOTE: Final = 1_000_000
"""Bytes; and with ``MOST_SIGNATURES`` the limit that the specification asks verifiers to have."""
MOST_SIGNATURES: Final = 64

_DASH = "—"
_PRIVATE = "PRIVATE+KEY+"
_AS_PRINTED = "copy it whole, as 'holdfast ledger init' printed it"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signatures are trusted. As text: ``name+id+base64(type, key)``, id in hexadecimal."""

    name: str
    kind: int
    public: bytes
    """As its type has it: 32 bytes for Ed25519."""

    def __post_init__(self) -> None:
        _check_key_name(self.name)

    @property
    def key_id(self) -> bytes:
        """Four bytes (signed-note, section "Signatures")."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes((self.kind,)) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes((self.kind,)) + self.public)}"

    def is_named_in(self, signature: Signature) -> bool:
        """Whether a signature claims to be of this key."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)


def parse_verifier_key(text: str) -> VerifierKey:
    """The inverse of ``str``, but for blanks around it. Raises MalformedError, also for a key of a type whose
    signatures are never verified here: it would be trusted in vain."""
    name, key_id, kind, public = _parse_key(text, "verifier key")
    _check_length(public, "verifier key")
    key = VerifierKey(name, kind, public)
    if key.key_id.hex() != key_id:
        raise MalformedError(f"the id in the verifier key of {name} is not that of the key", _AS_PRINTED)
    return key


@dataclass(frozen=True, slots=True)
class SignerKey:
    """The private half, as a file holds it. As text: ``PRIVATE+KEY+name+id+base64(type, seed)``."""

    name: str
    kind: int
    seed: bytes = field(repr=False)
    """32 bytes (RFC 8032, section 5.1.5)."""

    def __post_init__(self) -> None:
        _check_key_name(self.name)
        _check_length(self.seed, "signer key")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def text(self) -> str:
        """Secret: for the key file, and for nothing else."""
        encoded = _base64(bytes((self.kind,)) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def parse_signer_key(text: str) -> SignerKey:
    """The inverse of ``SignerKey.text``, but for blanks around it. Raises MalformedError, which never shows
    the seed."""
    stripped = text.strip()
    if not stripped.startswith(_PRIVATE):
        raise MalformedError(f"this is no signer key: it does not begin with {_PRIVATE}", _AS_PRINTED)
    name, key_id, kind, seed = _parse_key(stripped.removeprefix(_PRIVATE), "signer key")
    key = SignerKey(name, kind, seed)
    if key.verifier.key_id.hex() != key_id:
        raise MalformedError(f"the id in the signer key of {name} is not that of the key", _AS_PRINTED)
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note."""

    name: str
    key_id: bytes
    """Four bytes."""
    data: bytes

    def line(self) -> str:
        """With its newline; ``parse_signature`` is the inverse."""
        return f"{_DASH} {self.name} {_base64(self.key_id + self.data)}\n"


def parse_signature(line: str) -> Signature:
    """A signature line, without its newline; raises MalformedError."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH:
        raise MalformedError(f"{line[:80]!r} is no signature line", "fetch the note again")
    check_name(parts[1])
    data = decode_base64(parts[2], "a signature")
    if len(data) < 5:
        raise MalformedError(f"the signature of {parts[1][:80]!r} is too short", "fetch the note again")
    return Signature(parts[1], data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and who signed it. ``encode`` and ``parse_note`` are inverses."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()


def parse_note(data: bytes) -> Note:
    """Raises MalformedError for anything that ``Note.encode`` would not write: more than one spelling of a
    note would be more than one note to witnesses."""
    again = "fetch it again; it must be passed on byte for byte"
    if len(data) > LARGEST_NOTE:
        raise MalformedError(
            f"a note of {len(data)} bytes is too large", f"{LARGEST_NOTE} bytes are the limit"
        )
    try:
        whole = data.decode()
    except UnicodeDecodeError as wrong:
        raise MalformedError(f"the note is not UTF-8 ({wrong.reason})", again) from wrong
    if any(ord(each) < 0x20 and each != "\n" for each in whole):
        raise MalformedError("the note has a control character", again)
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise MalformedError("the note has no signatures after an empty line", again)
    signatures = tuple(parse_signature(line) for line in lines.removesuffix("\n").split("\n"))
    if len(signatures) > MOST_SIGNATURES:
        raise MalformedError(f"the note has {len(signatures)} signatures", f"{MOST_SIGNATURES} are the limit")
    return Note(text + "\n", signatures)


def verify_note(note: Note, keys: Collection[VerifierKey]) -> tuple[Signature, ...]:
    """The signatures of those keys, of type Ed25519, all of them verified; others are ignored.

    Raises UntrustedError where there is none, or where one of a known key is wrong."""
    found = []
    for signature in note.signatures:
        for key in keys:
            if key.kind == ED25519 and key.is_named_in(signature):
                verify_ed25519(key, note.text.encode(), signature.data)
                found.append(signature)
    if not found:
        names = ", ".join(sorted(key.name for key in keys)) or "anybody who is trusted"
        raise UntrustedError(
            f"the note is not signed by {names}", "check which key you trust, and whom you have asked"
        )
    return tuple(found)


def verify_ed25519(key: VerifierKey, message: bytes, data: bytes) -> None:
    """Raises UntrustedError."""
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(data, message)
    except (InvalidSignature, ValueError) as wrong:
        raise UntrustedError(
            f"the signature of {key.name} is wrong", "do not use what it stands under; fetch it again"
        ) from wrong


class Signer(Protocol):
    """Who signs for a log: a key in a file, or one that never leaves its hardware.

    Obligations: ``sign`` gives a signature that ``verify_note`` accepts for ``verifier``, over the UTF-8
    bytes of the text, or raises LedgerError; it does not write the text down and signs nothing else."""

    @property
    def verifier(self) -> VerifierKey: ...

    def sign(self, text: str) -> Signature: ...


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """Signs with a key in memory. Raises MalformedError for a witness's: one key must never sign two kinds of
    messages."""

    key: SignerKey

    def __post_init__(self) -> None:
        if self.key.kind != ED25519:
            raise MalformedError(
                f"the key of {self.key.name} is for cosignatures, not for a log", "use the log's own key"
            )

    @property
    def verifier(self) -> VerifierKey:
        return self.key.verifier

    def sign(self, text: str) -> Signature:
        return Signature(self.key.name, self.key.verifier.key_id, self.key.sign(text.encode()))


def check_name(name: str) -> None:
    """Raises MalformedError for what cannot be a key's name (signed-note, section "Format")."""
    if not name or "+" in name or any(each.isspace() or each < " " or _is_half(each) for each in name):
        raise MalformedError(f"{name[:80]!r} cannot be a key's name", "use a name like example.org/log")


def _check_key_name(name: str) -> None:
    check_name(name)
    if len(name.encode()) > LONGEST_NAME:
        raise MalformedError(f"a key's name has more than {LONGEST_NAME} bytes", "use a shorter one")


def _is_half(letter: str) -> bool:
    """A lone surrogate: what Python makes of a byte that is not UTF-8, which no note can hold."""
    return "\ud800" <= letter <= "\udfff"


def decode_base64(text: str, what: str) -> bytes:
    """Standard Base 64 (RFC 4648, section 4), in its one canonical spelling. Raises MalformedError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise MalformedError(f"{what} is not base64", "fetch it again") from wrong
    if _base64(data) != text:
        raise MalformedError(f"{what} is not base64 in its usual spelling", "fetch it again")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _parse_key(text: str, what: str) -> tuple[str, str, int, bytes]:
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise MalformedError(f"this is no {what}: it has no name+id+key", _AS_PRINTED)
    name, key_id, encoded = parts
    _check_key_name(name)
    try:
        data = decode_base64(encoded, what)
    except MalformedError:
        raise MalformedError(f"the {what} of {name} is not spelled right", _AS_PRINTED) from None
    if data[:1] not in (bytes((ED25519,)), bytes((COSIGNATURE,))):
        raise MalformedError(
            f"the {what} of {name} is of a type that is not known here", "use an Ed25519 key, of type 1 or 4"
        )
    return name, key_id, data[0], data[1:]


def _check_length(data: bytes, what: str) -> None:
    if len(data) != KEY_BYTES:
        raise MalformedError(f"this {what} has {len(data)} bytes, not {KEY_BYTES}", _AS_PRINTED)
