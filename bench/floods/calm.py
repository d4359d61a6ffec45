"""Scenario 12: weeks of a real site's request rate, with an injected clock. It sends nothing, and needs no
network: ``python -m bench.floods.calm [--quick]`` runs the whole brain, with ``--rhythm`` the rate alone.

The data are the requests of each second of NASA's server in July and August 1995 (``HOLDFAST_DATA``); where
they are absent, made-up ones of the same level, and the output says so. What the requests are is not in them:
each is one of the real log (``calm_samples``), and the brain sees every one, as it would at such rates.

A brain begins cold, and its cold hours count. It looks once a second while nothing could exceed a bound
however a second's requests lie in it, and as often as in service (five times) where something could, and
whenever it is not calm; the requests of one client in a second come at once then, as a page and its images.
At random moments a copy of it is flooded, to show that it is not merely deaf.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import multiprocessing
import pickle
import sys
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.floods.calm_samples import Visitors, bots, crowd
from bench.floods.figures import Figures, together
from bench.floods.log import Visit, data_directory, read_visits
from bench.floods.made_up import made_up_visits
from bench.floods.scenario import Scenario
from holdfast.model.mitigation import Action
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.features import Feature
from holdfast.shield.phase import Phase
from holdfast.shield.rhythm import Rhythm
from holdfast.shield.sample import Sample

FILE = "nasa_requests_per_second.tbz2"
START = 804_571_200.0
"""Of the data: 1 July 1995, 00:00 in Florida. It leaves out some days, so that hours of the day shift by
fourteen in the fifth week: the rhythm has to cope."""
WEEK = 604_800
WINDOWS = (0.5, 1, 2, 10, 60)
"""Seconds over which the rate is looked at."""
FACTORS = (10, 30, 100)
LONGEST = 60
SCENARIO, HOLDFAST = "12-calm-weeks", "Holdfast"
TICKS = 5
"""In a second, where the brain looks closely."""
PLACES = (0.0, 0.38, 0.75)
"""Where in the data the three parts of a quick run begin."""
QUICK_DAYS = 10
QUICK_SECONDS = 110
"""After which the parts end where they are: the machine may be busy with other things."""
CROWD = "crowd"
LAID_ON = {"10x": 10, "100x": 100, CROWD: 100}
"""What is laid on calm traffic: how many times the rate that is expected at that moment. A crowd is of
ordinary visitors, and no attack."""
TIMED = 16
"""Of so many ticks, one is timed."""
PROBES = 5
LAID_SECONDS = 20
DAY = 86_400

Decide = Callable[[float, int], bool]
"""Given the end of a second (unix time) and its requests: whether there is an alarm at its end. Called once
for each second, in order; it learns as it likes."""


@dataclass(slots=True)
class Alarms:
    """What a ``Decide`` said of calm traffic: each alarm is a false one."""

    seconds: int = 0
    requests: int = 0
    raised: list[float] = field(default_factory=list)
    """When each began, in unix time; one that lasts is one."""
    lasted: int = 0
    """Seconds of alarm in all."""


def replay(counts: Iterable[int], decide: Decide, start: float = START) -> Alarms:
    """Every second's requests through ``decide``."""
    found, before, at = Alarms(), False, start
    for count in counts:
        at += 1.0
        alarm = decide(at, count)
        found.seconds += 1
        found.requests += count
        found.lasted += alarm
        if alarm and not before:
            found.raised.append(at)
        before = alarm
    return found


@dataclass(frozen=True, slots=True)
class Flooded:
    """What became of a flood; seconds after its first request, None: not in its time."""

    rate: float
    suspected: bool
    confirmed: float | None
    mitigated: float | None
    """When the first mitigation was decided."""


@dataclass(frozen=True, slots=True)
class Part:
    """Weeks on end through one brain."""

    start: float
    alarms: Alarms
    decide: WholeBrain
    floods: dict[str, list[Flooded]]
    """By what was laid on: ``10x``, ``100x``, and as many ordinary visitors as the latter: ``crowd``."""


