"""What was measured → a table, the verdict on each target, and the JSON line."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.edge import Memory
from bench.kinds import CERTIFICATE, FAST_KINDS, KINDS, REMOVE
from bench.measure import Timing, percentile
from holdfast.edge.machine import haproxy_version

FAST_MS, REMOVAL_MS, MOST_RATIO = 20.0, 30.0, 3.0
START_SECONDS, MOST_MIB = 10.0, 1024.0
RESAMPLES = 400


@dataclass
class Size:
    """One edge of so many hostnames."""

    hostnames: int
    sites: int
    tls_sites: int
    start: float = 0.0
    """Seconds from ``holdfast up`` to the first request served."""
    start_haproxy: float = 0.0
    """Of those, since HAProxy's start."""
    ready: float = 0.0
    """Until the agent takes changes."""
    adoption: float | None = None
    """Seconds from the start of a new agent, beside a running HAProxy, until it takes changes."""
    at_start: Memory | None = None
    at_end: Memory | None = None
    most_rate: float = 0.0
    rate: float = 0.0
    failed: int = 0
    busy: float = 0.0
    """Share of the machine's processor time in use during the changes."""
    haproxy_cpu: float = 0.0
    """Cores that HAProxy used during the changes, and the agent."""
    agent_cpu: float = 0.0
    scans: dict[str, dict[str, int]] = field(default_factory=dict)
    reloads: int = 0
    timings: list[Timing] = field(default_factory=list)

    def of(self, kind: str) -> list[Timing]:
        return [timing for timing in self.timings if timing.kind == kind]

    def in_force(self, kind: str, share: float) -> float:
        return percentile([timing.in_force for timing in self.of(kind)], share)

    def worst(self, share: float) -> float:
        """Of adds, blocks and mitigations, the slowest kind."""
        return max(self.in_force(kind, share) for kind in FAST_KINDS)


HEAD = ("hostnames", "change", "n", "p50", "p99", "max", "answer p50", "answer p99", "look p50", "look p99", "looks")


def rows(sizes: Sequence[Size]) -> list[tuple[str, ...]]:
    """A row for each size and kind; milliseconds."""
    result = []
    for size in sizes:
        for kind in KINDS:
            timings = size.of(kind)
            shown = [timing.in_force for timing in timings]
            answered = [timing.answered for timing in timings]
            floor = [timing.floor for timing in timings]
            figures = [
                percentile(shown, 0.5),
                percentile(shown, 0.99),
                max(shown),
                *(percentile(values, share) for values in (answered, floor) for share in (0.5, 0.99)),
            ]
            looks = max(timing.looks for timing in timings)
            cells = (f"{size.hostnames:,}", kind, str(len(timings)), *(f"{each:.2f}" for each in figures))
            result.append((*cells, str(looks)))
    return result


def conditions(size: Size) -> str:
    """Under what the changes of a size were made, in words."""
    assert size.at_start is not None and size.at_end is not None
    scans = ", ".join(f"{name} {each['count']} (longest {each['max_ms']} ms)" for name, each in size.scans.items())
    lines = [
        f"{size.hostnames:,} hostnames on {size.sites:,} sites, {size.tls_sites:,} of them with TLS origins:",
        f"  start {size.start:.2f} s (of it since HAProxy's start {size.start_haproxy:.2f} s), takes changes after"
        f" {size.ready:.2f} s" + (f"; adoption after kill -9 {size.adoption:.2f} s" if size.adoption else ""),
        f"  memory: after the start agent {size.at_start.agent:.0f} + HAProxy {size.at_start.haproxy:.0f} MiB, in the"
        f" end {size.at_end.agent:.0f} (peak {size.at_end.agent_peak:.0f}) + {size.at_end.haproxy:.0f} MiB",
        f"  load: {size.rate:,.0f} requests/s, {size.rate / size.most_rate:.0%} of the {size.most_rate:,.0f} that it"
        f" carries here at most; {size.failed} failed; the machine was {size.busy:.0%} busy,"
        f" HAProxy {size.haproxy_cpu:.2f} cores, agent {size.agent_cpu:.2f}",
        f"  scans: {scans}; reloads: {size.reloads}",
    ]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    target: str
    seen: str
    met: bool

    def __str__(self) -> str:
        return f"{'met   ' if self.met else 'MISSED'} {self.target}: {self.seen}"


