"""What was measured of the challenge, and the figures that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.measure import percentile
from bench.overhead_figures import HAPROXY, HOLDFAST, NGINX, Spread, spread

PAGE, BARE, SAME_SIZE = "page", "403, few words", "403, as long a page"
BARE_TOOL: Final = "403, few words, under wrk"
DOCUMENT, FORGED, ISSUED, LINK = "problem document", "page, forged clearance", "challenge", "timed link"
CEILING, SOLVED, JUNK = "beyond the ceiling", "solution, right", "solution, wrong"
CLEARED, CALM, PROXIED = "passed on, cleared", "passed on, calm site", "passed on"
CALM_STATE, FULL, BOUNDED, DEAD = "calm", "overloaded", "submissions, bounded", "dead"
STATES: Final = (CALM_STATE, BOUNDED, FULL, DEAD)
CLEARED_SITE, CALM_SITE = "cleared", "calm"
SITES: Final = (CLEARED_SITE, CALM_SITE)
MOST_TIMES: Final = 3.5
"""The page's cost over nginx's 403: the target."""
MOST_RATIO: Final = 1.2
MOST_SOLVE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One case in one round: so many answers, and the proxy's processor time."""

    name: str
    who: str
    round: int
    count: int
    seconds: float
    cpu: float
    carried: float
    """Of it, that of the thread that carries traffic."""

    @property
    def micros(self) -> float:
        return 1e6 * self.cpu / self.count

    @property
    def per_core(self) -> float:
        """Answers that one core could give in a second."""
        return self.count / self.cpu


@dataclass(frozen=True, slots=True)
class Waits:
    """The 99th percentile of a site's answers in one state in one round, in milliseconds; and how many."""

    site: str
    state: str
    round: int
    p99: float
    count: int


@dataclass(frozen=True, slots=True)
class Solves:
    """Seconds from the navigation to the origin's page, by how hard the proof was."""

    easiest: Sequence[float]
    hardest: Sequence[float]


def cost(
    name: str,
    who: str,
    number: int,
    count: int,
    seconds: float,
    before: Sequence[float],
    after: Sequence[float],
) -> Cost:
    """``before`` and ``after``: what each thread had used; the first one carries the traffic."""
    return Cost(name, who, number, count, seconds, sum(after) - sum(before), after[0] - before[0])


def of(costs: Sequence[Cost], name: str, who: str = HOLDFAST) -> list[Cost]:
    """Those of one case, by round."""
    return sorted((each for each in costs if (each.name, each.who) == (name, who)), key=lambda one: one.round)


def micros(costs: Sequence[Cost], name: str, who: str = HOLDFAST) -> Spread:
    return spread([each.micros for each in of(costs, name, who)])


def per_core(costs: Sequence[Cost], name: str, who: str = HOLDFAST) -> Spread:
    return spread([each.per_core for each in of(costs, name, who)])


def times(costs: Sequence[Cost], name: str, other: str, by: str) -> Spread:
    """The cost of one of Holdfast's answers over that of a peer's, in each round for itself."""
    theirs = {each.round: each.micros for each in of(costs, other, by)}
    return spread([each.micros / theirs[each.round] for each in of(costs, name) if each.round in theirs])


def p99(seconds: Sequence[float]) -> float:
    """In milliseconds."""
    return 1000 * percentile(seconds, 0.99)


def path_ratio(waits: Sequence[Waits], site: str, state: str) -> Spread:
    """The p99 in a state over that in calm, in each round for itself."""
    calm = {each.round: each.p99 for each in waits if (each.site, each.state) == (site, CALM_STATE)}
    return spread([each.p99 / calm[each.round] for each in waits if (each.site, each.state) == (site, state)])


def worse(waits: Sequence[Waits], state: str) -> Spread:
    """The ratio of the site that suffers more."""
    return max((path_ratio(waits, site, state) for site in SITES), key=lambda each: each.median)


def middle_p99(waits: Sequence[Waits], site: str, state: str) -> Spread:
    return spread([each.p99 for each in waits if (each.site, each.state) == (site, state)])


def as_json(
    costs: Sequence[Cost], waits: Sequence[Waits], solves: Solves, notes: dict[str, Any]
) -> dict[str, Any]:
    """The figures that the last line tells; ``notes`` are added as they are."""
    page, bare = micros(costs, PAGE), micros(costs, BARE, NGINX)
    ratios = {
        "nginx_403": times(costs, PAGE, BARE, NGINX),
        "nginx_403_same_size": times(costs, PAGE, SAME_SIZE, NGINX),
        "haproxy_403": times(costs, PAGE, BARE, HAPROXY),
        "haproxy_403_same_size": times(costs, PAGE, SAME_SIZE, HAPROXY),
    }
    result: dict[str, Any] = {
        "page_cpu_us": round(page.median, 2),
        "page_cpu_us_spread": page.rounded(2),
        "nginx_403_cpu_us": round(bare.median, 2),
        "nginx_403_cpu_us_spread": bare.rounded(2),
        "solve_s": _seconds(solves.easiest),
        "path_p99_ratio_when_challenge_dead": round(worse(waits, DEAD).median, 3),
        "path_p99_ratio_when_challenge_dead_spread": worse(waits, DEAD).rounded(3),
        "page_ratio": {name: round(each.median, 2) for name, each in ratios.items()},
        "page_ratio_spread": {name: each.rounded(2) for name, each in ratios.items()},
        "pages_per_core": round(per_core(costs, PAGE).median),
        "challenges_per_core": round(per_core(costs, ISSUED).median),
        "solutions_per_core": round(per_core(costs, SOLVED).median),
    }
    for name, state in (("bounded", BOUNDED), ("full", FULL)):
        result[f"path_p99_ratio_when_challenge_overloaded_{name}"] = round(worse(waits, state).median, 3)
    if solves.hardest:
        result["solve_hardest_s"] = _seconds(solves.hardest)
    result["cpu_us"] = {
        f"{who}, {name}": round(micros(costs, name, who).median, 2)
        for name, who in sorted({(each.name, each.who) for each in costs})
    }
    return {**result, **notes}


def _seconds(each: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(percentile(each, 0.5), 3),
        "p95": round(percentile(each, 0.95), 3),
        "count": len(each),
    }
