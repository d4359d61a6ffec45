"""Numbers, times and paragraphs as the commands tell them."""

from __future__ import annotations

import pytest

from holdfast.edge.words import clock, filled, harm_of, lasted, moment, percent
from holdfast.shield.mitigation_record import MitigationRecord
from tests.unit.shield.recorded import mitigation, mitigation_record
from tests.unit.shield.traffic import START


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (4.25, "4.2 s"),
        (59.96, "1 min"),
        (134, "2 min 14 s"),
        (3599.6, "1 h 0 min"),
        (11_100, "3 h 5 min"),
    ],
)
def test_how_long_something_lasted(seconds: float, expected: str) -> None:
    assert lasted(seconds) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "none"),
        (0.00004, "less than 0.01%"),
        (0.0008, "0.08%"),
        (0.0999, "9.99%"),
        (0.93, "93%"),
        (1, "100%"),
    ],
)
def test_shares(share: float, expected: str) -> None:
    assert percent(share) == expected


def test_times() -> None:
    assert moment(START) == "2023-11-14 22:13:20 UTC"
    assert clock(START) == "22:13:20"


def test_a_paragraph_goes_on_under_itself() -> None:
    assert filled("reason:", "one two-three four", indent=2, hang=10, width=20) == [
        "  reason: one",
        "          two-three",
        "          four",
    ]
    assert filled("-", "a" * 40, indent=0, hang=2, width=20) == [f"- {'a' * 40}"], "an id is never broken"
    assert filled("a head that is long", "x", indent=0, hang=4) == ["a head that is long x"]
    assert filled("reason:", "", indent=2, hang=10) == ["  reason:"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            mitigation_record(),
            "at most 0.08% of usual requests; of the requests from known networks it kept away",
        ),
        (
            MitigationRecord.of(mitigation(harm=1.0), START),
            "the site was too young to tell whom it touches; too few",
        ),
        (
            MitigationRecord.of(mitigation(harm=1.0, features=(), values=()), START),
            "it touches all visitors; too few",
        ),
    ],
)
def test_harm_as_predicted_and_as_measured(record: MitigationRecord, expected: str) -> None:
    assert expected in harm_of(record)
