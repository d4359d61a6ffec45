"""What the data plane counted for one site over a short span: exact, unlike samples."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

KEPT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a span that ended at ``at`` (unix time) and lasted ``seconds``."""

    at: float
    seconds: float
    requests: float = 0
    waited: float = 0
    """Requests that found all slots of the site's origins taken."""
    overflowed: float = 0
    """Requests refused as the queue was full, or a client's share while the site is busy."""
    open: float = 0
    """Requests open at its end, waiting ones too."""
    challenged: float = 0
    denied: float = 0
    dropped: float = 0
    earned: float = 0
    """Clearances that were given."""
    refused: float = 0
    """Requests refused for anything else: over a client's limit, or blocked."""

    @property
    def touched(self) -> float:
        """Requests that a mitigation kept from the origin."""
        return self.challenged + self.denied + self.dropped


class Recent:
    """The last ten seconds of one site's counts."""

    def __init__(self) -> None:
        self._spans: deque[Counts] = deque()

    def add(self, counts: Counts) -> None:
        if self._spans and counts.at < self._spans[-1].at:
            self._spans.clear()  # the clock was set back
        self._spans.append(counts)
        while self._spans[0].at <= counts.at - KEPT_SECONDS:
            self._spans.popleft()

    def growth(self, seconds: float) -> float:
        """How many more requests are open than at the best moment of the last ``seconds``."""
        if not self._spans:
            return 0.0
        last = self._spans[-1]
        return last.open - min(each.open for each in self._spans if each.at >= last.at - seconds)

    def over(self, seconds: float, since: float = 0.0) -> Counts:
        """The sum of the spans of the last ``seconds`` that began after ``since``; zeros for none."""
        if not self._spans:
            return Counts(0.0, 0.0)
        newest = self._spans[-1]
        begin = max(newest.at - seconds, since) - 1e-3
        total, requests, waited, overflowed = 0.0, 0.0, 0.0, 0.0
        challenged, denied, dropped, earned, refused = 0.0, 0.0, 0.0, 0.0, 0.0
        for each in reversed(self._spans):
            if each.at - each.seconds < begin:
                break
            total += each.seconds
            requests += each.requests
            waited += each.waited
            overflowed += each.overflowed
            challenged += each.challenged
            denied += each.denied
            dropped += each.dropped
            earned += each.earned
            refused += each.refused
        return Counts(
            *(newest.at, total, requests, waited, overflowed, newest.open),
            *(challenged, denied, dropped, earned, refused),
        )
