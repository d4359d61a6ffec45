"""Whatever is on record: it is read as it was written, a course loses nothing by getting coarser, and it can
be told and drawn with characters."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.edge.attack_sketch import sketch
from holdfast.edge.attack_words import attack_as_text
from holdfast.model.mitigation import Action
from holdfast.shield.attack import Attack, Note
from holdfast.shield.course import Row, coarser, course_document, read_course
from holdfast.shield.features import TEMPLATES
from holdfast.shield.mitigation_record import (
    WITHDRAWN,
    MitigationRecord,
    Step,
    mitigation_record_document,
    read_mitigation_record,
)
from holdfast.shield.record import AttackRecord, Gap, Totals, read_record, record_document

START = 1_700_000_000.0
TEXT = st.text(max_size=30)
COUNT = st.integers(0, 10**9).map(float)
NUMBER = st.floats(0, 1e12, allow_nan=False)
MOMENT = st.floats(0, 4e9, allow_nan=False)
TIME = st.floats(0, 1e6, allow_nan=False)
MAYBE = st.one_of(st.none(), st.floats(0, 1e6, allow_nan=False))
FEATURES = [(), *(tuple(each.name.lower() for each in template.features) for template in TEMPLATES)]


@st.composite
def courses(draw: st.DrawFn, most: int = 16) -> list[Row]:
    """Rows in their order, with gaps."""
    rows, at = list[Row](), START
    for _ in range(draw(st.integers(0, most))):
        at += draw(st.sampled_from([0.0, 0.0, 90.0]))
        seconds = draw(st.sampled_from([0.1, 0.9, 1.0, 1.1, 4.0]))
        answers = draw(st.integers(0, 400))
        times = sorted(draw(st.tuples(TIME, TIME))) if answers else [None, None]
        names = "requests", "challenged", "denied", "earned", "waited"
        counts: dict[str, Any] = {name: draw(COUNT) for name in names}
        usual, upper = draw(NUMBER), draw(MAYBE)
        made = Row(at, seconds, mean=usual, upper=upper, median=times[0], p95=times[1], answers=answers)
        rows.append(replace(made, **counts))
        at = rows[-1].end
    return rows


@st.composite
def mitigation_records(draw: st.DrawFn) -> MitigationRecord:
    features = draw(st.sampled_from(FEATURES))
    moments = sorted(draw(st.lists(MOMENT, min_size=1, max_size=5)))
    actions = draw(st.lists(st.sampled_from([*Action, WITHDRAWN]), min_size=5, max_size=5))
    first = draw(st.sampled_from(Action)).value
    steps = [
        Step(at, str(action), draw(TEXT)) for at, action in zip(moments, [first, *actions], strict=False)
    ]
    return MitigationRecord(
        *(draw(TEXT), draw(TEXT), draw(TEXT), draw(TEXT)),
        features=features,
        values=tuple(draw(TEXT) for _ in features),
        harm=draw(st.floats(0, 1)),
        until=draw(MOMENT),
        pinned=draw(st.booleans()),
        evidence=tuple(draw(st.lists(TEXT, max_size=3))),
        steps=steps,
        matched=draw(NUMBER),
        passed=draw(NUMBER),
        worst=draw(MAYBE),
        last=draw(MAYBE),
    )


@st.composite
def records(draw: st.DrawFn) -> AttackRecord:
    began = draw(st.floats(START - 10, START + 60))
    attack = Attack(draw(TEXT), draw(TEXT), began, draw(TEXT), peak=draw(NUMBER), usual=draw(NUMBER))
    attack.touched, attack.reached = draw(NUMBER), draw(NUMBER)
    attack.ended = draw(st.one_of(st.none(), st.floats(began, began + 600)))
    attack.notes = [
        Note(at, draw(st.sampled_from(["begins", "changes", "ends"])), draw(TEXT))
        for at in draw(st.lists(MOMENT, max_size=3))
    ]
    return AttackRecord(
        attack,
        {each.id: each for each in draw(st.lists(mitigation_records(), max_size=3))},
        draw(courses()),
        Totals(*(draw(COUNT) for _ in range(8))),
        [Gap(*sorted(pair)) for pair in draw(st.lists(st.tuples(MOMENT, MOMENT), max_size=2))],
    )


@given(course=courses())
def test_a_course_is_its_document(course: list[Row]) -> None:
    assert read_course(json.loads(json.dumps(course_document(course)))) == course


@given(course=courses())
def test_a_coarser_course_tells_the_same(course: list[Row]) -> None:
    fewer = coarser(course)
    assert len(course) / 2 <= len(fewer) <= len(course)
    for name in ("requests", "denied", "earned", "answers"):
        assert sum(getattr(row, name) for row in fewer) == sum(getattr(row, name) for row in course)
    assert sum(row.seconds for row in fewer) == pytest.approx(sum(row.seconds for row in course), abs=0.1)
    assert fewer == sorted(fewer, key=lambda row: row.at)
    for row, until in zip(fewer, [*(each.at for each in fewer[1:]), math.inf], strict=False):
        merged = [each for each in course if row.at <= each.at < until]
        medians = [each.median for each in merged if each.median is not None]
        if row.median is not None:
            assert min(medians) - 0.01 <= row.median <= max(medians) + 0.01
        assert (row.median is None) == (not medians)


@given(record=mitigation_records())
def test_a_mitigations_record_is_its_document(record: MitigationRecord) -> None:
    assert read_mitigation_record(json.loads(json.dumps(mitigation_record_document(record)))) == record


@given(record=records())
@settings(max_examples=60)
def test_an_attacks_record_is_its_document_and_can_be_told(record: AttackRecord) -> None:
    again = read_record(json.loads(json.dumps(record_document(record))))
    assert again == record
    assert record.attack.id in attack_as_text(again)
    drawn = sketch(again, width=40)
    assert bool(drawn) == bool(record.rows)
    assert max(map(len, [*drawn.splitlines(), ""])) <= 70
