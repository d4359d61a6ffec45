"""What a scenario's targets demand, and whether the runs of one contestant meet it: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.floods.figures import Figures, percentile
from bench.floods.scenario import TargetSpec


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was seen, and whether that is good enough."""

    target: str
    seen: str
    met: bool


def verdicts(spec: TargetSpec, runs: Sequence[Figures]) -> list[Verdict]:
    """One for each target that the scenario gives."""
    times = [math.inf if each.time_to_mitigate_s is None else each.time_to_mitigate_s for each in runs]
    found = []
    for name, limit, wanted in (
        ("p50", spec.time_to_mitigate_p50, 0.5),
        ("p95", spec.time_to_mitigate_p95, 0.95),
    ):
        if limit is not None:
            seen = percentile(times, wanted)
            words = "never" if math.isinf(seen) else f"{seen:.1f} s"
            found.append(Verdict(f"in force, {name} ≤ {limit:g} s", words, seen <= limit))
    for name, words in (("legit_served", "served"), ("legit_served_after_3s", "served from 3 s on")):
        if (limit := getattr(spec, name)) is not None:
            worst = min(getattr(each, name) for each in runs)
            found.append(
                Verdict(f"{words} ≥ {limit:.1%}", f"{math.floor(worst * 1e4) / 100:.2f} %", worst >= limit)
            )
    if spec.legit_denied is not None:
        count = sum(each.legit_denied for each in runs)
        found.append(Verdict(f"denied ≤ {spec.legit_denied}", str(count), count <= spec.legit_denied))
    if spec.legit_challenged is not None:
        most = max(each.legit_challenged for each in runs)
        found.append(
            Verdict(f"challenged ≤ {spec.legit_challenged:.1%}", f"{most:.2%}", most <= spec.legit_challenged)
        )
    if spec.challenged_served is not None:
        least = min(
            (each.challenged_served for each in runs if each.challenged_served is not None), default=1.0
        )
        words = f"{math.floor(least * 1e4) / 100:.2f} %"
        found.append(
            Verdict(
                f"of the challenged served ≥ {spec.challenged_served:.1%}",
                words,
                least >= spec.challenged_served,
            )
        )
    if spec.flood_at_origin is not None:
        most = max((each.flood_at_origin for each in runs if each.flood_at_origin is not None), default=0.0)
        found.append(
            Verdict(
                f"flood at the origin ≤ {spec.flood_at_origin:.1%}",
                f"{most:.2%}",
                most <= spec.flood_at_origin,
            )
        )
    return found
