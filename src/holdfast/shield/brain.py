"""The brain of one site: counts and samples in, mitigations out. Evaluated several times a second.

Deterministic: the clock, and randomness for what is learned, are parameters. A quiet site costs a few
comparisons; only a site under suspicion has its samples looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from holdfast.model.mitigation import AUTOMATIC, Action
from holdfast.shield.attack import Attack, Note, attack_id
from holdfast.shield.baseline import VISIT, Baseline
from holdfast.shield.counts import Counts, Recent
from holdfast.shield.evidence import LEAST_GROWTH, NEW_MIX, Naming, Suffering, Window, name_excess, suffering
from holdfast.shield.features import Codes, Feature, empty
from holdfast.shield.phase import Event, Phase, step
from holdfast.shield.response import EVERYBODY, STRANGERS, Match, Response, signature_of
from holdfast.shield.rhythm import Expectation
from holdfast.shield.sample import Sample
from holdfast.shield.signature import YOUNG, matches

WINDOW_SECONDS: Final = 3.0
MOST_SAMPLES: Final = 1500
TICK_SECONDS: Final = 0.1
"""About the time between two ticks."""
SETTLE_SECONDS: Final = 0.4
"""After a push, what was under way before it still ends."""
LEARNED_AFTER: Final = 30.0
"""Seconds after which calm samples are learned: the beginning of a flood must not be."""
LEARNED_PER_TICK: Final = 10
MOST_UNLEARNED: Final = 2000
BEFORE_SECONDS: Final = 1.0
"""So long before a suspicion a flood may have begun."""
GROWTH_SECONDS: Final = 3.0
CALM_RATE_SECONDS: Final = 30.0
COLD_SECONDS: Final = 10.0
"""A site is seen for so long before its rate says anything."""
COLD_FACTOR: Final = 5.0
"""Times the rate so far: what a cold site may have without suspicion."""
RECOVERED_SECONDS: Final = 15.0
"""After a push; by then an origin has done what it had taken before."""
TELLING: Final = 100
"""Clean samples without which a name says nothing of a flood that is no more requests than usual."""
BLIND_SECONDS: Final = 8.0
"""Of a full queue, until a site of which nothing is known is taken for attacked."""
BLIND_USUAL: Final = 0.1
"""Of the peak: what is taken for usual there, until more is known."""
OVERFLOW_SECONDS: Final = 1.0
NEW_MIX_SECONDS: Final = 1.5
"""What has no name is watched for so long first."""
INNOCENT_SECONDS: Final = 600.0
MOST_INNOCENT: Final = 20_000
MOST_NEW: Final = 400
"""Samples of a tick that are looked through for clients that send something else than the flood."""
CALM_AGAIN: Final = 5.0
"""Seconds without a sign before a suspicion is dropped."""
OVER_SECONDS: Final = 3.0
HOLD_SECONDS: Final = 60.0
WIDE_HOLD_SECONDS: Final = 15.0
"""What touches all visitors, or all new ones, is not held for the next pulse."""
LONGEST_HOLD: Final = 600.0
REMEMBERED: Final = 3600.0
"""Seconds for which a flood's signatures are known again."""
SAME_FLOOD: Final = 0.5
"""The share of the window that a remembered signature must match."""
LEAST_ROWS: Final = 15
CROWD_LEARNED: Final = 600.0
"""A suspicion that is not confirmed for so long is growth: the rate is learned again (slowly, see
``rhythm``)."""


@dataclass(slots=True)
class Remembered:
    action: Action
    harm: float
    until: float


@dataclass(slots=True)
class Sight:
    """What a tick has seen; for tests, and for those who want to know."""

    rate: float = 0.0
    mean: float = 0.0
    upper: float = 0.0
    leaves: bool = False
    suffering: Suffering = field(default_factory=Suffering)
    naming: Naming | None = None


