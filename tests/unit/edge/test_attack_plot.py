"""The picture of an attack: it is one, of the right kind, always the same, and says what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from holdfast.edge.attack_plot import MOST_MARKS, MOST_ROWS, draw, lettered, spaced
from holdfast.shield.attack import Attack
from holdfast.shield.record import AttackRecord, Gap
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation_record, record, row
from tests.unit.shield.traffic import START


@pytest.fixture(scope="module")
def svg() -> bytes:
    return draw(record(), "svg")


def test_a_png_is_one() -> None:
    picture = draw(record(), "png")
    assert picture.startswith(b"\x89PNG\r\n")
    assert 20_000 < len(picture) < 200_000
    assert picture == draw(record(), "png")


def test_an_svg_is_always_the_same_and_holds_no_date(svg: bytes) -> None:
    assert svg == draw(record(), "svg")
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    assert b"<dc:date>" not in svg


@pytest.mark.parametrize(
    "words",
    [
        "Attack on shop",
        ATTACK,
        "2023-11-14 22:13:20 UTC, 1 min",
        "passed on to the origin",
        "challenged",
        "denied",
        "usual, at most",
        "origin, ms",
        "22:13:21  -1 deny: 12% passed the step before (challenge)",
    ],
)
def test_it_says_what_it_shows(svg: bytes, words: str) -> None:
    """Matplotlib writes each text as a comment beside its outlines."""
    assert words in svg.decode()


def test_what_did_not_happen_is_not_in_the_legend(svg: bytes) -> None:
    for words in ("dropped", "refused at a limit", "not known"):
        assert f"<!-- {words} -->" not in svg.decode()


@pytest.mark.parametrize("rows", [0, 1])
def test_of_hardly_anything_there_is_a_picture_too(rows: int) -> None:
    made = AttackRecord(Attack(ATTACK, "shop", START, "why"))
    made.add([row(second, answers=0, median=None, p95=None, upper=None) for second in range(rows)])
    made.gaps.append(Gap(START + 0.1, START + 0.2))
    assert "no sample reached the origin" in draw(made, "svg").decode()


def test_where_nothing_came_a_row_says_so() -> None:
    made = AttackRecord(Attack(ATTACK, "shop", START, "why"))
    made.add([row(0), row(20), row(21)])
    assert [(each.at - START, each.seconds, each.requests) for each in spaced(made)] == [
        (0, 1, 40),
        (1, 19, 0),
        (20, 1, 40),
        (21, 1, 40),
    ]


def test_a_long_course_is_drawn_in_few_steps() -> None:
    made = AttackRecord(Attack(ATTACK, "shop", START, "why"))
    made.add([row(second) for second in range(1200)])
    assert len(spaced(made)) == MOST_ROWS


def test_marks_that_lie_near_share_a_letter_and_of_many_the_ends_are_named() -> None:
    made = record()
    marks = lettered(made, START - 30, START + 90)
    assert [(mark.letter, len(mark.turns), mark.is_end) for mark in marks] == [
        ("a", 2, False),
        ("b", 1, True),
    ]
    for number in range(20):
        made.put(mitigation_record(id=f"{FIRST}{number}"))
    assert sum(len(mark.turns) for mark in lettered(made, START - 30, START + 90)) == MOST_MARKS
