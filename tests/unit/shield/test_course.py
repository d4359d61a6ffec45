"""A site's last minute, second by second; and how a long course is kept short."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from holdfast.shield.counts import Counts
from holdfast.shield.course import (
    KEPT_SECONDS,
    MOST_TIMES,
    Course,
    Row,
    coarser,
    course_document,
    read_course,
)
from tests.unit.shield.traffic import START, visitor

COUNTED = ("requests", "challenged", "denied", "dropped", "earned", "refused", "overflowed", "waited")


def told(course: Course, at: float, seconds: float = 0.1, *times: float, **counts: float) -> Row | None:
    """One look, with samples of which the origin took so long."""
    rng = np.random.default_rng(1)
    samples = [replace(visitor(rng, at), origin_ms=each) for each in times]
    return course.add(Counts(at, seconds, **counts), samples, 40.0, 90.0)


def a_minute(course: Course, begin: float, seconds: float, rate: float = 50) -> list[Row]:
    looks = [
        told(course, begin + 0.1 * each, requests=rate / 10) for each in range(1, round(10 * seconds) + 1)
    ]
    return [row for row in looks if row is not None]


def test_a_second_is_told_when_it_is_over() -> None:
    course = Course()
    for tenth in range(1, 11):
        counts = dict.fromkeys(COUNTED, 1.0)
        assert told(course, START + tenth / 10, 0.1, **counts) is None
    row = told(course, START + 1.1)
    assert row is not None
    assert (row.at, row.seconds, row.mean, row.upper) == (START, 1.0, 40.0, 90.0)
    assert [getattr(row, name) for name in COUNTED] == [10.0] * len(COUNTED)
    assert list(course.rows) == [row]


def test_what_is_not_kept_away_is_passed_on() -> None:
    row = Row(START, 1, 100, challenged=1, denied=2, dropped=3, earned=4, refused=5, overflowed=6, waited=50)
    assert row.passed == 79
    assert Row(START, 1, 3, denied=5).passed == 0, "a request may be counted a look before its denial"


@pytest.mark.parametrize(
    ("times", "median", "p95"),
    [
        ((), None, None),
        ((7.0,), 7.0, 7.0),
        (tuple(map(float, range(1, 101))), 51.0, 96.0),
        ((0.0, 0.0, 5.0), 5.0, 5.0),
    ],
    ids=["none", "one", "hundred", "some"],
)
def test_how_fast_the_origin_was(times: tuple[float, ...], median: float | None, p95: float | None) -> None:
    """Samples that did not reach it say nothing."""
    course = Course()
    told(course, START + 0.5, 0.5, *times, requests=100)
    row = course.end()
    assert row is not None
    assert (row.median, row.p95) == (median, p95)
    assert row.answers == sum(each > 0 for each in times)


def test_of_many_times_some_are_kept_and_they_are_of_the_whole_second() -> None:
    course = Course()
    for tenth in range(10):
        told(course, START + 0.1 * (tenth + 1), 0.1, *([10.0 * (tenth + 1)] * 700), requests=700)
    row = course.end()
    assert row is not None
    assert MOST_TIMES / 4 <= row.answers <= MOST_TIMES
    assert row.median is not None
    assert 40 <= row.median <= 70


def test_only_the_last_minute_is_kept() -> None:
    course = Course()
    rows = a_minute(course, START, 100)
    assert len(rows) == 99
    assert len(course.rows) == KEPT_SECONDS
    assert course.rows[-1].end - course.rows[0].at <= KEPT_SECONDS + 1
    assert [row.at for row in course.since(START + 90)] == [pytest.approx(START + 90 + n) for n in range(9)]


def test_a_clock_that_is_set_back_begins_anew() -> None:
    course = Course()
    a_minute(course, START, 5)
    a_minute(course, START - 3600, 3)
    assert [row.at for row in course.rows] == [START - 3600, START - 3599]


def test_a_site_that_is_looked_at_seldom_has_longer_rows() -> None:
    course = Course()
    told(course, START + 3.0, 3.0, requests=300)
    row = told(course, START + 6.5, 3.5, requests=70)
    assert row == Row(START, 3.0, 300, mean=40, upper=90)


def test_the_first_look_counts_nothing_and_makes_no_row() -> None:
    course = Course()
    assert course.add(Counts(START, 0.0), [], 40, 90) is None
    assert course.end() is None


def test_a_second_is_over_although_nothing_comes_after_it() -> None:
    course = Course()
    told(course, START + 0.5, 0.5, requests=3)
    assert course.end_before(START + 0.9) is None
    row = course.end_before(START + 1.1)
    assert row is not None
    assert (row.requests, course.end_before(START + 5)) == (3, None)


def test_where_nothing_is_known_there_is_no_upper_bound() -> None:
    course = Course()
    course.add(Counts(START + 1, 1.0, 5), [], 0.0, math.inf)
    row = course.end()
    assert row is not None
    assert row.upper is None


def test_two_rows_become_one() -> None:
    first = Row(START, 1, 10, denied=4, mean=40, upper=90, answers=1, median=10, p95=20)
    second = Row(START + 1, 1, 30, challenged=3, mean=50, upper=None, answers=3, median=50, p95=60)
    third = Row(START + 2, 1, 7, mean=40, upper=80)
    assert coarser([first, second, third]) == [
        Row(START, 2, 40, 3, 4, mean=45, upper=90, answers=4, median=40, p95=50),
        third,
    ]
    assert coarser([second, third])[0].median == 50, "only one of them tells"
    assert coarser([third, replace(third, at=START + 3)])[0].median is None


def test_rows_beside_a_gap_stay_apart() -> None:
    rows = [Row(START, 1, 10), Row(START + 60, 1, 10), Row(START + 61, 1, 10)]
    assert [(row.at, row.seconds) for row in coarser(rows)] == [(START, 1), (START + 60, 2)]


def test_nothing_is_lost_where_a_course_gets_coarser() -> None:
    course = Course()
    a_minute(course, START, 50)
    rows = list(course.rows)
    while len(rows) > 1:
        rows = coarser(rows)
    (whole,) = rows
    assert (whole.at, whole.requests) == (START, 49 * 50)
    assert whole.seconds == pytest.approx(49)


def test_a_course_is_its_document() -> None:
    course = Course()
    a_minute(course, START, 10)
    told(course, START + 11, 0.5, 3.0, 5.0, requests=2)
    course.end()
    document = json.loads(json.dumps(course_document(course.rows)))
    assert read_course(document) == list(course.rows)
    assert read_course(course_document([])) == []


@pytest.mark.parametrize("name", ["at", "requests", "median"])
@pytest.mark.parametrize("value", [["x"], [None, None], 5, [[1]]], ids=str)
def test_a_broken_document_is_told(name: str, value: object) -> None:
    document = course_document([Row(START, 1, 10)])
    document[name] = value  # type: ignore[assignment]
    with pytest.raises((TypeError, ValueError)):
        read_course(document)
    del document[name]
    with pytest.raises(KeyError):
        read_course(document)
