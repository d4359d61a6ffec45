"""What follows from the samples of a run: turns, ratios, good and bad answers, the JSON of the last line."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from bench.overhead_figures import (
    ARMED,
    BANNED,
    BARE,
    BLOCK_PAGE,
    HAPROXY,
    HOLDFAST,
    LIMIT,
    NGINX,
    PROXIED,
    Sample,
    as_json,
    check_passed,
    check_refused,
    contestants,
    ratio,
    spread,
    turns,
)
from bench.overhead_report import HEAD, conditions, markdown, rows, terminal

COSTS = {
    PROXIED: {HOLDFAST: 30, NGINX: 10, HAPROXY: 20},
    ARMED: {HOLDFAST: 44, HAPROXY: 20},
    BLOCK_PAGE: {HOLDFAST: 16, NGINX: 8, HAPROXY: 10},
    LIMIT: {HOLDFAST: 12, NGINX: 10, HAPROXY: 6, BARE: 4},
    BANNED: {HOLDFAST: 24, NGINX: 48, HAPROXY: 24},
}
"""Microseconds each."""


def one(group: str, who: str, number: int, micros: float) -> Sample:
    return Sample(group, who, number, count=1000, seconds=0.5, cpu=1000 * micros / 1e6)


def run(rounds: int = 3) -> list[Sample]:
    """A run in which each round is slower than the one before, for all alike."""
    return [
        one(group, who, number, micros * (1 + number))
        for number in range(rounds)
        for group, costs in COSTS.items()
        for who, micros in costs.items()
    ]


def test_each_contestant_has_each_turn_equally_often() -> None:
    orders = [turns("abc", number) for number in range(6)]
    assert sorted(map(tuple, orders)) == sorted(itertools.permutations("abc"))
    places = Counter((place, who) for number in range(24) for place, who in enumerate(turns("abcd", number)))
    assert set(places.values()) == {6}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5.0], (5, 5, 5)), ([3.0, 1.0, 2.0], (2, 1.5, 2.5)), ([1.0, 2.0, 3.0, 4.0, 100.0], (3, 2, 4))],
)
def test_the_spread_is_the_median_between_the_quartiles(
    values: list[float], expected: tuple[float, ...]
) -> None:
    seen = spread(values)
    assert (seen.median, seen.low, seen.high) == expected


def test_a_ratio_is_taken_within_a_round() -> None:
    seen = ratio(run(), PROXIED, HAPROXY)
    assert (seen.median, seen.low, seen.high) == pytest.approx((1.5, 1.5, 1.5))


def test_a_ratio_needs_both_in_every_round() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([*run(), one(PROXIED, HOLDFAST, 3, 30)], PROXIED, NGINX)


def test_the_json_holds_each_refusal_against_nginx_403() -> None:
    told = json.loads(json.dumps(as_json(run(), {"limits": "none"})))
    assert told["cpu_ratio_vs_haproxy"] == 1.5
    assert told["cpu_ratio_vs_nginx"] == 3.0
    assert told["cpu_ratio_vs_nginx_spread"] == [3.0, 3.0]
    assert (told["cpu_ratio_armed"], told["cpu_ratio_armed_spread"]) == (2.2, [2.2, 2.2])
    assert told["refuse_ratio_vs_nginx_403"] == {BLOCK_PAGE: 2.0, LIMIT: 3.0, BANNED: 0.5}
    assert told["refuse_ratio_vs_haproxy"] == {BLOCK_PAGE: 1.6, LIMIT: 2.0, BANNED: 1.0}
    assert told["cpu_us"][LIMIT] == {HOLDFAST: 24.0, NGINX: 20.0, HAPROXY: 12.0, BARE: 8.0}
    assert told["per_second"][PROXIED][NGINX] == 2000
    assert (told["rounds"], told["limits"]) == (3, "none")


@pytest.mark.parametrize(("requests", "refused", "broken"), [(100, 1, 0), (100, 0, 1), (0, 0, 0)])
def test_a_request_that_is_not_passed_on_stops_the_run(requests: int, refused: int, broken: int) -> None:
    check_passed("it", 100, 0, 0)
    with pytest.raises(RuntimeError, match="it: of"):
        check_passed("it", requests, refused, broken)


@pytest.mark.parametrize(("requests", "refused", "broken"), [(1000, 989, 0), (1000, 1000, 1), (0, 0, 0)])
def test_a_limit_that_lets_many_pass_stops_the_run(requests: int, refused: int, broken: int) -> None:
    check_refused("it", 1000, 990, 0)
    with pytest.raises(RuntimeError, match="it: of"):
        check_refused("it", requests, refused, broken)


def test_the_tables_name_every_contestant() -> None:
    samples = run()
    told = conditions(samples, "none", 4000, {NGINX: 0.02}, 0.5)
    assert len(rows(samples)) == sum(len(costs) for costs in COSTS.values())
    assert contestants(samples, LIMIT) == [HOLDFAST, NGINX, HAPROXY, BARE]
    for text in (terminal(samples, told), markdown(samples, told, "2001-02-03")):
        assert all(word in text for word in (*HEAD, "4,000 bytes", "1.50", "10.0 µs of", "quiet"))
    assert not any("quiet" in line for line in conditions(samples, "none", 4000, {}, 0.0))