class SiteBrain:
    """``tick`` is all there is to call; ``response.mitigations()`` is what should be in force then."""

    def __init__(self, site: str, baseline: Baseline, unknown: frozenset[Feature] = frozenset()) -> None:
        """``unknown``: features that its samples never tell."""
        self.site = site
        self.baseline = baseline
        self.unknown = unknown
        self.phase = Phase.CALM
        self.response = Response(site)
        self.attack: Attack | None = None
        self.news: list[tuple[Attack, Note]] = []
        """What somebody should be told; the shell takes it."""
        self.sight = Sight()
        self.remembered: dict[Match, Remembered] = {}
        self._recent = Recent()
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._unlearned: deque[Sample] = deque(maxlen=MOST_UNLEARNED)
        self._before = empty()
        """Of a young site, the calm samples before the suspicion: all that it has to tell what is usual."""
        self._visiting: set[str] = set()
        """Networks that came in the last half minute before the suspicion."""
        self._calm_rate, self._calm_seconds = 0.0, 0.0
        """Requests/s in the last calm minute or so: what a young site has to go by."""
        self._since = 0.0
        """When the phase began."""
        self._now = 0.0
        self._innocent: dict[str, float] = {}
        """Clients that have sent something else than the flood, and when; only during an attack."""
        self._sign = 0.0
        """When the last sign of a flood was seen."""
        self._returns: deque[float] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether a tick costs more than comparisons."""
        return self.phase is not Phase.CALM

    def tick(self, now: float, counts: Counts, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        """``counts``: of the span since the last tick; ``samples``: that have come since then."""
        if now < self._now:
            self._rewind(now)
        self._now = now
        self._recent.add(counts)
        self._samples.extend(samples)
        self._look(now, counts)
        self._learn(now, counts, samples, rng)
        if self.phase is Phase.SUSPECT:
            self._investigate(now)
        elif self.phase in (Phase.ATTACK, Phase.EASING):
            self._fight(now, counts)
        if self.response.standing:
            self._note(now, self.response.expire(now))
        self.forget(now)

    def _rewind(self, now: float) -> None:
        """The clock was set back."""
        self._since, self._sign = min(self._since, now), min(self._sign, now)
        self.response.rewind(now)

    def forget(self, now: float) -> None:
        """Samples name clients: none is kept for longer than it is needed."""
        if self._innocent and next(iter(self._innocent.values())) < now - INNOCENT_SECONDS:
            self._innocent = {
                client: at for client, at in self._innocent.items() if at > now - INNOCENT_SECONDS
            }
        while self._samples and self._samples[0].at < now - 2 * WINDOW_SECONDS:
            self._samples.popleft()
        while self._unlearned and self._unlearned[0].at < now - 2 * LEARNED_AFTER:
            self._unlearned.popleft()

    # -- learning ------------------------------------------------------------------------------------

    def learn_rate(self, at: float, requests: float, seconds: float, is_calm: bool = True) -> None:
        """What came in a span that began ``at``: part of each tick; by itself for calm that none looks at."""
        self.baseline.rhythm.learn(at, requests, seconds, not is_calm)
        if is_calm:
            self._calm_seconds = min(self._calm_seconds + seconds, CALM_RATE_SECONDS)
            fade = seconds / self._calm_seconds
            self._calm_rate += fade * (requests / seconds - self._calm_rate)

    def _learn(self, now: float, counts: Counts, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        is_growth = self.phase is Phase.SUSPECT and now - self._since > CROWD_LEARNED
        is_calm = self.phase is Phase.CALM or is_growth
        if counts.seconds > 0:
            self.learn_rate(counts.at - counts.seconds, counts.requests, counts.seconds, is_calm)
        if not is_calm:
            return
        waiting = [sample for sample in samples if not sample.arrived]
        if len(self._unlearned) > MOST_UNLEARNED / 2:  # were it full, all would be pushed out unlearned
            room = MOST_UNLEARNED / 2 * counts.seconds / LEARNED_AFTER
            waiting = waiting[:: int(len(waiting) / max(room, 1.0)) + 1]
        self._unlearned.extend(waiting)
        most = LEARNED_PER_TICK * max(1, round(counts.seconds / TICK_SECONDS))
        ready: list[Sample] = []
        while self._unlearned and self._unlearned[0].at < now - LEARNED_AFTER:
            sample = self._unlearned.popleft()
            if not sample.verdict and len(ready) < most:
                ready.append(sample)
        if ready:
            self.baseline.learn(ready, rng)

    # -- seeing --------------------------------------------------------------------------------------

    def _look(self, now: float, counts: Counts) -> None:
        """The cheap part: has the rate left the baseline, does the origin suffer?"""
        sight = self.sight = Sight()
        for seconds in (0.5, 2.0):
            span = self._recent.over(max(seconds, counts.seconds))
            if span.seconds <= 0:
                continue
            expected = self._expected(now, min(max(span.seconds, 0.1), 60.0))
            rate = span.requests / span.seconds
            sight.leaves |= rate > expected.upper
            if seconds == 0.5:
                sight.rate, sight.mean, sight.upper = rate, expected.mean, expected.upper
        span = self._recent.over(1.0)
        growth = self._recent.growth(GROWTH_SECONDS)
        if span.waited or span.overflowed or growth >= LEAST_GROWTH or self.phase is not Phase.CALM:
            recent = [sample for sample in self._samples if sample.at > now - 2.0 and not sample.touched]
            sight.suffering = suffering(
                span, Window(tuple(recent), empty()), self.baseline, mean=sight.mean, growth=growth
            )
        if sight.leaves or sight.suffering:
            self._sign = now
            self._go(Event.LEAVES, now)
        elif now - self._sign > CALM_AGAIN:
            self._go(Event.RETURNS, now)

    def _expected(self, now: float, seconds: float) -> Expectation:
        """Of a cold site: what it had in the last calm half minute, and nothing at all before the first."""
        expected = self.baseline.expected(now, seconds)
        if self.baseline.rhythm.is_warm:
            return expected
        if self._is_blind:
            return Expectation(self._calm_rate, float("inf"))
        return Expectation(self._calm_rate, max(expected.upper, COLD_FACTOR * self._calm_rate))

    @property
    def _is_blind(self) -> bool:
        """Nothing is known of the site: it may have come here because it is attacked."""
        return not self.baseline.rhythm.is_warm and self._calm_seconds < COLD_SECONDS

    def _window(self, now: float) -> Window:
        """The samples of the last seconds, coded."""
        while self._samples and self._samples[0].at < now - WINDOW_SECONDS:
            self._samples.popleft()
        samples = tuple(self._samples)
        covered = WINDOW_SECONDS
        if len(samples) == MOST_SAMPLES:  # the older ones had to go
            covered = min(covered, max(now - samples[0].at, TICK_SECONDS))
        return Window(samples, self.baseline.encode(samples), covered)

    # -- deciding ------------------------------------------------------------------------------------

    def _investigate(self, now: float) -> None:
        """Is it an attack? A crowd of ordinary visitors whom the origin can serve, or queue, is none."""
        window = self._window(now).since(self._since - 0.5).each_once()
        if self._is_known_again(now, window):
            return
        sight = self.sight
        naming = sight.naming = self._name(window, self._excess(window))
        suffers, seen_for = sight.suffering, now - self._since
        is_new_mix = naming.strangers >= NEW_MIX
        why = ""
        if naming.names_clients and sight.leaves:
            why = f"{naming.coverage:.0%} of the excess has few fingerprints"
        elif suffers and naming.is_named and (sight.leaves or len(self._normal()) >= TELLING):
            why = suffers.why
        elif self._is_blind and suffers.overflows and seen_for > BLIND_SECONDS:
            why = f"{suffers.why} for {seen_for:.0f} s, and nothing is known of the site yet"
        elif not sight.leaves:
            pass  # few requests hold the origin up: that is for relief, and no challenge would help
        elif suffers.overflows and seen_for > OVERFLOW_SECONDS:
            why = suffers.why
        elif suffers and is_new_mix and (suffers.overflows or seen_for > NEW_MIX_SECONDS):
            why = f"{suffers.why}; {naming.strangers:.0%} of the excess is from networks never seen"
        if why and len(window.samples) >= LEAST_ROWS:
            self._begin(now, f"{sight.rate:.0f} requests/s, usually {sight.mean:.0f}; {why}")
            self._note(now, self.response.improve(now, self._id, naming, window, self.baseline, sight.rate))
            if suffers.overflows and (sight.leaves or self._is_blind):
                self._fall_back(now, naming, window)

    def _name(self, window: Window, excess: float) -> Naming:
        return name_excess(window, self.baseline, self._normal(), excess, self.unknown)

    def _normal(self) -> Codes:
        """Clean samples: of a young site, what it saw just before the suspicion too."""
        clean = self.baseline.codes
        return clean if len(clean) >= YOUNG else np.vstack((clean, self._before))

    def _excess(self, window: Window) -> float:
        """The share of the window beyond what is usual: of requests, or, where their number is usual, of the
        time that the origin takes for them."""
        sight = self.sight
        excess = 1 - sight.mean / sight.rate if sight.rate > sight.mean > 0 else 0.0
        if sight.leaves or not window.samples:
            return excess if sight.mean else 1.0
        load = sum(each.origin_ms * each.weight for each in window.samples)
        usual = self.baseline.origin_ms(0.5) * float(window.weights.sum())
        return max(excess, 1 - usual / load if load > usual > 0 else 0.0)

    def _is_known_again(self, now: float, window: Window) -> bool:
        if len(window.samples) < LEAST_ROWS:
            return False
        weights = window.weights
        for match, remembered in self.remembered.items():
            signature = signature_of(match)
            if signature is None or self.response.is_unwanted(match) or remembered.until < now:
                continue
            if weights[matches(window.codes, signature)].sum() >= SAME_FLOOD * weights.sum():
                self._begin(now, f"{self.sight.rate:.0f} requests/s, usually {self.sight.mean:.0f}")
                words = self.response.again(now, self._id, match, remembered.action, remembered.harm)
                self._note(now, [words])
                return True
        return False

    def _fall_back(self, now: float, naming: Naming, window: Window) -> None:
        """No signature is good enough for most of the excess."""
        suffers = self.sight.suffering
        if naming.is_named or not suffers or len(window.samples) < LEAST_ROWS:
            return
        if naming.strangers >= NEW_MIX and self.baseline.newcomers < NEW_MIX:
            usual = self.baseline.newcomers
            self._note(now, self.response.challenge_strangers(now, self._id, naming, window, usual))
        else:
            self._note(now, self.response.challenge_everybody(now, self._id, window, suffers.why))

    # -- fighting ------------------------------------------------------------------------------------

    def _fight(self, now: float, counts: Counts) -> None:
        """Measure what the mitigations do, add to them while too much passes, and see the end."""
        attack, response = self.attack, self.response
        if attack is None:
            raise RuntimeError(f"{self.site} is under attack, and no attack is recorded")
        attack.peak = max(attack.peak, self.sight.rate)
        attack.touched += counts.touched
        window = self._window(now)
        for sample in window.samples[-MOST_NEW:]:
            if not sample.verdict or sample.cleared:
                self._innocent.pop(sample.client, None)  # those that came last at the end
                self._innocent[sample.client] = sample.at
        if len(self._innocent) > MOST_INNOCENT:
            del self._innocent[next(iter(self._innocent))]
        response.measure(now, window)
        passing = self._passing(now)
        mean, upper = self.sight.mean, self.sight.upper
        leaves = passing is not None and passing > upper
        suffers = self.sight.suffering and passing is not None
        self._note(now, response.step_down(now) or response.step_up(now, window, self.baseline))
        if passing is not None:
            attack.reached += max(0.0, passing - mean) * counts.seconds
        recovered = now - response.changed > RECOVERED_SECONDS
        if leaves or (suffers and recovered and passing is not None and passing > 1.2 * mean):
            rest = window.since(response.changed + SETTLE_SECONDS).passing().each_once()
            excess = 1 - mean / passing if passing and passing > mean else 0.0
            naming = self.sight.naming = self._name(rest, excess)
            self._note(now, response.improve(now, attack.id, naming, rest, self.baseline, passing or 0.0))
            # Without more requests than usual the origin suffers from what it has taken before.
            if leaves and now - response.changed > (1.0 if self.sight.suffering.overflows else 3.0):
                self._fall_back(now, naming, rest)
        flood = response.excess(self.usual_rate) + (max(0.0, passing - upper) if passing is not None else 0.0)
        self._see_end(now, flood, quiet=max(1.0, 0.05 * mean))
        self._note(now, response.renew(now))

    @property
    def usual_rate(self) -> float:
        """Requests/s without the flood, as far as is known."""
        if self._is_blind:
            return BLIND_USUAL * self.attack.peak if self.attack else 0.0
        return self.sight.mean

    def _passing(self, now: float) -> float | None:
        """Requests/s that no mitigation touches; None where it is too early to tell."""
        span = self._recent.over(1.0, since=self.response.changed + SETTLE_SECONDS)
        return max(0.0, span.requests - span.touched) / span.seconds if span.seconds > 0.15 else None

    def _see_end(self, now: float, flood: float, quiet: float) -> None:
        if flood > quiet:
            self._sign = now
            self._go(Event.BACK, now)
        elif now - self._sign > OVER_SECONDS:
            self._go(Event.OVER, now)
        if self.phase is Phase.EASING and now - self._since > WIDE_HOLD_SECONDS:
            wide = [match for match in (EVERYBODY, STRANGERS) if self._is_ours(match)]
            self._note(now, self.response.drop(wide))
        if self.phase is Phase.EASING and now - self._since > self._hold(now):
            self._end(now, Event.HELD, "the flood has ended")

    def _is_ours(self, match: Match) -> bool:
        standing = self.response.standing.get(match)
        return standing is not None and not standing.mitigation.pinned

    def _hold(self, now: float) -> float:
        while self._returns and self._returns[0] < now - REMEMBERED:
            self._returns.popleft()
        return float(min(HOLD_SECONDS * 2 ** max(0, len(self._returns) - 1), LONGEST_HOLD))

    # -- turns ---------------------------------------------------------------------------------------

    @property
    def _id(self) -> str:
        return self.attack.id if self.attack else ""

    def _begin(self, now: float, why: str) -> None:
        self.attack = Attack(attack_id(self.site, now), self.site, now, why, usual=self.sight.mean)
        self.attack.peak = self.sight.rate
        self._returns.append(now)
        self._sign = now
        self._go(Event.CONFIRMED, now)
        self.news.append((self.attack, self.attack.note(now, "begins", why)))

    def _note(self, now: float, done: Sequence[str]) -> None:
        if self.attack is not None:
            self.news += [(self.attack, self.attack.note(now, "changes", words)) for words in done]

    def _end(self, now: float, event: Event, words: str) -> None:
        if self.attack is None:
            return
        for match, standing in self.response.standing.items():
            if match[0]:
                made = standing.mitigation
                self.remembered[match] = Remembered(made.action, made.harm, now + REMEMBERED)
        self.remembered = {match: each for match, each in self.remembered.items() if each.until > now}
        self.response.drop(
            [match for match, each in self.response.standing.items() if not each.mitigation.pinned]
        )
        self.response.undone.clear()
        self._innocent.clear()
        self.attack.ended = now
        self.news.append((self.attack, self.attack.note(now, "ends", words)))
        self.attack = None
        self._go(event, now)

    def end_drill(self, now: float) -> None:
        """Before the next drill: a person's attack on himself is ended and not remembered."""
        remembered = dict(self.remembered)
        self._end(now, Event.ORDERED, "it was a drill, and another one begins")
        self.remembered = remembered
        if self._returns:
            self._returns.pop()

    def unlearn(self) -> None:
        """Forget what waits to be learned: it was no usual traffic."""
        self._unlearned.clear()

    def known_networks(self, now: float) -> frozenset[str]:
        """Those that are no strangers to the data plane: all that came in calm, a moment ago too, so that
        nobody is challenged in the middle of a visit."""
        return frozenset(self.baseline.networks(now + VISIT)) | self._visiting

    def resume(self, attack: Attack, now: float) -> None:
        """Go on with an attack that an agent before this one saw."""
        self.attack = attack
        self._returns.append(attack.began)
        self._sign = now
        self._go(Event.CONFIRMED, now)

    def dropped_clients(self, mitigations: set[str], least: int) -> list[tuple[str, str]]:
        """Those that came at least so often, in the samples at hand, with what these mitigations match and
        with nothing else, each with its network: many may share an address."""
        of_client: dict[str, list[Sample]] = {}
        for sample in self._samples:
            of_client.setdefault(sample.client, []).append(sample)
        return [
            (client, samples[0].values[Feature.NETWORK])
            for client, samples in of_client.items()
            if len(samples) >= least
            and client not in self._innocent
            and all(each.verdict in mitigations and not each.cleared for each in samples)
        ]

    def undo(self, identifier: str, now: float, *, forbid: bool) -> bool:
        """A person withdraws a mitigation; it is not used again in this attack, or, with ``forbid``, ever.
        Whether there is one of that id."""
        for match, standing in list(self.response.standing.items()):
            if standing.mitigation.id == identifier:
                self.response.drop([match])
                if forbid:
                    self.response.forbidden.add(match)
                elif standing.mitigation.author == AUTOMATIC:
                    self.response.undone.add(match)
                self.remembered.pop(match, None)
                self._note(now, [f"a person has {'forbidden' if forbid else 'undone'} {identifier}"])
                return True
        return False

    def _go(self, event: Event, now: float) -> None:
        phase = step(self.phase, event)
        if phase is self.phase:
            return
        if self.phase is Phase.CALM:
            self._keep_before(now)
        self.phase, self._since = phase, now

    def _keep_before(self, now: float) -> None:
        """What was not learned yet may be the flood's beginning; until then it tells who is visiting."""
        before = [sample for sample in self._unlearned if sample.at < now - BEFORE_SECONDS]
        self._before = self.baseline.encode(before)
        self._visiting = {sample.values[Feature.NETWORK] for sample in before}
        self._unlearned.clear()
