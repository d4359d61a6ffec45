"""The account of all requests: how many, why which failed, and what was going on when one failed without an
explanation."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from bench.soak.history import History
from bench.soak.verdicts import Request, judge

MOST_TOLD = 200
"""Unexplained failures that are kept in full; all are counted."""
AROUND_SECONDS = 3.0


@dataclass(slots=True)
class Mark:
    """Something that was done to the edge, and when; ``ended`` is None while it is under way."""

    what: str
    began: float
    ended: float | None = None
    big: bool = False
    """A reload or a restart: drawn in the plot."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One without an explanation. Times are seconds since the ledger's beginning."""

    at: float
    lasted: float
    kind: str
    what: str
    why: str
    meanwhile: tuple[str, ...]


@dataclass
class Ledger:
    """Adds up; requests come from the event loop, marks from other threads."""

    history: History = field(default_factory=History)
    begun: float = field(default_factory=time.monotonic)
    requests: Counter[str] = field(default_factory=Counter)
    """By kind of client, whatever became of them; hostile ones are not among them."""
    explained: Counter[str] = field(default_factory=Counter)
    hostile: Counter[str] = field(default_factory=Counter)
    """By kind and outcome."""
    unexplained: int = 0
    failures: list[Failure] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    _recent: deque[Mark] = field(default_factory=lambda: deque(maxlen=500))

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    @property
    def total(self) -> int:
        return self.requests.total()

    def note(self, request: Request) -> None:
        """One request of a checked client."""
        self.requests[request.kind] += 1
        verdict = judge(request, self.history)
        if verdict.fine:
            return
        if verdict.explained:
            self.explained[verdict.why] += 1
        else:
            opened = f"{request.opened - self.begun:.3f}"
            what = f"{request.spot.host}{request.spot.path} from {request.source} (connected at {opened})"
            self.fail(request.kind, what, verdict.why, request.began, request.ended)

    def fail(self, kind: str, what: str, why: str, began: float, ended: float, count: int = 1) -> None:
        """Failures without an explanation, of this time (``time.monotonic``)."""
        self.unexplained += count
        if len(self.failures) < MOST_TOLD:
            meanwhile = tuple(self.meanwhile(began - AROUND_SECONDS, ended + AROUND_SECONDS))
            at, lasted = round(began - self.begun, 3), round(ended - began, 3)
            self.failures.append(Failure(at, lasted, kind, what, why, meanwhile))

    def meanwhile(self, start: float, end: float) -> Iterator[str]:
        """What was done to the edge around that time."""
        for mark in list(self._recent):
            if mark.began <= end and (mark.ended is None or start <= mark.ended):
                until = "…" if mark.ended is None else f"{mark.ended - self.begun:.3f}"
                yield f"{mark.what} ({mark.began - self.begun:.3f}-{until})"

    @contextlib.contextmanager
    def doing(self, what: str, *, big: bool = False) -> Iterator[Mark]:
        """Mark what is done meanwhile."""
        mark = Mark(what, time.monotonic(), big=big)
        self._recent.append(mark)
        if big:
            self.marks.append(mark)
        try:
            yield mark
        finally:
            mark.ended = time.monotonic()

    def told(self) -> list[dict[str, object]]:
        """The unexplained failures, for a report."""
        return [asdict(failure) for failure in self.failures]
