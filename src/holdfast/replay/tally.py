"""What became of a log's requests, exactly: by mitigation, of those who had come in calm, of generated
floods.

Who sent something in calm, half a minute before any suspicion at the latest, is a usual client: what a
mitigation keeps of such is harm. Not here: what is done to a request (``judge``), what the brain estimates
(``shield.record``).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from holdfast.model.mitigation import Action
from holdfast.replay.access_log import Entry
from holdfast.replay.judge import Judgement
from holdfast.replay.order import Second
from holdfast.replay.telling import client_of
from holdfast.shield.brain import BEFORE_SECONDS, LEARNED_AFTER

MOST_USUAL: Final = 1_000_000
PASSED: Final = "passed"
WORDS: Final = {
    Action.LIMIT: "limited",
    Action.CHALLENGE: "challenged",
    Action.DENY: "denied",
    Action.DROP: "dropped",
}
"""What became of a request that was kept from the origin."""
_CLIENT = itemgetter(0)


@dataclass(slots=True)
class Touched:
    """The requests that one mitigation matched, each by what became of it."""

    all: Counter[str] = field(default_factory=Counter)
    usual: Counter[str] = field(default_factory=Counter)
    """Of clients that had been seen in calm."""
    clients: set[str] = field(default_factory=set)
    """Those of them that were kept away."""
    real: Counter[str] = field(default_factory=Counter)
    """Of the log, where a flood was generated."""


class Tally:
    """One log's."""

    def __init__(self) -> None:
        self.mitigations: dict[str, Touched] = {}
        """By id."""
        self.meanwhile: Counter[str] = Counter()
        """By an attack's id: requests of usual clients that came while anything was in force."""
        self.floods: dict[int, Counter[str]] = {}
        """What became of each generated flood."""
        self.real: Counter[str] = Counter()
        """What became of the log's own requests; those that passed are not counted."""
        self.is_full = False
        """There are more usual clients than are remembered."""
        self._usual: set[str] = set()
        self._calm: deque[tuple[float, set[str]]] = deque()
        """Seconds whose hosts wait to be taken for usual."""

    def in_calm(self, second: Second) -> None:
        """One that was calm when it began."""
        at, entries = second
        self._calm.append((at, {entry.host for entry in entries}))
        self._settle(at - LEARNED_AFTER)

    def suspect(self, now: float) -> None:
        """Calm is over: what has just come may be a flood's beginning."""
        self._settle(now - BEFORE_SECONDS - 1)
        self._calm.clear()

    def _settle(self, until: float) -> None:
        while self._calm and self._calm[0][0] <= until:
            _, hosts = self._calm.popleft()
            if len(self._usual) < MOST_USUAL:
                self._usual.update(map(_CLIENT, map(client_of.__getitem__, hosts)))
            else:
                self.is_full = True

    def count(self, attack: str, entry: Entry, client: str, judged: Judgement | None) -> None:
        """A request that came while something was in force, against this attack."""
        is_usual = client in self._usual
        if is_usual:
            self.meanwhile[attack] += 1
        fate = WORDS[judged.action] if judged is not None and judged.is_kept else PASSED
        if judged is not None:
            touched = self.mitigations.get(judged.mitigation)
            if touched is None:
                touched = self.mitigations[judged.mitigation] = Touched()
            touched.all[fate] += 1
            if not entry.flood:
                touched.real[fate] += 1
            if is_usual:
                touched.usual[fate] += 1
                if judged.is_kept:
                    touched.clients.add(client)
        if entry.flood:
            self._of_flood(entry.flood)[fate] += 1
        elif fate is not PASSED:
            self.real[fate] += 1

    def let_pass(self, entries: Iterable[Entry]) -> None:
        """What came while nothing was in force: told of generated floods only."""
        for entry in entries:
            if entry.flood:
                self._of_flood(entry.flood)[PASSED] += 1

    def forget(self) -> None:
        """All but who is usual."""
        self.mitigations, self.floods = {}, {}
        self.meanwhile, self.real = Counter(), Counter()

    def _of_flood(self, number: int) -> Counter[str]:
        found = self.floods.get(number)
        if found is None:
            found = self.floods[number] = Counter()
        return found
