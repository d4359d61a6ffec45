"""Made-up traffic for one site: calm visitors, crowds, floods, as counts and samples, on a clock of its own.

Random, but the same for the same seed. Shares and names are invented; the real log is replayed in
``bench/floods``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.sample import Sample

TICK = 0.2
DAY = 86_400.0
START = 1_700_000_000.0

Make = Callable[[np.random.Generator, float], Sample]
"""One request at a time, as it would be if nothing stood in its way."""

BROWSERS = [(f"Mozilla/5.0 Browser/{number}", f"names-{number % 4}") for number in range(12)]


def values(agent: str, names: str, network: str, path: str = "/", **more: str) -> tuple[str, ...]:
    fields = {"method": "GET", "query": "", "presence": "00111", "tls": "", "language": "en", **more}
    section = path.split("/")[1] if "/" in path else ""
    return (
        *(f"a:{agent}", f"n:{names}", f"p:{path}", f"s:{section}", fields["method"], fields["query"]),
        *(fields["presence"], "1.1", fields["tls"], "", fields["language"], network),
    )


def visitor(rng: np.random.Generator, at: float) -> Sample:
    """One of 3,000 visitors; a tenth of the requests are from networks that come once."""
    number = int(rng.integers(3000))
    agent, names = BROWSERS[number % len(BROWSERS)]
    network = f"10.{number // 250}.{number % 250}.0"
    if rng.random() < 0.1:
        network = f"77.{rng.integers(250)}.{rng.integers(250)}.0"
    path = f"/page/{int(rng.zipf(1.6)) % 200}"
    return Sample(
        at, "1-1", network, values(agent, names, network, path), origin_ms=20, path=path, agent=agent
    )


def bot(rng: np.random.Generator, at: float) -> Sample:
    """One of 5,000 sources of one tool."""
    number = int(rng.integers(5000))
    network = f"198.{18 + number // 2500}.{number % 250}.0"
    made = values("floodtool/1.0", "host:user-agent", network, "/", query=f"q{rng.integers(10**9)}")
    client = f"{network}-{number}"
    return Sample(at, "1-1", client, made, origin_ms=20, path="/", agent="floodtool/1.0")


def named(name: str) -> Make:
    """Another tool, from the same 5,000 sources."""

    def one(rng: np.random.Generator, at: float) -> Sample:
        made = bot(rng, at)
        return replace(
            made, values=values(name, f"order-of-{name}", made.values[-1], f"/{name}"), agent=name, path="/"
        )

    return one


def mimic(rng: np.random.Generator, at: float) -> Sample:
    """Real requests, from sources never seen."""
    network = f"198.{51 + rng.integers(12)}.{rng.integers(250)}.0"
    like = visitor(rng, at)
    return replace(like, client=network, values=(*like.values[:-1], network))


@dataclass
class Site:
    """A brain with the data plane that it believes in: what it pushes is done to the samples that follow."""

    brain: SiteBrain
    capacity: float = 200.0
    """Requests/s that the origin serves."""
    seed: int = 1
    now: float = START
    rng: np.random.Generator = field(init=False)
    served: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    backlog: float = 0.0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def run(self, seconds: float, *streams: tuple[str, float, Make], sampled: float = 1.0) -> None:
        """``streams``: name, requests/s, what makes them."""
        for _ in range(round(seconds / TICK)):
            self.tick(*streams, sampled=sampled)

    def tick(self, *streams: tuple[str, float, Make], sampled: float = 1.0) -> None:
        self.now += TICK
        counts = {"requests": 0, "waited": 0, "overflowed": 0, "denied": 0}
        samples = []
        room = self.capacity * TICK
        for name, made in self._requests(streams):
            counts["requests"] += 1
            seen = self._judge(made)
            if seen.touched:
                counts["denied"] += 1
                self.kept[name] = self.kept.get(name, 0) + 1
            elif self.backlog > 400:
                counts["overflowed"] += 1
                counts["waited"] += 1
                seen = replace(seen, status=503, origin_ms=0.0)
            else:
                self.backlog += 1
                counts["waited"] += self.backlog > room
                wait = 1000 * self.backlog / self.capacity
                seen = replace(seen, queue_ms=max(0.0, wait - 100))
                self.served[name] = self.served.get(name, 0) + 1
            if self.rng.random() < sampled:
                samples.append(replace(seen, weight=1 / sampled))
        self.backlog = max(0.0, self.backlog - room)
        self.brain.tick(self.now, Counts(self.now, TICK, **counts), samples, self.rng)

    def _requests(self, streams: tuple[tuple[str, float, Make], ...]) -> Iterator[tuple[str, Sample]]:
        made = [
            (self.now - TICK * float(self.rng.random()), name, make)
            for name, rate, make in streams
            for _ in range(int(self.rng.poisson(rate * TICK)))
        ]
        for at, name, make in sorted(made, key=lambda each: each[0]):
            yield name, make(self.rng, at)

    def _judge(self, sample: Sample) -> Sample:
        """What HAProxy would do, by the mitigations that the brain has pushed."""
        from holdfast.shield.features import Feature

        stranger = "0" if self.brain.baseline.knows(sample.values[Feature.NETWORK], sample.at) else "1"
        found = {
            **{each.name.lower(): sample.values[each] for each in list(Feature)[:-1]},
            "stranger": stranger,
        }
        for mitigation in self.brain.response.mitigations():
            pairs = zip(mitigation.features, mitigation.values, strict=True)
            if all(found[name] == value for name, value in pairs):
                passes = mitigation.action.value in ("observe", "limit")
                return replace(sample, verdict=mitigation.id, origin_ms=sample.origin_ms if passes else 0.0)
        return sample


def warm(rate: float = 50.0, days: float = 8.0, seed: int = 7) -> Baseline:
    """A site's baseline after a week of calm."""
    rng = np.random.default_rng(seed)
    begin = START - days * DAY
    baseline = Baseline.new(begin)
    for minute in range(int(days * 1440)):
        at = begin + 60 * minute
        if minute > (days - 1) * 1440:
            for second in range(60):
                baseline.learn_rate(at + second, float(rng.poisson(rate)), 1.0)
        else:
            baseline.learn_rate(at, float(rng.poisson(60 * rate)), 60.0)
    times = np.sort(begin + rng.random(6000) * (days * DAY - 3600))
    baseline.learn([visitor(rng, float(at)) for at in times], rng)
    return baseline
