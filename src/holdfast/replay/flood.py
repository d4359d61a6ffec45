"""Floods that are generated into a log, so that everybody can see one named: of no harm to anybody, as no
request is sent. The same seed, the same floods.

Their lines are text like the log's own, and are parsed alike. Source addresses are those that RFC 2544 sets
aside for measurements. Not here: what the shield makes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from holdfast.replay.access_log import Entry, line_of, parse

SECONDS: Final = 60
RATE: Final = 2000
"""Requests a second of each, on average."""
SOURCES: Final = 5000
PLACES: Final = (0.7, 0.9)
"""After which share of the log's lines each begins."""
TOOL: Final = "python-requests/2.31.0"
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
"""Mimicked where the log has none."""
WATCHED: Final = 5000
"""Entries from which a mimic learns."""


class Shape(NamedTuple):
    """What the log's browsers ask for, so that a mimic can ask alike."""

    agent: str
    request: str


Requests = Callable[[np.random.Generator, int, str], list[str]]
"""So many, as the first line of each; the last argument is what browsers ask for."""


@dataclass(frozen=True, slots=True)
class Flood:
    """What one is like."""

    number: int
    words: str
    agent: str
    """Empty: that of the browser that is mimicked."""
    requests: Requests


def _random_queries(rng: np.random.Generator, number: int, usual: str) -> list[str]:
    return [f"GET /?q={each} HTTP/1.1" for each in rng.integers(10**9, size=number).tolist()]


def _the_usual(rng: np.random.Generator, number: int, usual: str) -> list[str]:
    return [usual] * number


FLOODS: Final = (
    Flood(1, f"one tool ({TOOL}) at the front page, with random queries", TOOL, _random_queries),
    Flood(2, "a mimic of the most frequent request of a browser in the log", "", _the_usual),
)


class Mixture:
    """A log with the floods in it. ``lines``: how many it has."""

    def __init__(self, lines: int, rng: np.random.Generator) -> None:
        self.began: dict[int, int] = {}
        """By the number of a flood, unix time."""
        self._places = [int(share * lines) for share in PLACES]
        self._rng = rng
        self._shapes: Counter[Shape] = Counter()
        self._sources = [
            f"198.{18 + each // 65536}.{each // 256 % 256}.{each % 256}"
            for each in rng.choice(2 * 65536, SOURCES, replace=False).tolist()
        ]

    def entries(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The log's, and among them those of the floods, each when the log has come to its time."""
        waiting: Iterator[Entry] = iter(())
        following: Entry | None = None
        for number, entry in enumerate(entries):
            if number < WATCHED and _is_browser(entry.agent) and entry.request.startswith("GET "):
                self._shapes[Shape(entry.agent or "", entry.request)] += 1
            due = len(self.began)
            if following is None and due < len(FLOODS) and number >= self._places[due]:
                self.began[FLOODS[due].number] = entry.at
                waiting = self._lines(FLOODS[due], entry)
                following = next(waiting, None)
            while following is not None and following.at <= entry.at:
                yield following
                following = next(waiting, None)
            yield entry
        if following is not None:
            yield following
            yield from waiting

    def _lines(self, flood: Flood, like: Entry) -> Iterator[Entry]:
        """``like``: an entry of the log when it begins; its format is the flood's."""
        usual = next((each for each, _ in self._shapes.most_common(1)), Shape(BROWSER, "GET / HTTP/1.1"))
        shape = like._replace(host="", request="?", status=200, size=5316)
        if shape.agent is not None:
            shape = shape._replace(referer="", agent=flood.agent or usual.agent)
        for at in range(like.at, like.at + SECONDS):
            number = int(self._rng.poisson(RATE))
            sources = self._rng.integers(SOURCES, size=number).tolist()
            head, _, tail = line_of(shape._replace(at=at)).partition('"?"')
            for source, request in zip(
                sources, flood.requests(self._rng, number, usual.request), strict=True
            ):
                entry = parse(f'{self._sources[source]}{head}"{request}"{tail}')
                if entry is not None:
                    yield entry._replace(flood=flood.number)


def _is_browser(agent: str | None) -> bool:
    return agent is not None and agent.startswith("Mozilla/") and "compatible" not in agent
