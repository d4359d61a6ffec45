"""A drill under way, and one that has ended: plain data. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.drill.plan import Part, Plan
from holdfast.drill.tally import Answer


@dataclass(frozen=True, slots=True)
class Progress:
    """A drill under way."""

    passed: float
    """Seconds."""
    sent: int
    """Requests of the flood."""
    answers: tuple[Answer, ...]
    """All, so far."""


@dataclass(frozen=True, slots=True)
class Run:
    """A drill that has ended."""

    plan: Plan
    began: float
    """Unix time."""
    sent: int
    """Requests of the flood."""
    answers: tuple[Answer, ...]

    def at(self, part: Part) -> float:
        """When that part began, unix time."""
        return self.began + self.plan.span(part)[0]
