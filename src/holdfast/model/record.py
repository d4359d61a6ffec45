"""What the public record says: that something is blocked, that a block is lifted, which grounds hold.

Here belong the words of the three kinds of entries, each with its inverse. Not here: their bytes and what is
only committed to (``ledger.entry``), who may decide what (``model.grounds``). No name of a person is ever in
a record: roles are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

from holdfast.model.enforcement import Scope, parse_scope, scope_document
from holdfast.model.errors import error
from holdfast.model.grounds import Measure, measure_of
from holdfast.model.hostname import parse_pattern

BLOCK: Final = "block"
LIFT: Final = "lift"
GROUNDS: Final = "grounds"
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_HASH: Final = re.compile("sha256:[0-9a-f]{64}")
_MAY_BE_EMPTY: Final = {"authority"}


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block, as decided. Raises HoldfastError for what cannot be one."""

    id: str
    """Letters, digits, dots and dashes: pages and files bear it."""
    scope: Scope
    measure: Measure
    """What is done, in the words of the grounds file; it follows from the scope."""
    ground: str
    """As visitors read it."""
    clause: str
    """Its number in the grounds file."""
    grounds_hash: str
    """Of the grounds file that is cited: ``sha256:`` and 64 hexadecimal digits, as all hashes here."""
    since: datetime
    until: datetime
    by_role: str
    """In which role it was decided."""
    approved_by_role: str
    statement_hash: str
    """Of the public statement, as its bytes in UTF-8."""
    authority: str = ""
    """Who made the legal demand; '' when it does not rest on one."""
    hostnames: tuple[str, ...] = ()
    """Those that it touches, as it was decided."""

    def __post_init__(self) -> None:
        _check(self)
        if self.measure != measure_of(self.scope):
            raise error(
                f"{self.measure} is not what a block of {self.scope} is",
                f"call it {measure_of(self.scope)}",
                "measure",
            )
        if self.until <= self.since:
            raise error(f"it ends at {stamp(self.until)}, before it begins", "name a later end", "until")
        for hostname in self.hostnames:
            if parse_pattern(hostname) != hostname:
                raise error(
                    f"{hostname!r} is not in its usual spelling", "write it in lower case", "hostnames"
                )

    def public(self) -> dict[str, object]:
        """The public fields of its entry; ``parse_block`` is the inverse."""
        return {
            "id": self.id,
            "scope": scope_document(self.scope),
            "measure": self.measure.value,
            "ground": self.ground,
            "clause": self.clause,
            "grounds_hash": self.grounds_hash,
            "since": stamp(self.since),
            "until": stamp(self.until),
            "by_role": self.by_role,
            "approved_by_role": self.approved_by_role,
            "statement_hash": self.statement_hash,
            "authority": self.authority,
            "hostnames": list(self.hostnames),
        }


@dataclass(frozen=True, slots=True)
class LiftRecord:
    """The end of a block before its time."""

    id: str
    """That of the block."""
    time: datetime
    """When it was lifted, which is before it is recorded."""
    by_role: str
    reason: str

    def __post_init__(self) -> None:
        _check(self)

    def public(self) -> dict[str, object]:
        """The public fields of its entry; ``parse_lift`` is the inverse."""
        return {"id": self.id, "time": stamp(self.time), "by_role": self.by_role, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class GroundsRecord:
    """A grounds file: from now on it can be cited."""

    hash: str
    version: str
    by_role: str
    approved_by_role: str

    def __post_init__(self) -> None:
        _check(self)

    def public(self) -> dict[str, object]:
        """The public fields of its entry; ``parse_grounds_record`` is the inverse."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


Record = BlockRecord | LiftRecord | GroundsRecord


def parse_block(public: Mapping[str, Any]) -> BlockRecord:
    """Raises HoldfastError for anything that ``BlockRecord.public`` would not write."""
    texts = _texts(public, BlockRecord, frozenset({"scope", "hostnames"}))
    hostnames = public["hostnames"]
    if not isinstance(hostnames, list) or not all(isinstance(each, str) for each in hostnames):
        raise error(f"{hostnames!r} is no list of hostnames", "write a list of texts", "hostnames")
    if texts["measure"] not in list(Measure):
        raise error(f"there is no measure {texts['measure']!r}", f"use {', '.join(Measure)}", "measure")
    return BlockRecord(
        **{
            **texts,
            "scope": parse_scope(public["scope"]),
            "measure": Measure(texts["measure"]),
            "since": parse_stamp(texts["since"], "since"),
            "until": parse_stamp(texts["until"], "until"),
            "hostnames": tuple(hostnames),
        }
    )


def parse_lift(public: Mapping[str, Any]) -> LiftRecord:
    """Raises HoldfastError for anything that ``LiftRecord.public`` would not write."""
    texts = _texts(public, LiftRecord)
    return LiftRecord(**{**texts, "time": parse_stamp(texts["time"], "time")})


def parse_grounds_record(public: Mapping[str, Any]) -> GroundsRecord:
    """Raises HoldfastError for anything that ``GroundsRecord.public`` would not write."""
    return GroundsRecord(**_texts(public, GroundsRecord))


def content_hash(data: bytes) -> str:
    """The hash of a statement or a grounds file, as records bear it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def stamp(moment: datetime) -> str:
    """A time in UTC, such as ``2026-12-24T18:00:00Z`` (RFC 3339); ``parse_stamp`` is the inverse."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_stamp(text: str, place: str = "") -> datetime:
    """Raises HoldfastError for anything that ``stamp`` would not write."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and stamp(moment) == text:
            return moment
    except (ValueError, OverflowError):
        pass
    raise error(f"{text!r} is no time in its usual spelling", "write it like 2026-12-24T18:00:00Z", place)


def _check(record: Record) -> None:
    """The forms of the fields, by name and type; they are the same in every record."""
    for name in (each.name for each in fields(record)):
        value = getattr(record, name)
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise error(f"{value} does not say its time zone", "give it in UTC", name)
        if not isinstance(value, str):
            continue
        if not value.strip() and name not in _MAY_BE_EMPTY:
            raise error("this is empty, and every record says it", "write it", name)
        if name == "id" and not _ID.fullmatch(value):
            raise error(f"{value!r} is no id", "use letters, digits and dashes", name)
        if name.endswith("hash") and not _HASH.fullmatch(value):
            raise error(f"{value!r} is no hash", "write sha256: and 64 hexadecimal digits", name)


def _texts(
    public: Mapping[str, Any], record: type[Record], others: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The fields that are written as text: all but ``others``."""
    names = [each.name for each in fields(record)]
    if sorted(public) != sorted(names):
        raise error("this is not the record that it should be", f"give it the fields {', '.join(names)}")
    for name in names:
        if name not in others and not isinstance(public[name], str):
            raise error(f"{public[name]!r} is no text", "write text in quotes", name)
    return {name: public[name] for name in names if name not in others}