class WholeBrain:
    """A ``Decide``: all that Holdfast decides about a site. It tells the brain of the second before the one
    that it is given, as what comes next, too, decides how closely a second is looked at."""

    def __init__(self, visitors: Visitors, start: float = START, seed: int = 1) -> None:
        self.brain = SiteBrain("calm", Baseline.new(start))
        self.now = start
        """Until when the brain has been told."""
        self.begun: list[str] = []
        """When an attack was declared, and why."""
        self.suspicions: list[float] = []
        """When the brain began to look at samples, unix time."""
        self.suspicious = self.closely = 0
        """Ticks under suspicion; seconds that were looked at five times."""
        self.denied = self.challenged = 0
        """Requests that a mitigation matched."""
        self.spent, self.ticks = 0.0, 0
        """CPU seconds of the calm ticks that were timed, and how many they were."""
        self.visitors = visitors
        self._rng = np.random.default_rng(seed)
        self._recent = (0, 0, 0)
        """Requests of the last three seconds; the last one is still to be told."""
        self._minute, self._bound = -1.0, 0.0

    def __call__(self, at: float, count: int) -> bool:
        first, second, present = self._recent
        self._recent = (second, present, count)
        if self.now < at - 1.0:
            self._second(present, max(first + second, second + count) + present)
        return self.brain.attack is not None

    def _second(self, count: int, near: int) -> None:
        """``near``: requests of the busiest three seconds on end that this one is among."""
        brain, begin = self.brain, self.now
        self.now = end = begin + 1.0
        if begin // 60 != self._minute:
            self._minute, self._bound = begin // 60, brain.baseline.expected(begin, 0.4).upper * 0.4
        if brain.phase is Phase.CALM and near <= self._bound:
            samples = self.visitors.samples(begin + (number + 0.5) / count for number in range(count))
            is_timed = end % TIMED == 0
            before = time.process_time() if is_timed else 0.0
            brain.tick(end, Counts(end, 1.0, count), samples, self._rng)
            if is_timed:
                self.spent += time.process_time() - before
                self.ticks += 1
        else:
            self.closely += 1
            for number, samples in enumerate(in_ticks(self.visitors.samples([begin] * count), self._rng), 1):
                self.tick(begin + number / TICKS, samples)
        for _, note in brain.news:
            if note.kind == "begins":
                self.begun.append(f"{datetime.fromtimestamp(note.at, UTC):%F %T}: {note.words}")
        brain.news.clear()

    def tick(self, now: float, samples: Sequence[Sample]) -> None:
        """A fifth of a second, with the data plane that the brain believes in."""
        brain, was_calm = self.brain, self.brain.phase is Phase.CALM
        seen = [self._judged(replace(each, at=now - 0.5 / TICKS)) for each in samples]
        counts = Counts(now, 1 / TICKS, len(seen), denied=sum(each.touched for each in seen))
        brain.tick(now, counts, seen, self._rng)
        if was_calm and brain.phase is not Phase.CALM:
            self.suspicions.append(now)
        self.suspicious += brain.phase is Phase.SUSPECT

    def _judged(self, sample: Sample) -> Sample:
        """As HAProxy does it, by the mitigations that the brain has pushed."""
        if not self.brain.response.standing:
            return sample
        known = self.brain.baseline.knows(sample.values[Feature.NETWORK], sample.at)
        found = (*sample.values, "0" if known else "1")
        for made in self.brain.response.mitigations():
            pairs = zip(made.features, made.values, strict=True)
            if all(found[Feature[name.upper()]] == value for name, value in pairs):
                if made.action in (Action.OBSERVE, Action.LIMIT):
                    return replace(sample, verdict=made.id)
                self.challenged += made.action is Action.CHALLENGE
                self.denied += made.action is not Action.CHALLENGE
                return replace(sample, verdict=made.id, origin_ms=0.0)
        return sample

    def flooded(self, following: Sequence[int], extra: Sequence[Sample]) -> Flooded:
        """What a copy of the brain does when ``extra`` (its times count from now on) comes on top of the
        seconds that follow. The origin serves all, so that nothing but the mix of clients can confirm it."""
        one = copy.copy(self)
        one.brain = pickle.loads(pickle.dumps(self.brain))  # noqa: S301 - nobody else's; faster than deepcopy
        one._rng, one.suspicions = copy.deepcopy(self._rng), []
        laid: defaultdict[int, list[Sample]] = defaultdict(list)
        for sample in extra:
            laid[int(sample.at * TICKS)].append(sample)
        rate, confirmed = len(extra) / len(following), None
        for second, count in enumerate(following):
            calm = in_ticks(self.visitors.samples([self.now] * count), one._rng)
            for number in range(TICKS):
                after = second + (number + 1) / TICKS
                one.tick(self.now + after, calm[number] + laid[second * TICKS + number])
                if one.brain.attack is not None and confirmed is None:
                    confirmed = after
                if one.brain.response.standing:
                    return Flooded(rate, bool(one.suspicions), confirmed, after)
        return Flooded(rate, bool(one.suspicions), confirmed, None)


