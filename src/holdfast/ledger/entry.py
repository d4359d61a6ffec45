"""What Holdfast writes into its log: small canonical JSON, public fields, and commitments to private ones.

The log itself takes any bytes. Here belongs their one form: the kinds, and what a field means, are the
caller's. Pure: time and salts are given.

A commitment is ``SHA-256("holdfast/commitment/v1" 0x00 field 0x00 salt value)`` with 32 random bytes of salt
for each field of each entry, so that equal values do not show, and short ones cannot be guessed. Who is shown
value and salt (a ``Disclosure``) can check that this is what was committed to, and under which field.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from holdfast.ledger.errors import InconsistentError, MalformedError
from holdfast.ledger.tiles import check_entry

SALT_BYTES: Final = 32
LATEST: Final = 253_402_300_799
"""The last second of the year 9999: later ones no calendar can show."""
LARGEST_NUMBER: Final = 2**53 - 1
"""Of larger ones JSON's readers make others (RFC 8259, section 6)."""
DEEPEST: Final = 16
"""Lists and tables within one another; the entry itself is the first."""
_DOMAIN: Final = b"holdfast/commitment/v1\0"
_COMMITMENT: Final = re.compile("sha256:[0-9a-f]{64}")
_FIELDS: Final = ("commitments", "kind", "public", "time")
_REMEDY: Final = "write it with holdfast.ledger.entry.compose"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as anybody may read it. ``encode`` and ``parse_entry`` are inverses, byte for byte."""

    kind: str
    time: int
    """Unix seconds, by the clock of whoever appended it."""
    public: Mapping[str, Any]
    commitments: Mapping[str, str]
    """Private field → its commitment."""

    def encode(self) -> bytes:
        """The bytes for the log. Raises MalformedError for what JSON or a bundle cannot hold."""
        if not 0 <= self.time <= LATEST:
            raise MalformedError("an entry is of a time that no calendar has", "give it in Unix seconds")
        entry = canonical(
            {
                "kind": self.kind,
                "time": self.time,
                "public": dict(self.public),
                "commitments": dict(self.commitments),
            }
        )
        check_entry(entry)
        return entry


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A private field as an auditor is shown it; with the salt it can be checked against the entry."""

    field: str
    value: str
    salt: bytes
    """``SALT_BYTES``."""

    def commitment(self) -> str:
        """What the entry holds of it."""
        return commit(self.field, self.value, self.salt)


def compose(kind: str, time: int, public: Mapping[str, Any], private: Mapping[str, Disclosure]) -> Entry:
    """An entry with commitments in place of the private fields. Raises MalformedError where one stands under
    another name than its own: nobody could ever check it."""
    for name, each in private.items():
        if name != each.field:
            raise MalformedError(f"the field {each.field!r} stands under {name!r}", "give it its own name")
    return Entry(kind, time, public, {name: each.commitment() for name, each in private.items()})


def commit(field: str, value: str, salt: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits. Raises MalformedError for a salt that hides nothing, and for
    text that has no bytes of its own."""
    if len(salt) != SALT_BYTES:
        raise MalformedError(
            f"the salt of {field!r} is not of {SALT_BYTES} bytes", "make a random one of that size"
        )
    if "\0" in field:
        raise MalformedError(f"{field!r} cannot be a field's name", "leave the NUL out")
    _check_text(field)
    _check_text(value)
    hashed = hashlib.sha256(_DOMAIN + field.encode() + b"\0" + salt + value.encode())
    return f"sha256:{hashed.hexdigest()}"


def check_disclosure(entry: Entry, disclosure: Disclosure) -> None:
    """Raises InconsistentError where this is not what the entry has committed to."""
    held = entry.commitments.get(disclosure.field)
    if held is None:
        raise InconsistentError(
            f"the entry has committed to nothing called {disclosure.field!r}",
            f"it has {', '.join(sorted(entry.commitments)) or 'no private fields'}",
        )
    if not hmac.compare_digest(held, disclosure.commitment()):
        raise InconsistentError(
            f"this is not the {disclosure.field!r} that the entry has committed to",
            "do not believe it; ask for value and salt as they were kept",
        )


def parse_entry(data: bytes) -> Entry:
    """Raises MalformedError for anything that ``Entry.encode`` would not write."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        raise MalformedError("this entry is not JSON", "it may be of another kind of log") from wrong
    if not isinstance(fields, dict) or tuple(sorted(fields)) != _FIELDS:
        raise MalformedError(f"this entry does not have the fields {', '.join(_FIELDS)}", _REMEDY)
    held = fields["commitments"]
    has_shape = (
        isinstance(fields["kind"], str)
        and type(fields["time"]) is int
        and isinstance(fields["public"], dict)
        and isinstance(held, dict)
        and all(isinstance(each, str) and _COMMITMENT.fullmatch(each) for each in held.values())
        and not any("\0" in name for name in held)
    )
    if has_shape:
        entry = Entry(fields["kind"], fields["time"], fields["public"], held)
        if entry.encode() == data:
            return entry
    raise MalformedError("this entry is not in its one canonical form", _REMEDY)


def canonical(value: object) -> bytes:
    """JSON in one spelling: keys in order of their code points, no blanks, ASCII. Raises MalformedError for
    floats and numbers of 2**53 and more, for keys that are no text, for what is nested too deeply, and for
    what JSON does not have."""
    _check(value, DEEPEST)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _check(value: object, depth: int) -> None:
    if isinstance(value, dict | list | tuple) and not depth:
        raise MalformedError(f"an entry has more than {DEEPEST} levels", "write it flatter")
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                raise MalformedError("an entry's fields have text as names", _REMEDY)
            _check_text(key)
            _check(each, depth - 1)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each, depth - 1)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if abs(value) > LARGEST_NUMBER:
            raise MalformedError("an entry has a number that is too large", "write it as text")
    elif value is not None:
        raise MalformedError(
            f"an entry cannot hold a {type(value).__name__}", "use text, whole numbers, lists and tables"
        )


def _check_text(text: str) -> None:
    """JSON can spell half a character (a lone surrogate), which nothing else can write down."""
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise MalformedError("a text has half a character in it", "write it in UTF-8")
