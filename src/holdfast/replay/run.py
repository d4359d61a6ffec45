"""A whole replay, from lines to what was found: first the log to learn from, if there is one, then the log
itself.

Not here: where lines come from (``reading``), the words of what was found (``report``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Final

import numpy as np

from holdfast.model.errors import error
from holdfast.replay.flood import Mixture
from holdfast.replay.order import Order, Second
from holdfast.replay.replayed import Replay
from holdfast.replay.sieve import Sieve
from holdfast.replay.telling import unknown_of

SEED: Final = 1
"""Of what is learned at random, and of generated floods: the same log gives the same report."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a log comes from."""

    name: str
    lines: Iterable[str]


@dataclass(frozen=True, slots=True)
class Learned:
    """The log that was learned from before."""

    name: str
    lines: int
    requests: int
    attacks: int
    """Found in it: it should be calm."""
    left_out: int
    """Lines that are no requests, or came too late."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was found."""

    name: str
    site: str
    replay: Replay
    sieve: Sieve
    order: Order
    mixture: Mixture | None
    learned: Learned | None


def replay_log(
    log: Source, site: str, before: Source | None = None, mixture: Mixture | None = None
) -> Result:
    """``before``: a calm log to learn from. Raises HoldfastError for what is no log, or is not before it."""
    sieve, order = Sieve(log.name), Order()
    entries = sieve.entries(log.lines)
    seconds = order.seconds(entries if mixture is None else mixture.entries(entries))
    first = next(seconds)  # there is one, or the sieve has raised
    learned: Learned | None = None
    if before is None:
        replay = Replay(site, first.at, unknown_of(first.entries[0]), np.random.default_rng(SEED))
    else:
        replay, learned = _learn(before, site, first)
        replay.brain.unknown |= unknown_of(first.entries[0])
        replay.begin_anew(first.at)
    replay.run(chain((first,), seconds))
    return Result(log.name, site, replay, sieve, order, mixture, learned)


def _learn(before: Source, site: str, until: Second) -> tuple[Replay, Learned]:
    sieve, order = Sieve(before.name), Order()
    seconds = order.seconds(sieve.entries(before.lines))
    first = next(seconds)
    replay = Replay(site, first.at, unknown_of(first.entries[0]), np.random.default_rng(SEED))
    replay.run(_before(chain((first,), seconds), until.at, before.name))
    left_out = sieve.malformed + sieve.no_requests + order.late + order.astray
    return replay, Learned(before.name, sieve.lines, replay.requests, len(replay.records), left_out)


def _before(seconds: Iterable[Second], until: int, name: str) -> Iterator[Second]:
    for second in seconds:
        if second.at >= until:
            begin = f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%S} UTC"
            raise error(
                f"it goes on after {begin}, when the log to replay begins",
                "give a log to learn from that ends before",
                name,
            )
        yield second
