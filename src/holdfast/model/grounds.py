"""The grounds file: for which clause of the provider's policy what may be done, and for how long at most.

Here belong its shape and the question whether a clause admits a measure. Not here: reading the file, and
whether its hash is in the log (``accountable``); what a decision says (``model.record``).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from holdfast.model.errors import HoldfastError, Mistake, error

FORMAT: Final = "holdfast-grounds/1"
LONGEST_FILE: Final = 256 * 1024
"""Bytes."""
LONGEST_TEXT: Final = 400
"""Characters of a ground's text: with its clause and name it fits the block page in every form."""
LONGEST_DAYS: Final = 366
"""No block is for ever; a new decision renews it."""
_CLAUSE: Final = re.compile(r"[0-9A-Za-z]{1,8}(?:[.-][0-9A-Za-z]{1,8}){0,5}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,39}")


class Measure(StrEnum):
    """What is done: one for each kind of scope, the narrowest first."""

    URL = "block-url"
    HOSTNAME = "block-hostname"
    SITE = "block-site"
    CUSTOMER = "block-customer"


MEASURES: Final = {
    PathScope: Measure.URL,
    HostScope: Measure.HOSTNAME,
    SiteScope: Measure.SITE,
    CustomerScope: Measure.CUSTOMER,
}


def measure_of(scope: Scope) -> Measure:
    """What a block of this scope is called."""
    return MEASURES[type(scope)]


@dataclass(frozen=True, slots=True)
class Ground:
    """One clause: the reason for which something may be blocked."""

    clause: str
    """Its number in the provider's policy, such as ``4.2``."""
    name: str
    """In a few words, as it is typed."""
    text: str
    """The clause as visitors read it."""
    measures: frozenset[Measure]
    max_days: int
    """A block for it lasts at most so long."""
    legal_demand: bool = False
    """Whether it rests on a legal demand, and so needs its authority; the answer is then 451."""

    @property
    def title(self) -> str:
        return f"clause {self.clause} ({self.name})"

    @property
    def words(self) -> str:
        """As the block page and the record say it."""
        return f"Clause {self.clause}, {self.name}: {self.text}"


@dataclass(frozen=True, slots=True)
class Grounds:
    """A whole grounds file. ``hash`` is of its bytes: a clause is cited as it stood."""

    version: str
    grounds: tuple[Ground, ...]
    hash: str
    """``sha256:`` and 64 hex digits."""

    def __iter__(self) -> Iterator[Ground]:
        return iter(self.grounds)

    def find(self, clause: str) -> Ground | None:
        return next((each for each in self.grounds if each.clause == clause), None)


def parse_grounds(data: bytes, place: str = "grounds") -> Grounds:
    """The bytes of a grounds file → its grounds. Raises HoldfastError with a mistake for each thing wrong."""
    if len(data) > LONGEST_FILE:
        raise error(f"{len(data)} bytes are too many", f"write at most {LONGEST_FILE}", place)
    try:
        document = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise error("this is not UTF-8", "save it as UTF-8", place) from None
    except tomllib.TOMLDecodeError as broken:
        raise error(f"this is not TOML: {broken}", "correct that line", place) from None
    fields = _Fields(document, place)
    if fields.text("format", 40) != FORMAT:
        fields.wrong("format", "this is not a grounds file that is known here", f'write format = "{FORMAT}"')
    version = fields.text("version", 40, _VERSION, "a word such as 2026-11-27")
    tables = fields.tables("grounds")
    fields.finish()
    grounds = tuple(_ground(each, fields.mistakes) for each in tables)
    for clause, count in Counter(each.clause for each in grounds if each.clause).items():
        if count > 1:
            fields.wrong("grounds", f"clause {clause} is there {count} times", "give each its own number")
    if fields.mistakes:
        raise HoldfastError(*fields.mistakes)
    return Grounds(version, grounds, f"sha256:{hashlib.sha256(data).hexdigest()}")


def _ground(fields: _Fields, mistakes: list[Mistake]) -> Ground:
    ground = Ground(
        clause=fields.text("clause", 40, _CLAUSE, "a number such as 4.2"),
        name=fields.text("name", 60),
        text=fields.text("text", LONGEST_TEXT),
        measures=fields.measures("measures"),
        max_days=fields.days("max_days"),
        legal_demand=fields.flag("legal_demand"),
    )
    fields.finish()
    mistakes += fields.mistakes
    return ground


