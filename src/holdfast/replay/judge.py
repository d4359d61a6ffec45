"""What HAProxy would do with a request under the mitigations in force, as far as a log tells.

The templates are looked up in their order, and the first that is found decides. Not here: what is in force
(``shield.brain``), what is counted of it (``tally``). Bans of sources and clearances are left out: nobody is
taken to solve a challenge.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.features import TEMPLATES, Feature
from holdfast.shield.ladder import LIMIT_RATE

LIMIT_BURST: Final = 20.0
"""Requests that a limited client has at once, after a pause."""
MOST_CLIENTS: Final = 100_000
_REFUSED: Final = frozenset((Action.CHALLENGE, Action.DENY, Action.DROP))
_NETWORK, _AGENT = int(Feature.NETWORK), int(Feature.AGENT)
_ORDER: Final = {
    tuple(feature.name.lower() for feature in each.features): number for number, each in enumerate(TEMPLATES)
}


class Judgement(NamedTuple):
    """What is done to one request."""

    mitigation: str
    """The id of the one that decides."""
    action: Action
    is_kept: bool
    """Whether it is kept from the origin."""


class _Rule(NamedTuple):
    pairs: tuple[tuple[int, str], ...]
    stranger: bool | None
    """None: whoever it is."""
    mitigation: str
    action: Action


class Judge:
    """One site's."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._known: frozenset[str] = frozenset()
        self._friends: frozenset[tuple[str, str]] = frozenset()
        self._due: dict[str, float] = {}
        """Of limited clients, when what they have sent would be due at the rate that they have (GCRA)."""

    def put(self, mitigations: Iterable[Mitigation]) -> None:
        """All that are in force from now on."""
        ordered = sorted(mitigations, key=lambda each: _ORDER.get(each.features, len(_ORDER)))
        self._rules = [_rule(each) for each in ordered]

    def know(self, networks: frozenset[str], friends: frozenset[tuple[str, str]]) -> None:
        """Whom the site knows: its networks, and its programs by network and agent."""
        self._known, self._friends = networks, friends

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in force."""
        return not self._rules

    def judge(self, client: str, values: tuple[str, ...], at: float) -> Judgement | None:
        """None: nothing matches it, or it is exempt."""
        for rule in self._rules:
            for feature, value in rule.pairs:
                if values[feature] != value:
                    break
            else:
                network = values[_NETWORK]
                if rule.stranger is not None and rule.stranger is (network in self._known):
                    continue
                if (network, values[_AGENT]) in self._friends:
                    return None
                is_kept = rule.action in _REFUSED
                if rule.action is Action.LIMIT:
                    is_kept = self._is_over(client, at)
                return Judgement(rule.mitigation, rule.action, is_kept)
        return None

    def _is_over(self, client: str, at: float) -> bool:
        """Whether a limited client has had its share."""
        due = max(self._due.get(client, at), at)
        if due > at + (LIMIT_BURST - 1) / LIMIT_RATE:
            return True
        if len(self._due) >= MOST_CLIENTS:
            self._due = {each: until for each, until in self._due.items() if until > at}
        self._due[client] = due + 1 / LIMIT_RATE
        return False


def _rule(mitigation: Mitigation) -> _Rule:
    found = {
        Feature[name.upper()]: value
        for name, value in zip(mitigation.features, mitigation.values, strict=True)
    }
    stranger = found.pop(Feature.STRANGER, None)
    pairs = tuple((int(feature), value) for feature, value in found.items())
    return _Rule(pairs, None if stranger is None else stranger == "1", mitigation.id, mitigation.action)
