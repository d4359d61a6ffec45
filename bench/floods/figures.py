"""Records → figures: pure. What each figure means is said once, here, and in ``scenarios/README.md``."""

from __future__ import annotations

import ipaddress
import math
import statistics
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.floods.records import Arrival, Bot, Legit, Run

IN_FORCE = 0.95
"""Share of the flood that must be refused."""
WINDOW, STAYS, STEP = 0.5, 1.0, 0.1
"""Seconds: the window in which it must be so; how long it must stay so after that; the grid of its begins."""
SETTLED = 0.5
"""Seconds from mitigation until which its leavings may still reach the origin."""
SOON = 3.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds that legitimate requests took that were served."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run."""

    scenario: str
    contestant: str
    run: int
    time_to_mitigate_s: float | None
    """From the flood's first packet to mitigation in force, as its sender sees it; None: never."""
    re_arm_s: tuple[float | None, ...]
    """The same for each later pulse."""
    legit_requests: int
    legit_rate: float
    legit_served: float
    """Share of all requests of legitimate clients that the origin answered in the end."""
    legit_served_after_3s: float
    legit_denied: int
    """Those whose last answer was not the origin's, or that had none."""
    legit_challenged: float
    """Share of all that met a challenge on the way."""
    challenged_before: int
    """Those that met one before the flood began."""
    challenged_served: float | None
    """Share of those that were served in the end; None: nobody was challenged."""
    flood_requests: int
    flood_rate: float
    """Requests a second that were sent, while it was on."""
    flood_at_origin: float | None
    """Share of the flood, sent from half a second after mitigation on, that reached the origin; where there
    was no mitigation, of the whole flood."""
    flood_at_origin_whole: float | None
    before: Spread | None
    during: Spread | None
    after: Spread | None
    origin_peak: int
    """The most requests that an origin received within a second."""
    backlog_peak: int
    cpu_seconds: float
    """Of the contestant, while the flood was on."""
    generator_cpu: float
    held_back: int
    false_alarms: int
    groups: dict[str, float] = field(default_factory=dict)
    """Share served by group of clients, and by site where there are several."""


def figures(run: Run) -> Figures:
    """Everything that follows from the records of one run."""
    meta = run.meta
    is_bot = _in_networks(meta.bots)
    reached = match(run.bots, [each for each in run.arrivals if is_bot(each.address)])
    times = [time_to_mitigate(run.bots, begin, end) for begin, end in meta.pulses]
    mitigated = times[0] if times else None
    after = [
        hit
        for bot, hit in zip(run.bots, reached, strict=True)
        if mitigated is None or bot.sent >= meta.pulses[0][0] + mitigated + SETTLED
    ]
    legit = run.legit
    challenged = [each for each in legit if each.challenged]
    seconds = sum(end - begin for begin, end in meta.pulses)
    return Figures(
        scenario=meta.scenario,
        contestant=meta.contestant,
        run=meta.run,
        time_to_mitigate_s=mitigated,
        re_arm_s=tuple(times[1:]),
        legit_requests=len(legit),
        legit_rate=len(legit) / (meta.over - meta.begin),
        legit_served=share(legit, lambda each: each.served),
        legit_served_after_3s=share(
            (e for e in legit if e.sent > meta.flood + SOON), lambda each: each.served
        ),
        legit_denied=sum(not each.served for each in legit),
        legit_challenged=share(legit, lambda each: each.challenged, empty=0.0),
        challenged_before=sum(each.sent < meta.flood for each in challenged),
        challenged_served=share(challenged, lambda each: each.served) if challenged else None,
        flood_requests=len(run.bots),
        flood_rate=len(run.bots) / seconds if seconds else 0.0,
        flood_at_origin=sum(after) / len(after) if after else None,
        flood_at_origin_whole=sum(reached) / len(reached) if reached else None,
        before=_spread(each for each in legit if each.sent < meta.flood),
        during=_spread(each for each in legit if meta.flood <= each.sent < meta.end),
        after=_spread(each for each in legit if each.sent >= meta.end),
        origin_peak=_busiest(run.arrivals),
        backlog_peak=max((each.waiting for each in run.arrivals), default=0),
        cpu_seconds=round(meta.cpu[1], 2),
        generator_cpu=round(meta.generator_cpu, 2),
        held_back=meta.held_back,
        false_alarms=meta.alarms,
        groups=_groups(legit),
    )


