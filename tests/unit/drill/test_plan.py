"""A drill's bounds, and how many visitors are nothing unusual."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.drill.plan import Part, Plan, suited
from holdfast.edge.drill_facts import Usual
from holdfast.model.errors import HoldfastError

PLAN = Plan(calm=12, flood=10, after=5, visitors=20, rate=350)


@pytest.mark.parametrize("more", [{"flood": 14}, {"calm": 16}, {"after": 9}, {"rate": 781}, {"rate": -1}])
def test_nobody_plans_more_than_this_machine_should_bear(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at most 30.0 s and 800.0 requests/s"):
        Plan(**more)


def test_the_usual_plan_takes_less_than_half_a_minute() -> None:
    assert Plan().seconds <= 30
    assert Plan().calm > 10, "a site of which nothing is known is looked at for ten seconds first"


@pytest.mark.parametrize(
    ("at", "part"),
    [
        (0, Part.CALM),
        (11.9, Part.CALM),
        (12, Part.FLOOD),
        (21.9, Part.FLOOD),
        (22, Part.AFTER),
        (99, Part.AFTER),
    ],
)
def test_each_moment_belongs_to_a_part(at: float, part: Part) -> None:
    assert PLAN.part(at) is part
    begin, end = PLAN.span(part)
    assert begin <= at
    assert at < end or part is Part.AFTER


@pytest.mark.parametrize(
    ("mean", "bound", "visitors"),
    [(0, 50, 20), (20, 100, 20), (0, 30, 15), (0.2, 2.7, 1.25), (1, 2, 1), (100, 400, 20)],
)
def test_visitors_stay_within_what_is_usual(mean: float, bound: float, visitors: float) -> None:
    assert suited(PLAN, "gazette", Usual(mean, bound)).visitors == pytest.approx(visitors)


@pytest.mark.parametrize(("mean", "bound"), [(200, 1000), (100, 450)])
def test_a_flood_that_would_be_nothing_unusual_is_refused(mean: float, bound: float) -> None:
    with pytest.raises(HoldfastError, match="nothing unusual at gazette"):
        suited(PLAN, "gazette", Usual(mean, bound))
