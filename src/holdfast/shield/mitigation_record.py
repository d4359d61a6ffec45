"""The record of one mitigation, from its first push: what it matches, each step of its ladder and why, whom
it was predicted to touch and has touched, and when and why it was withdrawn.

Records are kept for long, so they hold no network: not among what is matched, not in the evidence. Not here:
what is decided (``response``), the record of the attack (``record``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from holdfast.model.mitigation import AUTOMATIC, Mitigation
from holdfast.shield.phase import Phase
from holdfast.shield.response import EVERYBODY, STRANGERS, Match, Response, Standing, words_of

WITHDRAWN: Final = "withdrawn"
MOST_STEPS: Final = 200
"""The owner's switch has one record, however often it is turned."""
NETWORK: Final = "network"


class Step(NamedTuple):
    """From then on."""

    at: float
    action: str
    """A rung of the ladder, or ``WITHDRAWN``."""
    reason: str


@dataclass(slots=True)
class MitigationRecord:
    """Times are unix times."""

    id: str
    site: str
    attack: str
    """The id of the attack that it is against; '' where a person made it."""
    author: str
    features: tuple[str, ...]
    values: tuple[str, ...]
    """As the data plane finds them; '' for a network."""
    harm: float
    """Upper 95 % bound of the share of usual requests that it touches, as predicted when it was made."""
    until: float
    """When it ends, or would have ended."""
    pinned: bool = False
    evidence: tuple[str, ...] = ()
    """Some of the requests: method, path without query, agent."""
    steps: list[Step] = field(default_factory=list)
    """The first one made it."""
    matched: float = 0.0
    """Requests that it matched, estimated from samples; while an attack is looked at."""
    passed: float = 0.0
    """How many of them reached the origin."""
    worst: float | None = None
    """Measured: the largest share of the requests from known networks that it has kept away; None: too few
    came to tell."""
    last: float | None = None
    """The same, measured last."""

    @property
    def matches(self) -> str:
        """In words."""
        return words_of((self.features, self.values))

    @property
    def began(self) -> float:
        return self.steps[0].at

    @property
    def reason(self) -> str:
        """Why it was made."""
        return self.steps[0].reason

    @property
    def ended(self) -> float | None:
        """When it was withdrawn; None while it is in force."""
        return self.steps[-1].at if self.steps[-1].action == WITHDRAWN else None

    def at(self, second: int) -> Step | None:
        """The step that was in force in that second of unix time, at its end where there were several; None
        before the first push and after a withdrawal."""
        found = None
        for step in self.steps:
            if step.at >= second + 1:
                break
            if step.action != WITHDRAWN or step.at < second:
                found = step
        return None if found is None or found.action == WITHDRAWN else found

    # -- as it goes on -------------------------------------------------------------------------------

    @classmethod
    def of(cls, mitigation: Mitigation, at: float) -> MitigationRecord:
        """Of one that was pushed at that time."""
        made = cls(
            id=mitigation.id,
            site=mitigation.site,
            attack=mitigation.attack,
            author=mitigation.author,
            features=mitigation.features,
            values=tuple(
                "" if name == NETWORK else value
                for name, value in zip(mitigation.features, mitigation.values, strict=True)
            ),
            harm=mitigation.harm,
            until=mitigation.until.timestamp(),
            pinned=mitigation.pinned,
            evidence=tuple(dict.fromkeys(map(_without_network, mitigation.evidence))),
        )
        made.steps.append(Step(at, mitigation.action.value, mitigation.reason))
        return made

    def follow(self, before: Mitigation | None, mitigation: Mitigation, now: float) -> bool:
        """What has changed since ``before`` (None: an agent before this one pushed it); whether anything has
        but its end."""
        self.until = mitigation.until.timestamp()
        changed = mitigation.pinned != self.pinned or mitigation.author != self.author
        if changed:
            self.pinned, self.author = mitigation.pinned, mitigation.author
            self._step(now, mitigation.action.value, f"pinned by {mitigation.author}")
        if self.steps[-1].action != mitigation.action.value:
            told = before.reason if before is not None else self.reason
            self._step(now, mitigation.action.value, _news(told, mitigation.reason))
            changed = True
        return changed

    def measure(self, standing: Standing, seconds: float) -> None:
        """``seconds``: since it was measured before."""
        matched = standing.rate * seconds
        self.matched += matched
        self.passed += matched * standing.solved
        if standing.harm is not None:
            self.last = standing.harm
            self.worst = max(standing.harm, self.worst or 0.0)

    def withdraw(self, at: float, why: str) -> None:
        if self.ended is None:
            self._step(max(at, self.steps[-1].at), WITHDRAWN, why)

    def _step(self, at: float, action: str, reason: str) -> None:
        self.steps.append(Step(at, action, reason))
        if len(self.steps) > MOST_STEPS:
            del self.steps[1]


