"""What the bots of a flood send, and when: pure functions of its description, its seed and the clock."""

from __future__ import annotations

import ipaddress
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.floods.agents import BROWSERS, Asked, Headers, family_of, headers, listed
from bench.floods.answers import Jar, Offer
from bench.floods.log import Request, Visit
from bench.floods.records import key_of
from bench.floods.scenario import FloodSpec

RANDOM, DIGITS, WORD = "{random}", "{digits}", "{word}"
WORDS = ("news", "shop", "search", "about", "list", "view", "item", "page", "archive", "tag")


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of a bot, ready to be sent."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""

    @property
    def key(self) -> int:
        return key_of(self.path)

    def http1(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(slots=True)
class BotState:
    """One source of a flood, and what it remembers."""

    address: str
    agent: str
    jar: Jar = field(default_factory=Jar)
    link: str = ""
    """Where a challenge sends it; empty: nowhere."""
    ready: float = 0.0
    """Not before this moment does it send anything."""
    offer: Offer | None = None
    """Of the proof of work that it is about to get."""
    script: Iterator[Request] | None = None
    """What it replays, of mimicry."""


def sources(spec: FloodSpec, seed: int) -> list[str]:
    """The addresses of a flood, spread over its networks; no address is there twice."""
    draw = random.Random(f"sources {spec.name} {seed}")
    networks = [ipaddress.ip_network(each) for each in spec.networks]
    weights = [each.num_addresses for each in networks]
    found: dict[str, None] = {}
    while len(found) < spec.sources:
        network = draw.choices(networks, weights)[0]
        found[str(network[draw.randrange(1, network.num_addresses - 1)])] = None
    return list(found)


class Shooter:
    """Who sends next, and what."""

    def __init__(self, spec: FloodSpec, host: str, seed: int, visits: Sequence[Visit]) -> None:
        self.spec = spec
        self.host = host
        self._draw = random.Random(f"shots {spec.name} {seed}")
        self._heads: dict[str, Headers] = {}
        mimicked = self._shuffled(visits) if spec.client == "mimicry" else []
        agents = self._agents(visits)
        self.bots = [BotState(each, self._draw.choice(agents)) for each in sources(spec, seed)]
        for bot, visit in zip(self.bots, itertools.cycle(mimicked), strict=False):
            bot.agent, bot.script = visit.agent, itertools.cycle(visit.requests)
        self._turn = itertools.cycle(self.bots)

    def _shuffled(self, visits: Sequence[Visit]) -> list[Visit]:
        """Of browsers: a bot that says that it is a crawler gives itself away."""
        chosen = [
            each for each in visits if family_of(each.agent) in BROWSERS and each.requests[0].method == "GET"
        ]
        self._draw.shuffle(chosen)
        return chosen

    def _agents(self, visits: Sequence[Visit]) -> list[str]:
        if self.spec.agents == "log":
            return sorted({each.agent for each in visits if family_of(each.agent) in BROWSERS})
        return list(self.spec.agents)

    def next(self, now: float) -> tuple[BotState, Shot] | None:
        """The next bot that may send and what it sends; None: all are waiting for something."""
        for _ in range(min(len(self.bots), 100)):
            bot = next(self._turn)
            if bot.ready <= now:
                return bot, self.shot(bot)
        return None

    def shot(self, bot: BotState) -> Shot:
        """The next request of one bot."""
        if bot.link:
            path, bot.link = bot.link, ""
            return Shot("GET", path, self._headers(bot, path, ""))
        if bot.script is not None:
            line = next(bot.script)
            return Shot(
                line.method, line.path, self._headers(bot, line.path, line.referer), line.body.encode()
            )
        path = self._filled(self._draw.choice(self.spec.paths))
        return Shot(
            self.spec.method, path, self._headers(bot, path, ""), self._filled(self.spec.body).encode()
        )

    def _headers(self, bot: BotState, path: str, referer: str) -> Headers:
        """The same list for all bots of an agent, unless something of it is a bot's own."""
        cookie = str(bot.jar)
        if bot.script is None and not cookie and bot.agent in self._heads:
            return self._heads[bot.agent]
        visitor = bot.address if bot.script is not None else "bot"
        asked = Asked(self.host, path, bot.agent, visitor, referer, cookie)
        wanted = self.spec.headers
        if bot.script is not None:
            made = headers(family_of(bot.agent), asked)
        else:
            made = listed(wanted, asked) if isinstance(wanted, list) else headers(wanted, asked)
            if cookie and all(name != "Cookie" for name, _ in made):
                made = [*made, ("Cookie", cookie)]
            if not cookie:
                self._heads[bot.agent] = made
        return made

    def _filled(self, text: str) -> str:
        """A template: each mark is replaced by something new."""
        if "{" not in text:
            return text
        text = text.replace(RANDOM, f"{self._draw.getrandbits(48):012x}", 1)
        text = text.replace(DIGITS, str(self._draw.randrange(1_000_000)), 1)
        return text.replace(WORD, self._draw.choice(WORDS), 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a flood sends: a steady rate within its spans."""

    rate: float
    spans: tuple[tuple[float, float], ...]
    """Moments, in order."""

    def due(self, now: float) -> int:
        """How many requests should have been sent by now."""
        on = sum(max(0.0, min(now, end) - begin) for begin, end in self.spans)
        return int(on * self.rate)

    @property
    def end(self) -> float:
        return self.spans[-1][1] if self.spans else 0.0