def verdicts(sizes: Sequence[Size]) -> list[Verdict]:
    """Each target of the issue with the figure seen."""
    by_size = {size.hostnames: size for size in sizes}
    smallest, biggest = by_size[min(by_size)], by_size[max(by_size)]
    result = []
    for size in sizes:
        kind = max(FAST_KINDS, key=lambda each: size.in_force(each, 0.99))
        seen = size.in_force(kind, 0.99)
        target = f"adds, blocks, mitigations p99 ≤ {FAST_MS:.0f} ms at {size.hostnames:,} hostnames"
        result.append(Verdict(target, f"{seen:.1f} ms ({kind})", seen <= FAST_MS))
    ratio, low, high = p99_ratio(biggest, smallest)
    target = f"p99({biggest.hostnames:,}) ≤ {MOST_RATIO:.0f} × p99({smallest.hostnames:,})"
    result.append(Verdict(target, f"{ratio:.2f} × (90 % interval {low:.2f} to {high:.2f})", ratio <= MOST_RATIO))
    for size in sizes:
        seen = size.in_force(REMOVE, 0.99)
        target = f"removals p99 ≤ {REMOVAL_MS:.0f} ms at {size.hostnames:,} hostnames"
        result.append(Verdict(target, f"{seen:.1f} ms", seen <= REMOVAL_MS))
    assert biggest.at_end is not None
    where = f"with {biggest.hostnames:,} hostnames, {biggest.tls_sites:,} TLS origins"
    start, memory = biggest.start, biggest.at_end.total
    result.append(Verdict(f"start ≤ {START_SECONDS:.0f} s {where}", f"{start:.2f} s", start <= START_SECONDS))
    result.append(Verdict(f"memory ≤ 1 GiB {where}", f"{memory:.0f} MiB", memory <= MOST_MIB))
    return result


def p99_ratio(bigger: Size, smaller: Size) -> tuple[float, float, float]:
    """p99 of the worst kind at one size over that at another, and its 90 % interval: the p99 of changes
    drawn anew from those measured (a bootstrap)."""
    drawn = random.Random(1)

    def again(size: Size) -> float:
        return max(
            percentile(drawn.choices(values, k=len(values)), 0.99)
            for values in ([timing.in_force for timing in size.of(kind)] for kind in FAST_KINDS)
        )

    ratios = [again(bigger) / again(smaller) for _ in range(RESAMPLES)]
    return bigger.worst(0.99) / smaller.worst(0.99), percentile(ratios, 0.05), percentile(ratios, 0.95)


def as_json(sizes: Sequence[Size]) -> dict[str, object]:
    """The figures that the issue names."""
    biggest = max(sizes, key=lambda size: size.hostnames)
    smallest = min(sizes, key=lambda size: size.hostnames)
    ratio, low, high = p99_ratio(biggest, smallest)
    assert biggest.at_end is not None
    return {
        "p50_ms": {str(size.hostnames): round(size.worst(0.5), 2) for size in sizes},
        "p99_ms": {str(size.hostnames): round(size.worst(0.99), 2) for size in sizes},
        "removal_p99_ms": {str(size.hostnames): round(size.in_force(REMOVE, 0.99), 2) for size in sizes},
        "certificate_p99_ms": {str(size.hostnames): round(size.in_force(CERTIFICATE, 0.99), 2) for size in sizes},
        "p99_ratio": {"value": round(ratio, 2), "low": round(low, 2), "high": round(high, 2)},
        "start_s": round(biggest.start, 2),
        "adoption_s": round(biggest.adoption, 2) if biggest.adoption else None,
        "rss_mib": round(biggest.at_end.total),
    }


def machine() -> str:
    version = ".".join(str(part) for part in haproxy_version())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, Linux {platform.release()}, Python {platform.python_version()}, HAProxy {version}"


def as_text(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table for a terminal."""
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (head, *lines)
    )


def write_markdown(path: Path, sizes: Sequence[Size], plot: str) -> None:
    """The results of a full run."""
    table = "\n".join(f"| {' | '.join(line)} |" for line in (HEAD, ["---"] * len(HEAD), *rows(sizes)))
    told = "\n".join(f"| {each.target} | {each.seen} | {'met' if each.met else '**missed**'} |" for each in verdicts(sizes))
    under = "\n".join(conditions(size) for size in sizes)
    path.write_text(
        f"""# From the API call to in force

Made by `python -m bench.change` on {machine()}, everything on loopback.

A change is in force when the agent has answered and a client has seen it: a request on a kept-alive connection,
a new TLS handshake (certificate), or a connection from the banned address. *answer* is the agent's answer alone;
*look* is what the client's look takes when nothing changes, just before each change; *looks* is the most looks
that any change needed after the answer. Milliseconds.

![Distribution of the time to in force]({plot})

| target | seen | |
|---|---|---|
{told}

{table}

```
{under}
```
"""
    )
