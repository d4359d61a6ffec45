"""Who may decide what, and what the public record will say of it. Pure: the time, the id and salts are given.

Names are never public: roles are, and commitments to the names. Not here: which ground admits what
(``model.grounds``), the words of a record (``model.record``), doing it (``steps``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from holdfast.accountable.draft import Draft, Step
from holdfast.ledger.entry import Disclosure, compose
from holdfast.ledger.errors import LedgerError
from holdfast.model.enforcement import Enforcement, Scope
from holdfast.model.errors import error
from holdfast.model.grounds import Grounds, admit, folded, measure_of
from holdfast.model.record import (
    BLOCK,
    GROUNDS,
    LIFT,
    BlockRecord,
    GroundsRecord,
    LiftRecord,
    content_hash,
    stamp,
)

LONGEST_NAME: Final = 100
"""Characters of a person's name, of a role, of an authority."""
LONGEST_REASON: Final = 1_000
"""Characters: why a block is lifted, in public."""
LONGEST_STATEMENT: Final = 64 * 1024
LONGEST_FACTS: Final = 1024 * 1024
"""Bytes."""

_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point, and the blank of Braille."""

Salts = Callable[[], bytes]
"""A new one at each call, of ``ledger.entry.SALT_BYTES`` random bytes."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides. Only the role becomes public."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A block, as an operator asks for it."""

    scope: Scope
    hostnames: tuple[str, ...]
    """Those that it touches."""
    ground: str
    clause: str
    until: datetime
    by: Person
    approved_by: Person
    statement: str
    facts: str
    authority: str = ""


def parse_person(text: str, place: str) -> Person:
    """``NAME, ROLE`` → who that is. Raises HoldfastError where a part is missing."""
    name, comma, role = (" ".join(part.split()) for part in text.rpartition(","))
    if not comma or not name or not role:
        raise error(
            f"{text!r} does not say who decides in which role",
            "write it like --by 'Ada Example, duty officer'; only the role becomes public",
            place,
        )
    for part in (name, role):
        _check_line(part, LONGEST_NAME, place)
    return Person(name, role)


def check_two(by: Person, approved_by: Person) -> None:
    """Nobody decides alone. Raises HoldfastError where both are one, however the name is spelt, and where a
    name stands in the place of a role, for that would be public for ever."""
    names = {_compared(by.name), _compared(approved_by.name)}
    for person, place in ((by, "--by"), (approved_by, "--approved-by")):
        if _compared(person.role) in names:
            raise error(f"the role {person.role!r} is a name", "write the name first: 'NAME, ROLE'", place)
    if len(names) == 1:
        raise error(
            f"{by.name!r} cannot approve what {by.name!r} has decided",
            "have somebody else read it, and name them with --approved-by",
            "--approved-by",
        )


def decide_block(asked: Asked, grounds: Grounds, identifier: str, now: datetime, salts: Salts) -> Draft:
    """A block that may be made, with its entry. Raises HoldfastError, which says what is lacking.

    ``grounds``: as the log has them. Times lose their fractions of a second."""
    since, until = now.replace(microsecond=0), asked.until.replace(microsecond=0)
    if until <= since:
        raise error(f"{stamp(asked.until)} is over", "name a time to come", "--until")
    authority = " ".join(asked.authority.split())
    _check_line(authority, LONGEST_NAME, "--legal-demand")
    measure = measure_of(asked.scope)
    ground = admit(grounds, asked.clause, asked.ground, measure, until - since, authority)
    check_two(asked.by, asked.approved_by)
    _check_text(asked.statement, LONGEST_STATEMENT, "--statement")
    _check_text(asked.facts, LONGEST_FACTS, "--facts")
    block = BlockRecord(
        id=identifier,
        scope=asked.scope,
        measure=measure,
        ground=ground.words,
        clause=ground.clause,
        grounds_hash=grounds.hash,
        since=since,
        until=until,
        by_role=asked.by.role,
        approved_by_role=asked.approved_by.role,
        statement_hash=content_hash(asked.statement.encode()),
        authority=authority,
        hostnames=asked.hostnames,
    )
    enforcement = Enforcement(identifier, asked.scope, ground.words, since, until, asked.by.role, authority)
    private = _private(salts, by=asked.by.name, approved_by=asked.approved_by.name, facts=asked.facts)
    entry = _entry(BLOCK, now, block.public(), private)
    return Draft(
        BLOCK,
        identifier,
        Step.DRAFTED,
        entry,
        0,
        private,
        document=asked.statement,
        enforcement=enforcement,
    )


def decide_lift(identifier: str, by: Person, reason: str, now: datetime, salts: Salts) -> Draft:
    """The end of a block before its time: one person suffices. Raises HoldfastError."""
    reason = " ".join(reason.split())
    if not reason:
        raise error("a lift has a reason", "say it with --reason: it becomes public", "--reason")
    _check_line(reason, LONGEST_REASON, "--reason")
    record = LiftRecord(identifier, now.replace(microsecond=0), by.role, reason)
    private = _private(salts, by=by.name)
    return Draft(LIFT, identifier, Step.ASKED, _entry(LIFT, now, record.public(), private), 0, private)


def decide_grounds(
    grounds: Grounds, text: str, by: Person, approved_by: Person, now: datetime, salts: Salts
) -> Draft:
    """A grounds file that may be cited from now on. ``text``: the file. Raises HoldfastError."""
    check_two(by, approved_by)
    record = GroundsRecord(grounds.hash, grounds.version, by.role, approved_by.role)
    private = _private(salts, by=by.name, approved_by=approved_by.name)
    entry = _entry(GROUNDS, now, record.public(), private)
    return Draft(
        GROUNDS,
        # With its time: the same file may be published again on the same day, by others.
        f"{now:%Y%m%d-%H%M%S}-{grounds.hash.removeprefix('sha256:')[:8]}",
        Step.DRAFTED,
        entry,
        0,
        private,
        document=text,
    )


def _entry(kind: str, now: datetime, public: dict[str, object], private: tuple[Disclosure, ...]) -> bytes:
    try:
        return compose(kind, int(now.timestamp()), public, {each.field: each for each in private}).encode()
    except LedgerError as wrong:  # the hostnames of a customer or a site with more than some 1,500 of them
        remedy = "block its sites, or hostnames, one after the other: an entry names all that it touches"
        raise error(wrong.problem, remedy, "entry") from wrong


def _private(salts: Salts, **values: str) -> tuple[Disclosure, ...]:
    return tuple(Disclosure(field, value, salts()) for field, value in values.items())


def _compared(name: str) -> str:
    """Without regard to case, blanks, the ways to write one letter (Unicode TR 15, NFKC), and what nobody can
    see (TR 44, Default_Ignorable_Code_Point). Letters of other scripts that look alike are not told."""
    seen = "".join(char for char in unicodedata.normalize("NFKC", name) if not _UNSEEN.fullmatch(char))
    return folded(unicodedata.normalize("NFKC", folded(seen)))


def _check_line(text: str, longest: int, place: str) -> None:
    if len(text) > longest:
        raise error(f"{len(text)} characters are too many", f"write at most {longest}", place)
    if not text.isprintable():
        raise error("this has characters that nobody can see", "write it in plain letters", place)


def _check_text(text: str, longest: int, place: str) -> None:
    if not text.strip():
        raise error("the file is empty", "write down what is known, and give that", place)
    if (size := len(text.encode())) > longest:
        raise error(f"{size} bytes are too many", f"write at most {longest}; name exhibits by hash", place)
    if strange := sorted(
        {char for char in text if char not in "\t\n\r" and unicodedata.category(char) == "Cc"}
    ):
        raise error(f"there is a control character ({strange[0]!r})", "save it as plain text", place)