def in_ticks(samples: Sequence[Sample], rng: np.random.Generator) -> list[list[Sample]]:
    """A second's requests by the fifth in which they come: those of one client together."""
    ticks: list[list[Sample]] = [[] for _ in range(TICKS)]
    of_client: dict[str, int] = {}
    for sample in samples:
        ticks[of_client.setdefault(sample.client, int(rng.integers(TICKS)))].append(sample)
    return ticks


def part(
    every: Sequence[int],
    start: float,
    visits: Sequence[Visit],
    turn: float = 0.0,
    seed: int = 1,
    until: float = math.inf,
    after: int = DAY,
) -> Part:
    """These seconds through a brain that knows nothing at first; and floods on top of them, not before
    ``after`` seconds. ``until``: on the monotonic clock; what is not done then is left out."""
    decide = WholeBrain(Visitors(visits, turn, seed), start, seed)
    draw = np.random.default_rng(seed)
    room = max(len(every) - LAID_SECONDS - after, 0)
    moments = set((after + draw.integers(room, size=PROBES)).tolist()) if room else set()
    floods: dict[str, list[Flooded]] = {name: [] for name in LAID_ON}

    def decides(at: float, count: int) -> bool:
        alarm = decide(at, count)
        second = round(decide.now - start)
        if second in moments and decide.brain.phase is Phase.CALM:
            mean = decide.brain.baseline.expected(decide.now, 1.0).mean
            following, drawn = every[second : second + LAID_SECONDS], seed + second
            for name, factor in LAID_ON.items():
                if name == CROWD:
                    extra = crowd(visits, factor * mean, LAID_SECONDS, drawn)
                else:
                    extra = bots(factor * mean, LAID_SECONDS, drawn)
                floods[name].append(decide.flooded(following, extra))
        return alarm

    return Part(start, replay(in_time(every, until), decides, start), decide, floods)


def in_time(every: Sequence[int], until: float) -> Iterator[int]:
    for minute in range(0, len(every), 60):
        if time.monotonic() > until:
            return
        yield from every[minute : minute + 60]


def parts(quick: bool) -> tuple[list[Part], str]:
    """Quick: ten days from each of three places of the data; else all of it, once."""
    until = time.monotonic() + QUICK_SECONDS if quick else math.inf
    every, data = counts()
    visits, log = _visits()
    length = QUICK_DAYS * DAY if quick else len(every)
    begins = [int(place * len(every)) for place in PLACES] if quick else [0]
    made = [
        (every[begin : begin + length], START + begin, visits, number / len(begins), number, until)
        for number, begin in enumerate(begins)
    ]
    if len(made) == 1:
        return [part(*made[0])], f"{data}; {log}"
    with multiprocessing.Pool(len(made)) as pool:
        found = pool.starmap(part, made)
    if sum(one.alarms.seconds for one in found) < length * len(made):
        print(f"{QUICK_SECONDS} s are over: parts were cut short", file=sys.stderr)
    return found, f"{data}; {log}"


def details(found: Sequence[Part]) -> dict[str, Any]:
    """What the issue's figures leave out."""
    floods = {name: [each for one in found for each in one.floods[name]] for name in LAID_ON}
    seconds = sum(one.alarms.seconds for one in found)
    return {
        "weeks": round(seconds / WEEK, 2),
        "requests": sum(one.alarms.requests for one in found),
        "newcomers": round(float(np.mean([one.decide.brain.baseline.newcomers for one in found])), 3),
        "alarms": [words for one in found for words in one.decide.begun],
        "suspicions": sum(len(one.decide.suspicions) for one in found),
        "suspicions_in_first_day": sum(at < one.start + DAY for one in found for at in one.decide.suspicions),
        "suspicious_share": round(sum(one.decide.suspicious for one in found) / TICKS / seconds, 7),
        "looked_closely_s": sum(one.decide.closely for one in found),
        "us_per_calm_tick": round(
            1e6 * sum(one.decide.spent for one in found) / sum(one.decide.ticks for one in found), 1
        ),
        "laid_on": {name: summary(each) for name, each in floods.items()},
    }


