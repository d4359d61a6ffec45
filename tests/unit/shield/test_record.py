"""The record of one attack: what it holds of the time around it, and what it tells."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from holdfast.shield.attack import Attack
from holdfast.shield.record import (
    AFTER_SECONDS,
    MOST_ROWS,
    AttackRecord,
    Gap,
    Origin,
    Totals,
    read_record,
    record_document,
)
from tests.unit.shield.recorded import ATTACK, FIRST, record, row
from tests.unit.shield.traffic import START


def going_on() -> AttackRecord:
    return AttackRecord(Attack(ATTACK, "shop", START, "why", peak=2100.0, usual=40.0))


def test_it_holds_half_a_minute_before_and_after() -> None:
    made = record()
    assert (made.rows[0].at, made.rows[-1].end) == (START - 30, START + 60 + AFTER_SECONDS)
    made.add([row(90)])
    assert made.rows[-1].end == START + 90, "no more is added"


def test_the_totals_are_of_the_attack_alone() -> None:
    expected = Totals(
        requests=30 * 2040 + 30 * 40,
        passed=530 + 29 * 40 + 30 * 40,
        challenged=1500,
        denied=29 * 2000,
        earned=10,
    )
    assert record().totals == expected


def test_a_long_attack_is_kept_coarser_and_loses_nothing() -> None:
    made = going_on()
    for second in range(5 * MOST_ROWS):
        made.add([row(second, requests=100)])
    assert MOST_ROWS / 2 <= len(made.rows) <= MOST_ROWS
    assert sum(each.requests for each in made.rows) == made.totals.requests == 500 * MOST_ROWS
    assert (made.rows[0].at, made.rows[-1].end) == (START, START + 5 * MOST_ROWS)
    assert len(json.dumps(record_document(made))) < 250_000


def test_when_the_rate_was_unusual() -> None:
    """From the second before the confirmation, which led to it, to the last of the flood."""
    assert record().unusual() == (START - 1, START + 30)
    made = going_on()
    made.add([row(second) for second in range(-30, 10)])
    assert made.unusual() is None, "the origin suffered from no more requests than usual"


def test_how_fast_the_origin_was() -> None:
    made = record()
    assert made.origin(START - 30, START - 1) == Origin(12.0, 40.0, 40.0)
    assert made.origin(START - 1, START + 1) == Origin(206.0, 470.0, 900.0)
    assert made.origin(START + 500, START + 600) is None
    made.rows = [replace(each, answers=0, median=None, p95=None) for each in made.rows]
    assert made.origin(START - 30, START + 60) is None


def test_the_next_agent_goes_on_with_it() -> None:
    """Its own notes of the attack are older, or newer, than the record."""
    made = going_on()
    made.attack.touched, made.attack.reached = 500, 20
    made.add([row(second) for second in range(5)])
    taken = Attack(ATTACK, "shop", START, "why", peak=3000.0, usual=40.0, touched=400, reached=30)
    taken.note(START, "begins", "why")
    made.resume(taken, START + 9)
    assert made.attack is taken
    assert (taken.peak, taken.touched, taken.reached, len(taken.notes)) == (3000.0, 500, 30, 1)
    assert made.gaps == [Gap(START + 5, START + 9)]
    later = Attack(ATTACK, "shop", START, "why")
    made.resume(later, START + 20)
    assert later.notes == taken.notes


def test_an_end_that_nobody_saw() -> None:
    made = going_on()
    made.add([row(second) for second in range(5)])
    assert (made.until, made.is_complete(START + 999)) == (START + 5, False)
    made.break_off(START + 99, "no agent has seen its end")
    assert made.attack.ended == START + 5
    assert made.attack.notes[-1].words == "no agent has seen its end"
    made.break_off(START + 100, "again")
    assert len(made.attack.notes) == 1
    assert made.is_complete(START + 5 + AFTER_SECONDS)


def test_a_record_is_its_document() -> None:
    made = record()
    made.gaps.append(Gap(START + 3, START + 4))
    document = json.loads(json.dumps(record_document(made)))
    assert read_record(document) == made
    assert [each["id"] for each in document["mitigations"]] == [FIRST]
    assert read_record(json.loads(json.dumps(record_document(going_on())))) == going_on()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"totals": {}},
        {"mitigations": [{}]},
        {"gaps": [[1]]},
        {"course": {}},
        {"attack": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_broken_document_is_told(change: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_record({**record_document(record()), **change})
