"""How much a drill sends, for how long: its three parts, and the bounds that none may exceed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from holdfast.edge.drill_facts import Usual
from holdfast.model.errors import error

MOST_RATE: Final = 800.0
"""Requests/s, of all together."""
MOST_SECONDS: Final = 30.0
MOST_OPEN: Final = 400
"""Connections at the same time."""
MOST_VISITORS, LEAST_VISITORS = 20.0, 1.0
"""Requests/s."""
VISITORS_SHARE: Final = 0.5
"""Of the room between the usual rate and the unusual: visitors must not look like a flood themselves."""


class Part(Enum):
    CALM = "before the flood"
    FLOOD = "in the flood"
    AFTER = "after it"


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds and requests/s. Raises ValueError for more than a drill may be."""

    calm: float = 12.0
    """A site of which nothing is known is looked at for ten seconds before its rate says anything."""
    flood: float = 10.0
    after: float = 5.0
    visitors: float = MOST_VISITORS
    rate: float = 350.0
    """Of the flood."""
    seed: int = 1

    def __post_init__(self) -> None:
        parts = (self.calm, self.flood, self.after, self.visitors, self.rate)
        if min(parts) < 0 or self.seconds > MOST_SECONDS or self.visitors + self.rate > MOST_RATE:
            raise ValueError(f"at most {MOST_SECONDS} s and {MOST_RATE} requests/s, not {self}")

    @property
    def seconds(self) -> float:
        return self.calm + self.flood + self.after

    def span(self, part: Part) -> tuple[float, float]:
        """When it begins and ends, from the drill's beginning."""
        over = self.calm + self.flood
        spans = {
            Part.CALM: (0.0, self.calm),
            Part.FLOOD: (self.calm, over),
            Part.AFTER: (over, over + self.after),
        }
        return spans[part]

    def part(self, at: float) -> Part:
        if at < self.calm:
            return Part.CALM
        return Part.FLOOD if at < self.calm + self.flood else Part.AFTER


def suited(plan: Plan, site: str, usual: Usual) -> Plan:
    """``plan`` with as many visitors as are nothing unusual at the site. Raises HoldfastError where the flood
    itself would be nothing unusual."""
    if usual.mean + plan.rate <= usual.bound:
        raise error(
            f"a flood of {plan.rate:.0f} requests/s is nothing unusual at {site}:"
            f" it has {usual.mean:.0f}, and up to {usual.bound:.0f} are",
            "drill a quieter site; 'holdfast up --demo' starts one",
            "SITE",
        )
    room = VISITORS_SHARE * (usual.bound - usual.mean)
    visitors = min(plan.visitors, max(LEAST_VISITORS, room))
    return Plan(plan.calm, plan.flood, plan.after, visitors, plan.rate, plan.seed)
