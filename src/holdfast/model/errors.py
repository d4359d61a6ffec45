"""The one typed error. It is raised anywhere and rendered only at the surfaces (CLI, admin socket)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, where it stands, and what to do next."""

    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.problem}; {self.remedy}"


class HoldfastError(Exception):
    """Something a person must hear about: one or more mistakes, each with its remedy."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


def error(problem: str, remedy: str, place: str = "") -> HoldfastError:
    """An error of a single mistake."""
    return HoldfastError(Mistake(place, problem, remedy))