class _Fields:
    """One table: takes its fields one by one, and notes what is wrong with each."""

    def __init__(self, table: Mapping[str, Any], place: str) -> None:
        self.mistakes: list[Mistake] = []
        self._table = dict(table)
        self._place = place

    def wrong(self, name: str, problem: str, remedy: str) -> None:
        self.mistakes.append(Mistake(f"{self._place}: {name}", problem, remedy))

    def text(
        self, name: str, longest: int, form: re.Pattern[str] | None = None, like: str = "text in quotes"
    ) -> str:
        value = self._table.pop(name, None)
        if not isinstance(value, str) or not (text := " ".join(value.split())):
            self.wrong(name, "this is missing", f"write {like}")
            return ""
        if len(text) > longest:
            self.wrong(name, f"{len(text)} characters are too many", f"write at most {longest}")
        elif not text.isprintable() or (form is not None and not form.fullmatch(text)):
            self.wrong(name, f"{text!r} cannot be used", f"write {like}, without control characters")
        return text

    def measures(self, name: str) -> frozenset[Measure]:
        value = self._table.pop(name, None)
        known = [each.value for each in Measure]
        if not isinstance(value, list) or not value:
            self.wrong(name, "a ground that admits no measure is none", f"list some of {', '.join(known)}")
            return frozenset()
        for each in (each for each in value if each not in known):
            self.wrong(name, f"there is no measure {each!r}", f"use {', '.join(known)}")
        return frozenset(Measure(each) for each in value if each in known)

    def days(self, name: str) -> int:
        value = self._table.pop(name, None)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LONGEST_DAYS:
            self.wrong(name, "every block must end", f"write a number of days from 1 to {LONGEST_DAYS}")
            return 1
        return value

    def flag(self, name: str) -> bool:
        value = self._table.pop(name, False)
        if not isinstance(value, bool):
            self.wrong(name, f"{value!r} is neither true nor false", "write true or false without quotes")
        return value is True

    def tables(self, name: str) -> list[_Fields]:
        value = self._table.pop(name, None)
        if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
            self.wrong(name, "there is no ground", "add tables [[grounds]]")
            return []
        return [_Fields(each, f"{self._place}: {name}[{number}]") for number, each in enumerate(value, 1)]

    def finish(self) -> None:
        for name in self._table:
            self.wrong(name, "there is no such field", "remove it, or correct its spelling")


def admit(
    grounds: Grounds, clause: str, name: str, measure: Measure, span: timedelta, authority: str
) -> Ground:
    """The ground that admits this measure for so long; ``authority`` is who makes a legal demand, or ''.

    Raises HoldfastError, which says which clause is lacking and which ones would do.
    """
    would_do = _would_do(grounds, measure)
    if not clause or not name:
        raise error("a block needs a ground", f"name it with --ground and --clause: {would_do}", "--ground")
    ground = grounds.find(clause)
    if ground is None or folded(ground.name) != folded(name):
        there = f"clause {clause} is {ground.name!r}" if ground else f"there is no clause {clause}"
        raise error(
            f"{name!r} is not a ground (grounds {grounds.version}: {there})", would_do, "--ground, --clause"
        )
    if measure not in ground.measures:
        admitted = ", ".join(each for each in Measure if each in ground.measures)
        raise error(
            f"{ground.title} does not admit {measure}", f"it admits {admitted}; {would_do}", "--clause"
        )
    if span > timedelta(days=ground.max_days):
        raise error(
            f"{ground.title} admits at most {ground.max_days} days",
            "name an earlier end; a new decision can renew it",
            "--until",
        )
    if ground.legal_demand and not authority:
        raise error(
            f"{ground.title} rests on a legal demand", "say whose with --legal-demand", "--legal-demand"
        )
    if authority and not ground.legal_demand:
        others = [each.title for each in grounds if each.legal_demand and measure in each.measures]
        raise error(
            f"{ground.title} does not rest on a legal demand",
            " or ".join(["leave --legal-demand out", *(f"name {title}" for title in others)]),
            "--legal-demand",
        )
    return ground


def _would_do(grounds: Grounds, measure: Measure) -> str:
    titles = [each.title for each in grounds if measure in each.measures]
    if not titles:
        return f"no clause admits {measure}: without one nothing of that kind can be blocked"
    return f"{measure} is admitted by {', '.join(titles)}"


def folded(text: str) -> str:
    """As names are compared: without regard to case and blanks."""
    return " ".join(text.split()).casefold()
