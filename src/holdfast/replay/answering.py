"""The data plane's part of a replay: what is in force is done to requests, and they are counted and sampled.

Not here: whom a mitigation matches (``judge``), when the brain looks (``replayed``).
"""

from __future__ import annotations

import math
from typing import Final

from holdfast.model.mitigation import Action, Mitigation
from holdfast.replay.judge import Judge, Judgement
from holdfast.replay.order import Second
from holdfast.replay.tally import Tally
from holdfast.replay.telling import Told, tell
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.sample import Sample

SAMPLED: Final = 2000
"""Requests of a second that are sampled, as on an edge."""
SAMPLED_CALM: Final = 100
"""The same where they cannot be a sign: no more are learned."""
KNOWN_SECONDS: Final = 300.0
"""Between two looks at whom the site knows, as on an edge."""
KNOWN_SAMPLES: Final = 500
"""From so many clean samples on it knows anybody, as on an edge."""
ORIGIN_MS: Final = 0.5
"""Of every answer, as no log tells it: the least that is taken for asked."""
SITE: Final = "log"
_STATUS: Final = {Action.LIMIT: 429, Action.CHALLENGE: 403, Action.DENY: 403, Action.DROP: 0}


class Answering:
    """One site's."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.mitigations: tuple[Mitigation, ...] = ()
        """In force."""
        self._judge = Judge()
        self._known_at = -math.inf

    def follow(self, now: float, brain: SiteBrain) -> None:
        """What the brain wants is in force from now on."""
        wanted = brain.response.mitigations()
        if wanted != self.mitigations:
            self.mitigations = wanted
            self._judge.put(wanted)
        if wanted and not 0 <= now - self._known_at < KNOWN_SECONDS:
            self._known_at = now
            if brain.baseline.clean_samples >= KNOWN_SAMPLES:
                friends = frozenset((each.network, each.agent) for each in brain.baseline.friends())
                self._judge.know(brain.known_networks(now), friends)
        elif not wanted:
            self._known_at = -math.inf

    def calm(self, second: Second) -> list[Sample]:
        """Of one in which nothing is in force, and nothing can be a sign."""
        at, entries = second
        number, samples = len(entries), []
        weight = max(1.0, number / SAMPLED_CALM)
        self.tally.in_calm(second)
        for place, entry in enumerate(entries):
            if number <= SAMPLED_CALM or _is_sampled(place, number, SAMPLED_CALM):
                moment = at + (place + 0.5) / number
                client, values, path, agent = tell(entry)
                samples.append(
                    Sample(
                        moment, SITE, client, values, weight, entry.status, ORIGIN_MS, path=path, agent=agent
                    )
                )
        return samples

    def answer(
        self, second: Second, begin: int, end: int, now: float, seconds: float
    ) -> tuple[Counts, list[Sample]]:
        """Those of its requests from number ``begin`` on and before ``end``, which came in the ``seconds``
        until ``now``."""
        at, entries = second
        number = len(entries)
        weight = max(1.0, number / SAMPLED)
        kept = dict.fromkeys(_STATUS, 0)
        samples = []
        is_idle = not self.mitigations
        if is_idle:
            self.tally.let_pass(entries[begin:end])
        for place in range(begin, end):
            is_sampled = _is_sampled(place, number, SAMPLED)
            if is_idle and not is_sampled:
                continue
            entry, moment = entries[place], at + (place + 0.5) / number
            told, judged = tell(entry), None
            if not is_idle:
                judged = self._judge.judge(told[0], told[1], moment)
                self.tally.count(self.mitigations[0].attack, entry, told[0], judged)
                if judged is not None and judged.is_kept:
                    kept[judged.action] += 1
            if is_sampled:
                samples.append(_sample(second, place, told, moment, weight, judged))
        counts = Counts(
            now,
            seconds,
            end - begin,
            challenged=kept[Action.CHALLENGE],
            denied=kept[Action.DENY],
            dropped=kept[Action.DROP],
            refused=kept[Action.LIMIT],
        )
        return counts, samples


def _is_sampled(place: int, number: int, most: int) -> bool:
    """Whether this one of a second's requests is: of too many, evenly."""
    return number <= most or place * most // number != (place - 1) * most // number


def _sample(
    second: Second, place: int, told: Told, moment: float, weight: float, judged: Judgement | None
) -> Sample:
    is_kept = judged is not None and judged.is_kept
    client, values, path, agent = told
    return Sample(
        moment,
        SITE,
        client,
        values,
        weight,
        _STATUS[judged.action] if judged is not None and is_kept else second.entries[place].status,
        0.0 if is_kept else ORIGIN_MS,
        verdict="" if judged is None else judged.mitigation,
        path=path,
        agent=agent,
    )
