"""The programs that come to one site regularly, its friends: API clients, feed readers, webhooks, git.

A program is one agent from one network. It becomes a friend by coming for hours in calm. Not here: what a
friend is exempt from (``edge.dataplane``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from holdfast.shield.features import LONGEST_TEXT, Feature
from holdfast.shield.packing import pack_json, unpack_json
from holdfast.shield.sample import Sample

SPAN = 600.0
FRIEND_SPANS, FRIEND_AGE = 6, 12
"""A program is regular that came in so many different spans of ten minutes, and first so many ago."""
CANDIDATES, FRIENDS = 512, 128

_AGENT, _LANGUAGE, _NETWORK = map(int, (Feature.AGENT, Feature.LANGUAGE, Feature.NETWORK))  # often used
_FORGOTTEN = 14 * 144  # spans
_SAYS_SO = re.compile(
    r"bot\b|crawl|spider|slurp|feed|rss|atom|podcast|^git/|jgit|curl|wget|python|java/|okhttp|go-http|perl|ruby"
    r"|php|node|axios|webhook|hook|monitor|uptime|check|client|lib|api|sync|\+https?:",
    re.IGNORECASE,
)
_Key = tuple[str, str]  # network, agent


class Friend(NamedTuple):
    """A program, no browser, that comes regularly in calm: one agent from one network."""

    network: str
    agent: str
    rate: float
    """Requests/s in its busiest ten minutes, so that it can be exempt up to what it usually does."""


class _Program:
    __slots__ = ("busiest", "first", "here", "last", "spans")

    def __init__(self, first: int) -> None:
        self.first, self.last, self.spans = first, first, 0
        """Numbers of ten-minute spans since 1970; how many different ones it came in."""
        self.here, self.busiest = 0.0, 0.0
        """Requests in the latest span, in the busiest."""


@lru_cache(maxsize=4096)
def _says_program(agent: str) -> bool:
    """Whether an agent says of itself that it is no browser."""
    return _SAYS_SO.search(agent) is not None


def _is_program(sample: Sample) -> bool:
    """It says so, or asks for no language and does not even claim to be a browser."""
    if not sample.values[_AGENT]:
        return False
    foreign = not sample.values[_LANGUAGE] and not sample.agent.startswith("Mozilla/")
    return foreign or _says_program(sample.agent)


class Programs:
    """One site's."""

    def __init__(self) -> None:
        self._candidates: dict[_Key, _Program] = {}
        self._friends: dict[_Key, _Program] = {}

    def friends(self) -> tuple[Friend, ...]:
        return tuple(Friend(*key, program.busiest / SPAN) for key, program in sorted(self._friends.items()))

    def learn(self, sample: Sample) -> None:
        """A calm request, of a program or not."""
        if not _is_program(sample):
            return
        key = sample.values[_NETWORK], sample.values[_AGENT]
        span = int(sample.at // SPAN)
        program = self._friends.get(key) or self._candidates.get(key)
        if program is None:
            if len(key[1]) > LONGEST_TEXT:
                return
            program = self._candidates[key] = _Program(span)
            if len(self._candidates) > CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
        if span != program.last or not program.spans:
            program.last, program.here = span, 0.0
            program.spans += 1
            program.busiest *= 0.99
            if self._candidates.pop(key, None) is not None:
                self._candidates[key] = program  # those that came last at the end
        program.here += sample.weight
        program.busiest = max(program.busiest, program.here)
        is_regular = program.spans >= FRIEND_SPANS and span - program.first >= FRIEND_AGE
        if is_regular and key in self._candidates:
            self._befriend(key, span)

    def _befriend(self, key: _Key, span: int) -> None:
        """Where there are too many friends, those stay that came most often."""
        self._friends[key] = self._candidates.pop(key)
        for other in [one for one, program in self._friends.items() if program.last < span - _FORGOTTEN]:
            del self._friends[other]
        if len(self._friends) > FRIENDS:
            del self._friends[min(self._friends, key=lambda one: (self._friends[one].spans, one))]

    def document(self) -> dict[str, Any]:
        """All but the candidates, as JSON can hold it."""
        friends = [[*key, one.first, one.last, one.spans, one.busiest] for key, one in self._friends.items()]
        return {"friends": pack_json(friends)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Programs:
        """The inverse."""
        new = cls()
        for network, agent, *numbers in unpack_json(document["friends"]):
            friend = new._friends[network, agent] = _Program(int(numbers[0]))
            friend.last, friend.spans, friend.busiest = int(numbers[1]), int(numbers[2]), float(numbers[3])
        return new
