"""The response to one attack: its mitigations, each from the first push to its withdrawal.

``improve`` adds and steps up, ``renew`` keeps alive what is needed. Not here: whether there is an attack
(``brain``), which rung (``ladder``), which signature (``signature``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from holdfast.model.mitigation import AUTOMATIC, Action, Mitigation
from holdfast.shield.baseline import Baseline
from holdfast.shield.evidence import Naming, Window, described, rates_of_clients
from holdfast.shield.features import TEMPLATES, Feature, code
from holdfast.shield.harm import upper_bound
from holdfast.shield.ladder import Case, choose
from holdfast.shield.sample import Sample
from holdfast.shield.signature import Finding, Signature, matches

MOST: Final = 8
"""Mitigations of one site."""
LIFETIME: Final = timedelta(seconds=60)
RENEWED_BEFORE: Final = timedelta(seconds=30)
STEP_SECONDS: Final = 1.0
"""What a step does is measured for so long before the next."""
MEASURED_SAMPLES: Final = 100
MEASURED_HARM: Final = 0.01
"""Of the requests from known networks; some of these take part in any flood."""
USUAL_SWING: Final = 2.0
"""Times the usual rate: what comes of usual requests in a few seconds."""
UNUSED_SECONDS: Final = 60.0
STRANGERS: Final = (("stranger",), ("1",))
EVERYBODY: Final[tuple[tuple[str, ...], tuple[str, ...]]] = ((), ())

Match = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of features, and their values."""


@dataclass(slots=True)
class Standing:
    """A mitigation and how it does."""

    mitigation: Mitigation
    changed: float
    """When it was pushed or stepped up, unix time."""
    rate: float = 0.0
    """Requests/s that it matches, averaged."""
    used: float = 0.0
    """When it last matched anything."""
    solved: float = 0.0
    """The share of them that passed."""
    harm: float | None = None
    """Measured: the share of requests from known networks that it has kept away; None: too few came."""


