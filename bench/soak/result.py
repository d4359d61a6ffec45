"""What a soak is told, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.soak.flat import Flatness
from bench.soak.ledger import Ledger
from bench.soak.samples import Sample


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how often, and with which seed."""

    seconds: float
    seed: int

    @property
    def is_short(self) -> bool:
        return self.seconds < 600

    @property
    def sample_seconds(self) -> float:
        return 1.0 if self.is_short else 10.0

    @property
    def change_seconds(self) -> float:
        """Between two changes, on average."""
        return 0.25 if self.is_short else 0.5

    @property
    def floors(self) -> tuple[float, float]:
        """MiB and descriptors by which anything may grow: what a burst of connections more or less makes. In
        a short soak every worker is some seconds old, and still opens its connections to the origins."""
        return (16.0, 512.0) if self.is_short else (8.0, 64.0)

    @property
    def reload_every(self) -> float:
        """Fifteen reloads; fewer in a short soak."""
        return max(7.0, self.seconds / 15)

    @property
    def restart_every(self) -> float:
        return max(8.0, self.seconds / 10)

    @property
    def patience(self) -> float:
        """About how long a long answer takes. Each keeps a worker from before a reload alive."""
        return min(60.0, self.seconds / 8)

    @property
    def slice_seconds(self) -> int:
        return 5 if self.is_short else 10

    @property
    def calibrate_seconds(self) -> int:
        return 1 if self.seconds < 60 else 3


@dataclass
class Result:
    """``begin`` and ``end`` are when changes were made, in seconds since the ledger's beginning."""

    plan: Plan
    ledger: Ledger
    most_rate: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    begin: float = 0.0
    end: float = 0.0
    flatness: list[Flatness] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    reloads: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    workers: int = 0
    """Of HAProxy, that were seen to take connections."""
    faults: list[str] = field(default_factory=list)
    """What else was wrong, such as processes or differences left over."""

    @property
    def passed(self) -> bool:
        flat = all(each.flat for each in self.flatness)
        return flat and not self.ledger.unexplained and not self.faults

    def as_json(self) -> dict[str, Any]:
        """The figures, for a program."""
        return {
            "passed": self.passed,
            "minutes": round((self.end - self.begin) / 60, 2),
            "requests": self.ledger.total,
            "most_rate": round(self.most_rate),
            "rate": round(self.rate),
            "failed_unexplained": self.ledger.unexplained,
            "unexplained": self.ledger.told()[:20],
            "explained": dict(self.ledger.explained),
            "hostile": dict(self.ledger.hostile),
            "changes": self.changes,
            "reloads": self.reloads,
            "agent_restarts": self.restarts,
            "workers": self.workers,
            "growth": {
                each.name: {
                    "early": round(each.early, 1),
                    "late": round(each.late, 1),
                    "growth": round(each.growth, 1),
                    "allowed": round(each.allowed, 1),
                    "slope_per_hour": None if each.slope is None else round(each.slope, 1),
                    "flat": each.flat,
                }
                for each in self.flatness
            },
            "faults": self.faults,
            "seed": self.plan.seed,
        }

    @property
    def rate(self) -> float:
        """Requests a second, of all that were not refused as hostile."""
        rates = [sample.rate for sample in self.samples]
        return sum(rates) / len(rates) if rates else 0.0