def time_to_mitigate(bots: Iterable[Bot], begin: float, end: float) -> float | None:
    """Seconds from the first request of a flood (or pulse) to the begin of the first half second in which at
    least 95 % of what was sent was refused and that is followed by a second in which that is so, too (or by
    what there is of it until the end). Refused: not answered by the origin."""
    sent = sorted((bot.sent, not bot.origin) for bot in bots if begin <= bot.sent < end)
    if not sent:
        return None
    first = sent[0][0]
    moments = [moment for moment, _ in sent]
    refused = [0]
    for _, was_refused in sent:
        refused.append(refused[-1] + was_refused)

    def holds(low: float, high: float) -> bool | None:
        start, stop = bisect_left(moments, low), bisect_left(moments, high)
        return None if start == stop else refused[stop] - refused[start] >= IN_FORCE * (stop - start)

    for number in range(math.ceil((end - first) / STEP)):
        low = first + number * STEP
        if low + WINDOW > end:
            break
        if holds(low, low + WINDOW) and holds(low + WINDOW, low + WINDOW + STAYS) is not False:
            return round(number * STEP, 3)
    return None


def match(bots: Sequence[Bot], arrivals: Iterable[Arrival]) -> list[bool]:
    """For each request of the flood: whether it reached the origin. It did when the origin answered it, and
    when the origin saw one like it (same source, same path) that no earlier request accounts for."""
    waiting: defaultdict[tuple[str, int], deque[int]] = defaultdict(deque)
    for number in sorted(range(len(bots)), key=lambda each: bots[each].sent):
        waiting[bots[number].address, bots[number].key].append(number)
    reached = [bot.origin for bot in bots]
    for arrival in sorted(arrivals, key=lambda each: each.at):
        queue = waiting[arrival.address, arrival.key]
        while queue and not _can_be(bots[queue[0]], arrival):
            queue.popleft()
        if queue and bots[queue[0]].sent <= arrival.at:
            reached[queue.popleft()] = True
    return reached


def _can_be(bot: Bot, arrival: Arrival) -> bool:
    """Whether what the origin saw may be this request: not one that was answered before that."""
    return bot.done is None or bot.origin or bot.done >= arrival.at


def share(records: Iterable[Any], holds: Callable[[Any], bool], empty: float = 1.0) -> float:
    """The share of ``records`` for which something holds."""
    found = [holds(each) for each in records]
    return sum(found) / len(found) if found else empty


def percentile(values: Sequence[float], wanted: float) -> float:
    """The smallest value that at least a share ``wanted`` of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(wanted * len(ordered)) - 1)]


def _spread(legit: Iterable[Legit]) -> Spread | None:
    took = [1000 * (each.done - each.sent) for each in legit if each.served]
    return Spread(round(percentile(took, 0.5), 1), round(percentile(took, 0.99), 1)) if took else None


def _busiest(arrivals: Iterable[Arrival]) -> int:
    most, recent = 0, dict[str, deque[float]]()
    for each in sorted(arrivals, key=lambda arrival: arrival.at):
        window = recent.setdefault(each.host, deque())
        window.append(each.at)
        while each.at - window[0] >= 1:
            window.popleft()
        most = max(most, len(window))
    return most


def _groups(legit: Sequence[Legit]) -> dict[str, float]:
    names = sorted({each.group for each in legit})
    hosts = sorted({each.host for each in legit})
    found = {name: share((e for e in legit if e.group == name), lambda each: each.served) for name in names}
    if len(hosts) > 1:
        found |= {
            host: share((e for e in legit if e.host == host), lambda each: each.served) for host in hosts
        }
    return {name: round(value, 4) for name, value in found.items()}


def _in_networks(texts: Sequence[str]) -> Callable[[str], bool]:
    networks = [ipaddress.ip_network(each) for each in texts]
    known: dict[str, bool] = {}

    def holds(text: str) -> bool:
        if text not in known:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:  # a contestant that does not say who it is
                known[text] = False
            else:
                known[text] = any(address in network for network in networks)
        return known[text]

    return holds


def together(runs: Sequence[Figures]) -> dict[str, Any]:
    """The figures of several runs as the issue names them: of shares the worst, of counts the sum; a time is
    null where a run (p50: half of them) had none."""
    times = [math.inf if each.time_to_mitigate_s is None else each.time_to_mitigate_s for each in runs]
    origin = [each.flood_at_origin for each in runs if each.flood_at_origin is not None]
    return {
        "scenario": runs[0].scenario,
        "time_to_mitigate_s": {"p50": _finite(statistics.median_high(times)), "max": _finite(max(times))},
        "legit_served": _floor(min(each.legit_served for each in runs)),
        "legit_served_after_3s": _floor(min(each.legit_served_after_3s for each in runs)),
        "legit_denied": sum(each.legit_denied for each in runs),
        "legit_challenged": round(max(each.legit_challenged for each in runs), 5),
        "flood_at_origin": round(max(origin), 5) if origin else None,
        "false_alarms": sum(each.false_alarms for each in runs),
    }


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else round(value, 3)


def _floor(value: float) -> float:
    """Rounded down: what is not all is never shown as all."""
    return math.floor(value * 1e5) / 1e5