def summary(floods: Sequence[Flooded]) -> dict[str, Any]:
    """A time is null where one of them was not confirmed; the rates tell why."""
    confirmed = [math.inf if each.confirmed is None else each.confirmed for each in floods]
    mitigated = [math.inf if each.mitigated is None else each.mitigated for each in floods]
    return {
        "number": len(floods),
        "suspected": sum(each.suspected for each in floods),
        "confirmed": sum(map(math.isfinite, confirmed)),
        "confirmed_p50_s": _quantile(confirmed, 0.5) if floods else None,
        "confirmed_max_s": _quantile(confirmed, 1.0) if floods else None,
        "mitigated_max_s": _quantile(mitigated, 1.0) if floods else None,
        "rates": sorted(round(each.rate, 1) for each in floods),
    }


def run(_scenario: Scenario, quick: bool = True, name: str = SCENARIO) -> Figures:
    """All parts together. Requests are served unless a mitigation that the brain has pushed matches them."""
    found, data = parts(quick)
    print(f"calm: {data}: {json.dumps(details(found))}", file=sys.stderr, flush=True)
    return figures_of(found, name)


def figures_of(found: Sequence[Part], name: str) -> Figures:
    requests = sum(one.alarms.requests for one in found)
    denied = sum(one.decide.denied for one in found)
    challenged = sum(one.decide.challenged for one in found) / max(requests, 1)
    served = 1 - denied / max(requests, 1)
    return Figures(
        scenario=name,
        contestant=HOLDFAST,
        run=0,
        time_to_mitigate_s=None,
        re_arm_s=(),
        legit_requests=requests,
        legit_rate=requests / max(sum(one.alarms.seconds for one in found), 1),
        legit_served=served,
        legit_served_after_3s=served,
        legit_denied=denied,
        legit_challenged=challenged,
        challenged_before=0,
        challenged_served=None,
        flood_requests=0,
        flood_rate=0.0,
        flood_at_origin=None,
        flood_at_origin_whole=None,
        before=None,
        during=None,
        after=None,
        origin_peak=0,
        backlog_peak=0,
        cpu_seconds=0.0,
        generator_cpu=0.0,
        held_back=0,
        false_alarms=sum(len(one.decide.begun) for one in found),
    )


def _visits() -> tuple[list[Visit], str]:
    path = data_directory() / "apache_access.log"
    if path.exists():
        return read_visits(path), f"requests of {path.name}"
    return made_up_visits(), f"requests made up, as there is no {path}"


def counts(weeks: int | None = None) -> tuple[list[int], str]:
    """Requests in each second, and what they are."""
    path = data_directory() / FILE
    most = None if weeks is None else weeks * WEEK
    if path.exists():
        return read_counts(path)[:most], f"{path.name}, HOLDFAST_DATA"
    made_up = list(made_up_counts((weeks or 8) * WEEK))
    return made_up, f"made up by bench.floods, as there is no {path} (set HOLDFAST_DATA)"


def read_counts(path: Path) -> list[int]:
    """Its one text file: numbers, separated by spaces."""
    with tarfile.open(path) as archive:
        for member in archive:
            if (text := archive.extractfile(member)) is not None:
                return list(map(int, text.read().split()))
    raise ValueError(f"{path} holds no file of numbers: copy it anew")


