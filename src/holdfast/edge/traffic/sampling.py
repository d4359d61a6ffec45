"""How many requests of each site are sampled, for a fixed number of records in all: max-min fairness.

A site that asks for less than its fair share is sampled whole; the rest is shared evenly, so that a flood on
one site takes nothing from the others. (Bertsekas and Gallager, "Data Networks", section 6.5.2.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.edge.dataplane.rules.sampling import ALL

BUDGET: Final = 2000.0
"""Records a second, of all sites."""
LEAST_CHANGE: Final = 2.0
"""A rate that differs by less from the one in force is not worth a command."""


def fair_share(rates: Mapping[str, float], budget: float = BUDGET) -> float:
    """Records/s that each site may have; infinite where all can have all. ``rates``: requests/s by site."""
    left, remaining = budget, sorted(rates.values())
    for number, rate in enumerate(remaining):
        share = left / (len(remaining) - number)
        if rate > share:
            return share
        left -= rate
    return float("inf")


def allot(rates: Mapping[str, float], present: Mapping[str, int], budget: float = BUDGET) -> dict[str, int]:
    """How many of ten thousand, for the sites that are not sampled whole. ``present``: those in force."""
    share = fair_share(rates, budget)
    wanted = {name: max(1, int(ALL * share / rate)) for name, rate in rates.items() if rate > share}
    for name, new in wanted.items():
        old = present.get(name)
        if old is not None and 1 / LEAST_CHANGE < new / old < LEAST_CHANGE:
            wanted[name] = old
    return wanted
