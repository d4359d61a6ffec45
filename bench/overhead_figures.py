"""What was measured of each contestant in each round, and the figures that follow from it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

PROXIED, ARMED, BLOCK_PAGE, LIMIT, BANNED = "proxied", "armed", "block_page", "limit", "banned_connection"
GROUPS = (PROXIED, ARMED, BLOCK_PAGE, LIMIT, BANNED)
PASSED = (PROXIED, ARMED)
REFUSALS = (BLOCK_PAGE, LIMIT, BANNED)
HOLDFAST, NGINX, HAPROXY, BARE = "Holdfast", "nginx", "HAProxy", "nginx 403"
"""``BARE``: nginx refusing with its own few words, the cheapest that it has; beside the limits."""
FORBIDDEN_BY = {BLOCK_PAGE: NGINX, LIMIT: BARE, BANNED: NGINX}
"""Whose 403 a refusal of Holdfast is held against: one of the same size, one of few words, one connection."""
LEAST_REFUSED = 0.99
"""Share of the answers that are refusals where a limit is measured: it lets the first few pass."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """One contestant in one round: so many requests (or connections) and the processor time of the proxy."""

    group: str
    who: str
    round: int
    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def micros(self) -> float:
        """Microseconds of processor time for each."""
        return 1e6 * self.cpu / self.count


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, and the quartiles."""

    median: float
    low: float
    high: float

    def rounded(self, digits: int) -> list[float]:
        return [round(self.low, digits), round(self.high, digits)]


def spread(values: Sequence[float]) -> Spread:
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def turns(contestants: Sequence[T], number: int) -> list[T]:
    """The order in round ``number``: over any six rounds each of three comes first, second and third twice,
    so that what one leaves behind (a warm cache, a hot core) is not always the same one's gain."""
    begin = (number // 2) % len(contestants)
    order = [*contestants[begin:], *contestants[:begin]]
    return order[::-1] if number % 2 else order


def of(samples: Sequence[Sample], group: str, who: str) -> list[Sample]:
    """Those of one contestant, by round."""
    found = [sample for sample in samples if (sample.group, sample.who) == (group, who)]
    return sorted(found, key=lambda sample: sample.round)


def contestants(samples: Sequence[Sample], group: str) -> list[str]:
    """Who was measured, Holdfast first."""
    found = {sample.who for sample in samples if sample.group == group}
    return [who for who in (HOLDFAST, NGINX, HAPROXY, BARE) if who in found]


def micros(samples: Sequence[Sample], group: str, who: str) -> Spread:
    return spread([sample.micros for sample in of(samples, group, who)])


def rate(samples: Sequence[Sample], group: str, who: str) -> Spread:
    return spread([sample.rate for sample in of(samples, group, who)])


def ratio(samples: Sequence[Sample], group: str, other: str) -> Spread:
    """Processor time of Holdfast over that of ``other``, each round for itself: what slows the whole machine
    for a while slows both."""
    pairs = zip(of(samples, group, HOLDFAST), of(samples, group, other), strict=True)
    return spread([ours.micros / theirs.micros for ours, theirs in pairs])


def check_passed(who: str, requests: int, refused: int, broken: int) -> None:
    """Raises RuntimeError unless every answer was a good one."""
    if refused or broken or not requests:
        raise RuntimeError(
            f"{who}: of {requests} requests {refused} were not answered with 2xx, {broken} connections broke"
        )


def check_refused(who: str, requests: int, refused: int, broken: int) -> None:
    """Raises RuntimeError unless (nearly) every answer was a refusal."""
    if broken or not requests or refused < LEAST_REFUSED * requests:
        raise RuntimeError(
            f"{who}: of {requests} requests only {refused} were refused, {broken} connections broke"
        )


def as_json(samples: Sequence[Sample], notes: dict[str, Any]) -> dict[str, Any]:
    """Ratios, their quartiles, and the medians that they come from; ``notes`` are added as they are."""
    result: dict[str, Any] = {}
    for name, other in (("haproxy", HAPROXY), ("nginx", NGINX)):
        seen = ratio(samples, PROXIED, other)
        result[f"cpu_ratio_vs_{name}"] = round(seen.median, 3)
        result[f"cpu_ratio_vs_{name}_spread"] = seen.rounded(3)
    armed = ratio(samples, ARMED, HAPROXY)
    result["cpu_ratio_armed"] = round(armed.median, 3)
    result["cpu_ratio_armed_spread"] = armed.rounded(3)
    held = {group: ratio(samples, group, FORBIDDEN_BY[group]) for group in REFUSALS}
    result["refuse_ratio_vs_nginx_403"] = {group: round(seen.median, 3) for group, seen in held.items()}
    result["refuse_ratio_vs_nginx_403_spread"] = {group: seen.rounded(3) for group, seen in held.items()}
    alike = {group: ratio(samples, group, HAPROXY) for group in REFUSALS}
    result["refuse_ratio_vs_haproxy"] = {group: round(seen.median, 3) for group, seen in alike.items()}
    for name, figure, digits in (("cpu_us", micros, 2), ("per_second", rate, 0)):
        result[name] = {
            group: {
                who: round(figure(samples, group, who).median, digits) for who in contestants(samples, group)
            }
            for group in GROUPS
        }
    return {**result, "rounds": len({sample.round for sample in samples}), **notes}