class Response:
    """The mitigations of one site."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.standing: dict[Match, Standing] = {}
        self.forbidden: set[Match] = set()
        """What a person does not want to be used here, ever."""
        self.undone: set[Match] = set()
        """What a person does not want in this attack."""
        self.changed = 0.0
        """When anything was pushed or stepped up."""
        self.made = 0
        """How many it has made: their ids end with a number, and none is used twice."""

    def mitigations(self) -> tuple[Mitigation, ...]:
        return tuple(each.mitigation for each in self.standing.values())

    # -- pushing -------------------------------------------------------------------------------------

    def improve(
        self, now: float, attack: str, naming: Naming, window: Window, baseline: Baseline, rate: float
    ) -> list[str]:
        """A mitigation for each signature of the excess; returns what was done, in words. ``rate``:
        requests/s of the window."""
        done = []
        for finding in naming.findings:
            match = match_of(finding.signature, window)
            if (
                match is None
                or self.is_unwanted(match)
                or match in self.standing
                or len(self.standing) >= MOST
            ):
                continue
            rows = np.flatnonzero(matches(window.codes, finding.signature))
            samples = [window.samples[row] for row in rows]
            share = sum(each.weight for each in samples) / max(window.weights.sum(), 1e-9)
            case = self._case(finding, share * rate, samples, baseline, now)
            action = choose(case)
            reason = (
                f"{finding.coverage:.0%} of the excess has {words_of(match)};"
                f" {finding.hits} of {finding.samples} usual requests have it too"
                f" (at most {case.harm:.2%} surely)"
            )
            done.append(self._push(now, attack, match, action, reason, samples, case.harm))
        return done

    def is_unwanted(self, match: Match) -> bool:
        """Whether a person has undone or forbidden it."""
        return match in self.forbidden or match in self.undone

    def _case(
        self, finding: Finding, rate: float, samples: Sequence[Sample], baseline: Baseline, now: float
    ) -> Case:
        expected = baseline.expected(now, 1.0)
        harm = upper_bound(finding.hits, finding.samples)
        seconds = max(samples[-1].at - samples[0].at, 0.5) if samples else 1.0
        rates = rates_of_clients(samples, seconds)
        return Case(rate, rates, room_of(expected.mean), harm, baseline.is_young(now))

    def challenge_strangers(
        self, now: float, attack: str, naming: Naming, window: Window, usual: float
    ) -> list[str]:
        """No signature is good enough, and most of the excess is from networks never seen here."""
        reason = (
            f"{naming.strangers:.0%} of the excess comes from networks that were never seen here,"
            f" usually {usual:.0%}; it has no other name"
        )
        strange = [window.samples[row] for row in np.flatnonzero(window.codes[:, Feature.STRANGER] == 1)]
        return self._fall_back(now, attack, STRANGERS, reason, strange, usual)

    def challenge_everybody(self, now: float, attack: str, window: Window, why: str) -> list[str]:
        reason = f"{why}, and no signature names the excess"
        return self._fall_back(now, attack, EVERYBODY, reason, window.samples, 1.0)

    def _fall_back(
        self, now: float, attack: str, match: Match, reason: str, samples: Sequence[Sample], harm: float
    ) -> list[str]:
        if match in self.standing or self.is_unwanted(match) or len(self.standing) >= MOST:
            return []
        return [self._push(now, attack, match, Action.CHALLENGE, reason, samples, harm)]

    def again(self, now: float, attack: str, match: Match, action: Action, harm: float) -> str:
        """A flood that is remembered has come back."""
        return self._push(now, attack, match, action, f"the flood of {words_of(match)} is back", (), harm)

    def put(self, mitigation: Mitigation, now: float) -> None:
        """One that a person, or an agent before this one, has made."""
        self.standing[mitigation.features, mitigation.values] = Standing(mitigation, now, used=now)
        self.changed = now

    def _push(
        self,
        now: float,
        attack: str,
        match: Match,
        action: Action,
        reason: str,
        samples: Iterable[Sample],
        harm: float,
    ) -> str:
        taken = {each.mitigation.id for each in self.standing.values()}
        self.made += 1
        while f"{attack}-{self.made}" in taken:
            self.made += 1
        since = datetime.fromtimestamp(now, UTC)
        mitigation = Mitigation(
            id=f"{attack}-{self.made}",
            site=self.site,
            action=action,
            features=match[0],
            values=match[1],
            reason=reason,
            since=since,
            until=since + LIFETIME,
            attack=attack,
            evidence=described(list(samples)),
            harm=harm,
        )
        self.put(mitigation, now)
        return f"{action.value} {words_of(match)}: {reason}"

    def rewind(self, now: float) -> None:
        """The clock was set back: nothing has happened later than now."""
        self.changed = min(self.changed, now)
        for standing in self.standing.values():
            standing.changed, standing.used = min(standing.changed, now), min(standing.used, now)

    # -- measuring -----------------------------------------------------------------------------------

    def measure(self, now: float, window: Window) -> None:
        """What each mitigation matched in the last seconds, and how much of that passed."""
        matched: dict[str, list[Sample]] = {}
        for sample in window.samples:
            if sample.verdict:
                matched.setdefault(sample.verdict, []).append(sample)
        for standing in self.standing.values():
            samples = matched.get(standing.mitigation.id, [])
            weight = sum(sample.weight for sample in samples)
            standing.rate = weight / window.seconds
            passed = sum(sample.weight for sample in samples if sample.reached_origin)
            standing.solved = passed / weight if weight else 0.0
            if samples:
                standing.used = now
            standing.harm = _measured_harm(standing, window)

    def step_down(self, now: float) -> list[str]:
        """What keeps more of the known visitors away than was predicted denies them no longer."""
        done = []
        for match, standing in self.standing.items():
            present, harm = standing.mitigation, standing.harm
            is_hard = present.action in (Action.DENY, Action.DROP) and present.author == AUTOMATIC
            if is_hard and harm is not None and harm > MEASURED_HARM:
                why = f"{harm:.1%} of the requests from known networks were kept away"
                standing.mitigation = replace(
                    present, action=Action.CHALLENGE, harm=harm, reason=f"{present.reason}; {why}"
                )
                standing.changed = self.changed = now
                done.append(f"challenge {words_of(match)}: {why}")
        return done

    def step_up(self, now: float, window: Window, baseline: Baseline) -> list[str]:
        """A stronger rung where what is measured says that it takes one."""
        done = []
        expected = baseline.expected(now, 1.0)
        for match, standing in self.standing.items():
            present = standing.mitigation
            if present.author != AUTOMATIC or standing.rate <= 0 or now - standing.changed < STEP_SECONDS:
                continue
            samples = [each for each in window.samples if each.verdict == present.id]
            case = Case(
                standing.rate,
                rates_of_clients(samples, window.seconds),
                room_of(expected.mean),
                present.harm,
                baseline.is_young(now),
                standing.solved,
            )
            action = choose(case, at_least=present.action)
            if action is not present.action:
                why = (
                    f"{standing.solved:.0%} passed the step before ({present.action.value})"
                    if standing.solved
                    else f"{standing.rate:.0f} requests/s are too many to {present.action.value}"
                )
                reason = f"{present.reason}; {why}"
                standing.mitigation = replace(present, action=action, reason=reason)
                standing.changed = self.changed = now
                done.append(f"{action.value} {words_of(match)}: {why}")
        return done

    def pin(self, identifier: str, until: datetime, author: str) -> bool:
        """Whether there is one of that id."""
        for standing in self.standing.values():
            if standing.mitigation.id == identifier:
                standing.mitigation = replace(standing.mitigation, pinned=True, until=until, author=author)
                return True
        return False

    def renew(self, now: float) -> list[str]:
        """Lengthen what is needed, and drop what has matched nothing for long; returns what was dropped."""
        moment = datetime.fromtimestamp(now, UTC)
        for standing in self.standing.values():
            if standing.mitigation.until - moment < RENEWED_BEFORE and not standing.mitigation.pinned:
                standing.mitigation = replace(standing.mitigation, until=moment + LIFETIME)
        unused = [
            match
            for match, each in self.standing.items()
            if not each.mitigation.pinned and now - max(each.used, each.changed) > UNUSED_SECONDS
        ]
        return self.drop(unused)

    def expire(self, now: float) -> list[str]:
        """Drop what has come to its end."""
        moment = datetime.fromtimestamp(now, UTC)
        return self.drop([match for match, each in self.standing.items() if each.mitigation.until <= moment])

    def drop(self, matches_: Iterable[Match]) -> list[str]:
        return [f"withdrawn: {words_of(match)}" for match in matches_ if self.standing.pop(match, None)]

    def excess(self, mean: float) -> float:
        """Requests/s that they match, beyond what they match of the usual ``mean`` requests/s anyway: a
        challenge of all strangers, or of everybody, always matches some."""
        return sum(
            max(0.0, each.rate - USUAL_SWING * each.mitigation.harm * mean) for each in self.standing.values()
        )


def _measured_harm(standing: Standing, window: Window) -> float | None:
    """By what is known of whom: a network that came in calm is taken for a visitor's."""
    known = window.codes[:, Feature.STRANGER] == 0
    weights = window.weights
    if int(known.sum()) < MEASURED_SAMPLES:
        return None
    identifier = standing.mitigation.id
    touched = [each.touched and each.verdict == identifier for each in window.samples]
    return float(weights[known & np.array(touched, dtype=np.bool_)].sum() / weights[known].sum())


