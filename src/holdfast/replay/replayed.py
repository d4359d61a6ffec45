"""A log's seconds through one site's brain, in a closed loop: what the brain puts in force is done to the
requests that follow.

Within a second, which is all that a log tells, requests are taken to come evenly. How long an answer took is
not in a log: the origin's suffering is not seen, but for its errors where something is suspected already.
Not here: lines (``access_log``, ``order``), how closely is looked (``pace``), the words of what was found
(``report``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.replay.answering import Answering
from holdfast.replay.order import Second
from holdfast.replay.pace import IDLE_SECONDS, STEP_REQUESTS, Backlog, Quiet, looks, next_look
from holdfast.replay.tally import Tally
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.chronicle import Chronicle
from holdfast.shield.counts import Counts
from holdfast.shield.features import Feature
from holdfast.shield.phase import Phase
from holdfast.shield.record import BEFORE_SECONDS, AttackRecord
from holdfast.shield.rhythm import idle_minutes
from holdfast.shield.sample import Sample


@dataclass(slots=True)
class Surge:
    """A suspicion, until something confirms it."""

    began: float
    ended: float
    peak: float
    """Requests/s, at most."""
    usual: float


class Replay:
    """One site's. ``run`` for each log, the older first; what was found in the last one stands here."""

    def __init__(self, site: str, at: int, unknown: frozenset[Feature], rng: np.random.Generator) -> None:
        """``at``: when the first log begins. ``unknown``: what its lines tell of no request."""
        self.brain = SiteBrain(site, Baseline.new(at), unknown)
        self.records: list[AttackRecord] = []
        """Of attacks, in order."""
        self.signs: dict[str, float] = {}
        """Attack → when the first sign of it was seen."""
        self.reached: dict[str, float] = {}
        """Attack → requests beyond the usual that reached the origin, from the first sign on."""
        self.surges: list[Surge] = []
        """Suspicions that nothing has confirmed."""
        self.requests = 0
        self.first = self.until = at
        """The log's begin; how far the brain has been told."""
        self.last = -math.inf
        """When anything came last."""
        self._rng = rng
        self._plane = Answering()
        self._chronicle = Chronicle()
        self._quiet = Quiet()
        self._group: list[Second] = []
        """Seconds of calm that are told at once."""
        self._step = self._grouped = 0
        """How many these may be; their requests."""
        self._backlog = Backlog()
        self._past: deque[tuple[int, int]] = deque(maxlen=int(BEFORE_SECONDS))
        """Those that were told so, and their requests: a record begins with them."""
        self._since = float(at)
        """When the brain's phase began."""
        self._surge: Surge | None = None
        self._excess = self._passed = self._usual = 0.0
        """Requests beyond the usual that passed since the first sign; of this second all that passed, and
        what is usual."""

    @property
    def tally(self) -> Tally:
        return self._plane.tally

    def run(self, seconds: Iterable[Second]) -> None:
        """A log, to its end and until all that it leaves has come to rest."""
        for second in seconds:
            self._second(second)
        self._flush()
        self._idle(math.inf)

    def begin_anew(self, at: int) -> None:
        """Another log begins: what was learned stays, and what was found goes."""
        self.tally.forget()
        self.records, self.surges, self.signs, self.reached = [], [], {}, {}
        self.requests, self.first, self.until = 0, at, at

    # -- time ----------------------------------------------------------------------------------------

    def _second(self, second: Second) -> None:
        at, number = second.at, len(second.entries)
        self.requests += number
        self._grouped += number
        if self._group and (at >= self._group[0].at + self._step or self._grouped > STEP_REQUESTS):
            self._flush()
        if not self._group:
            self._idle(at)
        if self._is_at_rest and self._quiet(self.brain.baseline, at, number):
            if not self._group:
                self._step, self._grouped = self._backlog.step(at), number
            self._group.append(second)
        else:
            self._flush()
            self._idle(at)
            self._closely(second)
        self._backlog.add(at, number)
        self.last = at + 1.0

    @property
    def _is_at_rest(self) -> bool:
        """Whether nothing is going on, and nothing is being recorded."""
        return not (self.brain.is_busy or self._plane.mitigations or self._chronicle.records)

    def _flush(self) -> None:
        group, self._group = self._group, []
        if group:
            samples = [sample for second in group for sample in self._plane.calm(second)]
            self._calm(group[-1].at + 1, {each.at: len(each.entries) for each in group}, samples)

    def _idle(self, until: float) -> None:
        """No request comes before ``until``."""
        while self.until < until:
            if not self._is_at_rest:
                self._closely(Second(self.until, []))
            elif self.until < self.last + IDLE_SECONDS:
                step = self._backlog.step(self.until, is_idle=True)
                self._calm(int(min(self.until + step, until)), {}, ())
            else:
                break
        if self.until < until < math.inf:
            for at, seconds in idle_minutes(self.until, until):
                self.brain.baseline.rhythm.learn(at, 0, seconds)
            self.until = int(until)

    def _calm(self, end: int, requests: Mapping[int, int], samples: Sequence[Sample]) -> None:
        """One look at several seconds. The brain is told of the last one; the rate of the others is learned
        directly, each for itself: how requests bunch shows in single seconds only."""
        learn_rate, last = self.brain.learn_rate, end - 1
        for at in range(self.until, last):
            number = requests.get(at, 0)
            learn_rate(at, number, 1.0)
            self._past.append((at, number))
        number = requests.get(last, 0)
        self._look(Counts(end, 1.0, number), samples)
        self._past.append((last, number))
        self.until = end

    def _closely(self, second: Second) -> None:
        """A second in several looks."""
        at, number, sight = second.at, len(second.entries), self.brain.sight
        for before, came in self._past:
            self._chronicle.course.add(Counts(before + 1.0, 1.0, came), (), sight.mean, sight.upper)
        self._past.clear()
        if self.brain.phase is Phase.CALM:
            self.tally.in_calm(second)
        now, done = float(at), 0
        while now < at + 1:
            last, now = now, next_look(now, looks(self.brain.phase, now - self._since))
            upto = min(math.ceil((now - at) * number - 0.5), number)
            counts, samples = self._plane.answer(second, done, upto, now, now - last)
            self._look(counts, samples)
            self._chronicle.count(self.brain, counts, ())  # no log tells how fast the origin was
            self.records += self._chronicle.complete(now)
            done = upto
        self.until = at + 1
        self._reckon()

    # -- looking -------------------------------------------------------------------------------------

    def _look(self, counts: Counts, samples: Sequence[Sample]) -> None:
        brain, now = self.brain, counts.at
        phase = brain.phase
        brain.tick(now, counts, samples, self._rng)
        self._plane.follow(now, brain)
        self._chronicle.follow(now, brain, self._plane.mitigations)
        if brain.phase is phase is Phase.CALM:
            return
        brain.news.clear()
        sight = brain.sight
        if phase is Phase.CALM:
            self.tally.suspect(now)
            self._surge, self._excess = Surge(now, now, sight.rate, sight.mean), 0.0
            self._passed = self._usual = 0.0
        if brain.phase is not phase:
            self._since = now
        if brain.phase in (Phase.SUSPECT, Phase.ATTACK):
            self._passed += counts.requests - counts.touched - counts.refused
            self._usual += sight.mean * counts.seconds
        if self._surge is not None:
            self._surge.ended, self._surge.peak = now, max(self._surge.peak, sight.rate)
            if brain.attack is not None:
                self.signs[brain.attack.id], self._surge = self._surge.began, None
            elif brain.phase is Phase.CALM:
                self.surges.append(self._surge)
                self._surge = None

    def _reckon(self) -> None:
        """What has reached the origin beyond the usual in a second, where it is more than chance."""
        if self._passed > self._usual + 2 * math.sqrt(self._usual) + 1:
            self._excess += self._passed - self._usual
        self._passed = self._usual = 0.0
        if self.brain.attack is not None:
            self.reached[self.brain.attack.id] = self._excess
