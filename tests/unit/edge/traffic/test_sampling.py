"""How the records are shared out between sites, by hand; in general: ``test_sampling_property``."""

from __future__ import annotations

import pytest

from holdfast.edge.dataplane.rules.sampling import ALL
from holdfast.edge.traffic.sampling import BUDGET, LEAST_CHANGE, allot, fair_share

FOREVER = float("inf")


@pytest.mark.parametrize(
    ("rates", "share"),
    [
        ([], FOREVER),
        ([100], FOREVER),
        ([50, 50], FOREVER),
        ([101], 100),
        ([1_000, 1_000], 50),
        ([10, 1_000], 90),
        ([10, 20, 1_000, 1_000], 35),
        ([10, 10, 40, 41], 40),
        ([0, 0, 200], 100),
    ],
)
def test_the_fair_share_of_a_hundred(rates: list[float], share: float) -> None:
    """Who asks for little has all of it; the others share what is left."""
    assert fair_share({str(index): rate for index, rate in enumerate(rates)}, 100) == share


def test_a_flood_takes_nothing_from_the_others() -> None:
    rates = {"quiet": 20.0, "shop": 300.0, "flooded": 100_000.0}
    assert allot(rates, {}, 2_000) == {"flooded": int(ALL * 1_680 / 100_000)}


def test_two_floods_share_alike() -> None:
    assert allot({"a": 20_000.0, "b": 40_000.0}, {}, 2_000) == {"a": 500, "b": 250}


def test_everybody_is_sampled_whole_within_the_budget() -> None:
    assert allot({"a": BUDGET / 2, "b": BUDGET / 2}, {"a": 3}) == {}
    assert allot({}, {"a": 3}) == {}


def test_nobody_becomes_invisible() -> None:
    """However much comes: one of ten thousand is told."""
    assert allot({"a": 1e12}, {}) == {"a": 1}


@pytest.mark.parametrize(
    ("present", "kept"),
    [(1_000, True), (1_900, True), (501, True), (500, False), (2_000, False), (10, False)],
)
def test_a_small_change_is_not_worth_a_command(present: int, kept: bool) -> None:
    rates = {"a": BUDGET * 10}
    assert LEAST_CHANGE == 2
    assert allot(rates, {"a": present}) == {"a": present if kept else 1_000}