def made_up_counts(seconds: int, seed: int = 1) -> Iterator[int]:
    """A week's rhythm, in bunches: a negative binomial of the real file's mean (0.7/s) and bunching (1.4)."""
    rng = np.random.default_rng(seed)
    for hour in range(-(-seconds // 3600)):
        day = 1 - 0.6 * math.cos(2 * math.pi * (hour % 24 - 3) / 24)
        mean = 0.7 * day * (0.5 if hour // 24 % 7 in (2, 3) else 1.2)
        yield from rng.negative_binomial(mean / 0.4, 1 / 1.4, min(3600, seconds - 3600 * hour)).tolist()


class RhythmAlone:
    """The rate's own alarm, which only makes the brain look closer. Learns all, as the brain does in calm."""

    def __init__(self) -> None:
        self.rhythm = Rhythm()
        self.alarms = dict.fromkeys(WINDOWS, 0)
        """Seconds in which each window's rate exceeded its bound."""
        self.highest = dict.fromkeys(WINDOWS, 0.0)
        """The rate by its bound, at most."""
        self._recent = [0] * LONGEST
        self._next = 0
        self._sums = dict.fromkeys(WINDOWS, 0)

    def __call__(self, at: float, count: int) -> bool:
        alarm = False
        for window in WINDOWS:
            if window < 1:  # as if all of the second's requests had come in this part of it
                total = count
            else:
                total = self._sums[window] + count - self._recent[self._next - int(window)]
                self._sums[window] = total
            ratio = total / window / self.rhythm.expected(at - 0.5, window).upper
            if ratio > self.highest[window]:
                self.highest[window] = ratio
            if ratio > 1:
                self.alarms[window] += 1
                alarm = True
        self._recent[self._next] = count
        self._next = (self._next + 1) % LONGEST
        self.rhythm.learn(at - 1.0, count, 1.0)
        return alarm


def stands_out_after(
    rhythm: Rhythm, at: float, following: Sequence[int], flood: Sequence[int]
) -> tuple[float, float] | None:
    """Seconds (at least the window's half second) until a flood on top of the traffic that follows exceeds a
    bound, and the window in which it does; None: not within that traffic."""
    both = [usual + extra for usual, extra in zip(following, flood, strict=True)]
    if both[0] / 2 > rhythm.expected(at, 0.5).upper * 0.5:
        return 0.5, 0.5
    for end in range(1, len(both) + 1):
        for window in WINDOWS[1:]:
            if sum(both[max(0, end - int(window)) : end]) / window > rhythm.expected(at, window).upper:
                return float(end), float(window)
    return None


def floods_seen(every: Sequence[int], probes: int, seed: int = 1) -> dict[str, dict[str, float | None]]:
    """Floods of ``FACTORS`` times the expected rate at random moments after the first week: how many stand
    out within a minute, and after how many seconds."""
    rng = np.random.default_rng(seed)
    moments = set(rng.integers(WEEK, len(every) - LONGEST, probes).tolist())
    rhythm = Rhythm()
    times: dict[int, list[float]] = {factor: [] for factor in FACTORS}
    for second, count in enumerate(every):
        at = START + second
        if second in moments:
            for factor in FACTORS:
                flood = rng.poisson(factor * rhythm.expected(at, 1.0).mean, LONGEST).tolist()
                seen = stands_out_after(rhythm, at, every[second : second + LONGEST], flood)
                times[factor].append(seen[0] if seen else math.inf)
        rhythm.learn(at, count, 1.0)
    return {
        f"{factor}x": {
            "within_60s": round(float(np.mean(np.isfinite(found))), 4),
            "p50_s": _quantile(found, 0.5),
            "p95_s": _quantile(found, 0.95),
        }
        for factor, found in times.items()
    }


def _quantile(values: Sequence[float], share: float) -> float | None:
    """None: not seen."""
    found = float(np.quantile(values, share, method="higher"))
    return found if math.isfinite(found) else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.floods.calm", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some weeks of it, not all")
    parser.add_argument("--rhythm", action="store_true", help="the rate alone, and floods on top of it")
    options = parser.parse_args()
    if options.rhythm:
        result = rhythm_alone(options.quick)
    else:
        found, data = parts(options.quick)
        result = together([figures_of(found, SCENARIO)]) | {"data": data} | details(found)
    print(json.dumps(result))
    return 0


def rhythm_alone(quick: bool) -> dict[str, Any]:
    """What the rate's bound alone does, with more windows than the brain looks at."""
    every, data = counts(3 if quick else None)
    begun = time.perf_counter()
    decide = RhythmAlone()
    found = replay(every, decide)
    took = time.perf_counter() - begun
    calls = found.seconds * (len(WINDOWS) + 1)
    return {
        "data": data,
        "weeks": round(found.seconds / WEEK, 2),
        "requests": found.requests,
        "rate_alarms": len(found.raised),
        "alarm_seconds": {str(window): number for window, number in decide.alarms.items()},
        "highest_by_bound": {str(window): round(most, 3) for window, most in decide.highest.items()},
        "bunching": round(decide.rhythm.bunching, 2),
        "us_per_call": round(1e6 * took / calls, 2),
        "seconds_taken": round(took, 1),
        "floods": floods_seen(every, 200 if quick else 1000),
        "bytes_saved": len(json.dumps(decide.rhythm.to_document())),
    }


if __name__ == "__main__":
    sys.exit(main())
