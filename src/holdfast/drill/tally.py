"""What became of a drill's requests: one answer each, and counts of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from holdfast.drill.parties import Party

CHALLENGE_HEADER: Final = b"x-holdfast-challenge"
REFUSING: Final = (403, 429, 503)
"""What an edge answers instead of the origin: denied, over a limit, too many waiting."""


class Outcome(Enum):
    SERVED = "served"
    CHALLENGED = "challenged"
    """A page that browsers pass by themselves."""
    DENIED = "denied"
    """Refused in words."""
    FAILED = "failed"
    """The origin's answer is an error."""
    SILENT = "unanswered"


class Answer(NamedTuple):
    """What one request got."""

    party: Party
    at: float
    """When it was sent, from the drill's beginning."""
    outcome: Outcome
    seconds: float
    """How long it took."""


def outcome_of(head: bytes) -> Outcome:
    """``head``: an answer's first line and headers, or what came of them."""
    first, _, rest = head.partition(b"\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return Outcome.SILENT
    names = {line.partition(b":")[0].strip().lower() for line in rest.split(b"\r\n")}
    if CHALLENGE_HEADER in names:
        return Outcome.CHALLENGED
    status = int(words[1])
    if status in REFUSING:
        return Outcome.DENIED
    return Outcome.SERVED if status < 400 else Outcome.FAILED


def count(
    answers: Iterable[Answer], party: Party, begin: float = 0.0, end: float = float("inf")
) -> Counter[Outcome]:
    """Of the requests that were sent in that time."""
    return Counter(each.outcome for each in answers if each.party is party and begin <= each.at < end)


def share(counts: Counter[Outcome], *outcomes: Outcome) -> float:
    """Of all; 1 where there are none."""
    total = counts.total()
    return sum(counts[each] for each in outcomes) / total if total else 1.0