def room_of(mean: float) -> float:
    """Requests/s of a flood that a site is expected to bear."""
    return max(1.0, 0.1 * mean)


def match_of(signature: Signature, window: Window) -> Match | None:
    """The values behind a signature's codes; None where no sample shows them."""
    rows = np.flatnonzero(matches(window.codes, signature))
    if not len(rows):
        return None
    values = (*window.samples[rows[0]].values, str(int(window.codes[rows[0], Feature.STRANGER])))
    features = signature.template.features
    return tuple(each.name.lower() for each in features), tuple(values[each] for each in features)


def signature_of(match: Match) -> Signature | None:
    """The inverse of ``match_of``; None for the whole site, which has no signature."""
    names, values = match
    for template in TEMPLATES:
        if tuple(each.name.lower() for each in template.features) == names:
            codes = tuple(
                int(value) if feature is Feature.STRANGER else code(value)
                for feature, value in zip(template.features, values, strict=True)
            )
            return Signature(template, codes)
    return None


def words_of(match: Match) -> str:
    """For people: the features only, as their values are hashes."""
    names, values = match
    if not names:
        return "the whole site"
    told = {"stranger": "a network never seen here", "method": "method {}", "version": "HTTP {}"}
    kind = {"agent": "one agent", "names": "one order of headers", "tls": "one TLS fingerprint"}
    words = [
        told.get(name, kind.get(name, f"one {name}")).format(value)
        for name, value in zip(names, values, strict=True)
    ]
    return " and ".join(words)
