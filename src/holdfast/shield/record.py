"""The record of one attack: what came and what became of it, second by second, from half a minute before it
was confirmed to half a minute after its end, with its mitigations and its journal.

Not here: how the seconds are counted (``course``), who fills the records of a site (``chronicle``), how they
are kept (``edge.traffic.archive``) and told (``edge.attack_words``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from holdfast.shield.attack import Attack, attack_document, read_attack
from holdfast.shield.course import Row, coarser, course_document, read_course
from holdfast.shield.mitigation_record import (
    MitigationRecord,
    mitigation_record_document,
    read_mitigation_record,
)

BEFORE_SECONDS: Final = 30.0
AFTER_SECONDS: Final = 30.0
MOST_ROWS: Final = 1200
MOST_MITIGATIONS: Final = 200
VERSION: Final = 1


@dataclass(slots=True)
class Totals:
    """Requests of the attack, from its confirmation to its end, to a second."""

    requests: float = 0.0
    passed: float = 0.0
    challenged: float = 0.0
    denied: float = 0.0
    dropped: float = 0.0
    earned: float = 0.0
    """Clearances that were given."""
    refused: float = 0.0
    """By clients' limits, or a block."""
    overflowed: float = 0.0

    def add(self, row: Row) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(row, each.name))


class Gap(NamedTuple):
    """A time of which nothing is known: no agent was there, or what it saw was lost with it."""

    begin: float
    end: float


class Origin(NamedTuple):
    """How fast the origin was over some time."""

    median: float
    """ms"""
    p95: float
    worst: float
    """The p95 of the worst second."""


@dataclass(slots=True)
class AttackRecord:
    attack: Attack
    mitigations: dict[str, MitigationRecord] = field(default_factory=dict)
    """All that were in force at the site meanwhile, people's too, by id in the order in which they came."""
    rows: list[Row] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)
    gaps: list[Gap] = field(default_factory=list)

    # -- as it goes on -------------------------------------------------------------------------------

    def add(self, rows: Iterable[Row]) -> None:
        """What the site's course has completed since."""
        attack = self.attack
        for row in rows:
            if self.is_complete(row.at):
                continue
            self.rows.append(row)
            middle = row.at + row.seconds / 2
            if middle >= attack.began and (attack.ended is None or middle <= attack.ended):
                self.totals.add(row)
        while len(self.rows) > MOST_ROWS:
            self.rows = coarser(self.rows)

    def put(self, mitigation: MitigationRecord) -> None:
        if len(self.mitigations) < MOST_MITIGATIONS:
            self.mitigations[mitigation.id] = mitigation

    def is_complete(self, now: float) -> bool:
        """Whether the time after it is over, too."""
        return self.attack.ended is not None and now >= self.attack.ended + AFTER_SECONDS

    def resume(self, attack: Attack, now: float) -> None:
        """Go on under the next agent, whose notes tell of ``attack``; both may be some seconds old."""
        told = self.attack
        for name in ("peak", "touched", "reached"):
            setattr(attack, name, max(getattr(attack, name), getattr(told, name)))
        if len(told.notes) > len(attack.notes):
            attack.notes[:] = told.notes
        self.attack = attack
        self.gaps.append(Gap(self.rows[-1].end if self.rows else attack.began, now))

    def break_off(self, now: float, words: str) -> None:
        """Nobody has seen its end."""
        if self.attack.ended is None:
            self.attack.ended = max(self.attack.began, self.rows[-1].end if self.rows else 0.0)
            self.attack.note(now, "ends", words)

    # -- what it tells -------------------------------------------------------------------------------

    @property
    def until(self) -> float:
        """Its end, or as far as it is known."""
        if self.attack.ended is not None:
            return self.attack.ended
        return self.rows[-1].end if self.rows else self.attack.began

    def unusual(self) -> tuple[float, float] | None:
        """When the rate left what is usual, and when it was last beyond it; None where it never was. With the
        run of seconds that leads to the confirmation."""
        attack = self.attack
        over = [row for row in self.rows if row.upper is not None and row.requests > row.upper * row.seconds]
        within = [row for row in over if row.end > attack.began and row.at < self.until]
        if not within:
            return None
        begin = min(within[0].at, attack.began)
        for row in reversed([row for row in over if row.end <= attack.began]):
            if begin - row.end > 1.0:
                break
            begin = row.at
        return begin, within[-1].end

    def origin(self, begin: float, end: float) -> Origin | None:
        """How fast it was between; None where nothing tells."""
        rows = [row for row in self.rows if row.at >= begin and row.end <= end and row.answers]
        told = [(row.median, row.p95, row.answers) for row in rows]
        total = sum(answers for _, _, answers in told)
        if not total:
            return None
        median = sum((each or 0.0) * answers for each, _, answers in told) / total
        p95 = sum((each or 0.0) * answers for _, each, answers in told) / total
        return Origin(median, p95, max(each or 0.0 for _, each, _ in told))


# -- as a document ---------------------------------------------------------------------------------------


def record_document(record: AttackRecord) -> dict[str, Any]:
    """As JSON can hold it. Times are unix times."""
    return {
        "version": VERSION,
        "attack": attack_document(record.attack),
        "totals": {each.name: getattr(record.totals, each.name) for each in fields(Totals)},
        "mitigations": [mitigation_record_document(each) for each in record.mitigations.values()],
        "gaps": [list(gap) for gap in record.gaps],
        "course": course_document(record.rows),
    }


def read_record(document: Mapping[str, Any]) -> AttackRecord:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    if document["version"] != VERSION:
        raise ValueError(f"a record of version {document['version']}, not {VERSION}")
    mitigations = map(read_mitigation_record, document["mitigations"])
    return AttackRecord(
        attack=read_attack(document["attack"]),
        mitigations={each.id: each for each in mitigations},
        rows=read_course(document["course"]),
        totals=Totals(**{each.name: float(document["totals"][each.name]) for each in fields(Totals)}),
        gaps=[Gap(float(begin), float(end)) for begin, end in document["gaps"]],
    )