def _without_network(evidence: str) -> str:
    """See ``evidence.described``."""
    return evidence.rpartition(" · from ")[0]


def _news(before: str, now: str) -> str:
    """Reasons grow with each step: only what is new of it."""
    return now.removeprefix(before).removeprefix("; ") or now


def why_gone(
    mitigation: Mitigation, response: Response, phase: Phase, now: float, *, replaced: bool = False
) -> str:
    """Why it is not in force any more, as far as it can be told afterwards. ``replaced``: another one stands
    against the whole site."""
    match: Match = mitigation.features, mitigation.values
    if match in response.forbidden:
        return "a person has forbidden it"
    if match in response.undone:
        return "a person has undone it"
    if mitigation.until.timestamp() <= now:
        return "its end had come"
    if is_switch(mitigation):
        return "the challenge of an attack stands in its place" if replaced else "the switch was turned off"
    if mitigation.pinned or mitigation.author != AUTOMATIC:
        return "a person has undone it"
    if phase in (Phase.CALM, Phase.SUSPECT):
        return "the attack has ended"
    if match in (EVERYBODY, STRANGERS) and phase is Phase.EASING:
        return "no flood is seen any more, and it touches too many to be held for the next"
    return "it has matched nothing for a minute"


def is_switch(mitigation: Mitigation | MitigationRecord) -> bool:
    """Whether it is the owner's switch 'under attack'."""
    return mitigation.id == f"{mitigation.site}-under-attack"


# -- as a document ---------------------------------------------------------------------------------------


def mitigation_record_document(record: MitigationRecord) -> dict[str, Any]:
    """As JSON can hold it."""
    return {
        "id": record.id,
        "site": record.site,
        "attack": record.attack,
        "author": record.author,
        "features": list(record.features),
        "values": list(record.values),
        "matches": record.matches,
        "harm": record.harm,
        "until": record.until,
        "pinned": record.pinned,
        "evidence": list(record.evidence),
        "steps": [step._asdict() for step in record.steps],
        "matched": record.matched,
        "passed": record.passed,
        "worst": record.worst,
        "last": record.last,
    }


def read_mitigation_record(document: Mapping[str, Any]) -> MitigationRecord:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    worst, last = document["worst"], document["last"]
    made = MitigationRecord(
        id=str(document["id"]),
        site=str(document["site"]),
        attack=str(document["attack"]),
        author=str(document["author"]),
        features=tuple(map(str, document["features"])),
        values=tuple(map(str, document["values"])),
        harm=float(document["harm"]),
        until=float(document["until"]),
        pinned=bool(document["pinned"]),
        evidence=tuple(map(str, document["evidence"])),
        steps=[
            Step(float(each["at"]), str(each["action"]), str(each["reason"])) for each in document["steps"]
        ],
        matched=float(document["matched"]),
        passed=float(document["passed"]),
        worst=None if worst is None else float(worst),
        last=None if last is None else float(last),
    )
    if not made.steps or len(made.features) != len(made.values):
        raise ValueError(f"no steps, or not a value for each feature: {made.id}")
    return made
