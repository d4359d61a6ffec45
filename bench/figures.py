"""What was measured at each size, the figures that follow from it, and the targets of the issue."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.bystanders import Visits
from bench.kinds import CERTIFICATE, FAST_KINDS, REMOVE
from bench.measure import Timing, percentile
from bench.usage import Cpu, Memory

FAST_MS, REMOVAL_MS, MOST_RATIO = 20.0, 30.0, 3.0
START_SECONDS, MOST_MIB = 10.0, 1024.0
RESAMPLES = 400
MOST_OTHERS = 0.1
"""Cores that others may use on the machine before a note says so."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from ``holdfast up`` to the first request served, and to the first change taken."""

    served: float
    since_haproxy: float
    """Of the seconds to the first request: those since HAProxy's start."""
    ready: float
    memory: Memory


@dataclass
class Size:
    """One edge of so many hostnames."""

    hostnames: int
    sites: int
    tls_sites: int
    start: Start
    most_rate: float
    """Requests a second that it carries here at most."""
    visits: Visits
    scans: dict[str, tuple[int, int]]
    """What was scanned: how often, and the longest in milliseconds."""
    seconds: float
    """That all changes took, rests included."""
    cpu: tuple[Cpu, Cpu]
    """Before and after the changes."""
    memory: Memory
    """After the changes."""
    reloads: int
    adoption: float | None
    """Seconds from the start of a new agent, beside a running HAProxy, to its first change."""
    timings: list[Timing] = field(repr=False)

    def of(self, kind: str) -> list[Timing]:
        return [timing for timing in self.timings if timing.kind == kind]

    def in_force(self, kind: str, share: float) -> float:
        return percentile([timing.in_force for timing in self.of(kind)], share)

    def slowest(self, share: float) -> tuple[float, str]:
        """Of adds, blocks and mitigations: the figure of the slowest kind, and which it is."""
        return max((self.in_force(kind, share), kind) for kind in FAST_KINDS)

    def cores(self, name: str) -> float:
        """Cores in use during the changes, by a field of ``Cpu``."""
        before, after = self.cpu
        return float(getattr(after, name) - getattr(before, name)) / self.seconds

    @property
    def others(self) -> float:
        """Cores that others on this machine used during the changes."""
        return max(0.0, self.cores("machine") - self.cores("family"))


def ratio(bigger: Size, smaller: Size) -> tuple[float, float, float]:
    """p99 of the slowest kind at one size over that at another, and its 90 % interval: that of p99s of
    changes drawn anew from those measured (a bootstrap)."""
    drawn = random.Random(1)

    def again(size: Size) -> float:
        kinds = ([timing.in_force for timing in size.of(kind)] for kind in FAST_KINDS)
        return max(percentile(drawn.choices(values, k=len(values)), 0.99) for values in kinds)

    ratios = [again(bigger) / again(smaller) for _ in range(RESAMPLES)]
    seen = bigger.slowest(0.99)[0] / smaller.slowest(0.99)[0]
    return seen, percentile(ratios, 0.05), percentile(ratios, 0.95)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was seen, and whether that is good enough."""

    target: str
    seen: str
    met: bool


def verdicts(sizes: Sequence[Size]) -> list[Verdict]:
    """Each target of the issue; ``sizes`` from the smallest to the biggest."""
    smallest, biggest = sizes[0], sizes[-1]
    result = []
    for size in sizes:
        seen, kind = size.slowest(0.99)
        target = f"adds, blocks, mitigations p99 ≤ {FAST_MS:.0f} ms at {size.hostnames:,} hostnames"
        result.append(Verdict(target, f"{seen:.1f} ms ({kind})", seen <= FAST_MS))
    if len(sizes) > 1:
        seen, low, high = ratio(biggest, smallest)
        target = f"p99({biggest.hostnames:,}) ≤ {MOST_RATIO:.0f} × p99({smallest.hostnames:,})"
        words = f"{seen:.2f} × (90 % interval {low:.2f} to {high:.2f})"
        result.append(Verdict(target, words, seen <= MOST_RATIO))
    for size in sizes:
        seen = size.in_force(REMOVE, 0.99)
        target = f"removals p99 ≤ {REMOVAL_MS:.0f} ms at {size.hostnames:,} hostnames"
        result.append(Verdict(target, f"{seen:.1f} ms", seen <= REMOVAL_MS))
    where = f"with {biggest.hostnames:,} hostnames, {biggest.tls_sites:,} sites with TLS origins"
    start, memory = biggest.start.served, biggest.memory.total
    result.append(Verdict(f"start ≤ {START_SECONDS:.0f} s {where}", f"{start:.2f} s", start <= START_SECONDS))
    result.append(Verdict(f"memory ≤ 1 GiB {where}", f"{memory:.0f} MiB", memory <= MOST_MIB))
    return result


def as_json(sizes: Sequence[Size]) -> dict[str, object]:
    """The figures that the issue names; ``sizes`` from the smallest to the biggest."""
    smallest, biggest = sizes[0], sizes[-1]
    seen, low, high = ratio(biggest, smallest)
    by_size = {str(size.hostnames): size for size in sizes}
    return {
        "p50_ms": {name: round(size.slowest(0.5)[0], 2) for name, size in by_size.items()},
        "p99_ms": {name: round(size.slowest(0.99)[0], 2) for name, size in by_size.items()},
        "removal_p99_ms": {name: round(size.in_force(REMOVE, 0.99), 2) for name, size in by_size.items()},
        "certificate_p99_ms": {
            name: round(size.in_force(CERTIFICATE, 0.99), 2) for name, size in by_size.items()
        },
        "p99_ratio": {"value": round(seen, 2), "low": round(low, 2), "high": round(high, 2)},
        "start_s": round(biggest.start.served, 2),
        "adoption_s": None if biggest.adoption is None else round(biggest.adoption, 2),
        "rss_mib": round(biggest.memory.total),
    }
