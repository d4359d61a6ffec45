"""Requests as the brain sees them, made from real visits without sending any: for ``calm``.

The log's requests come in its order, one for each that is counted, again and again: at NASA's rate the log's
four days pass in about four hours. Who came to the log once comes to no round twice: each time it is somebody
else, from a network never seen before. So the share of newcomers stays the log's, 43 % of the requests. Not
here: when how many requests come (``calm``).

A feature's value is its text, where HAProxy would have a hash: the brain only compares them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

import numpy as np

from bench.floods.agents import Asked, Headers, family_of, headers
from bench.floods.log import Request, Visit
from bench.floods.visits import requests, timeline, with_pages_first
from holdfast.shield.features import Feature
from holdfast.shield.sample import Sample

SITE, HOST = "1", "www.site.test"
ORIGIN_MS, SPREAD = 20.0, 0.5
"""The origin's time: its median, and the standard deviation of its logarithm."""
TIMES = 4096
BOT_AGENT, BOT_SOURCES = "python-requests/2.31.0", 5000
BOT_PATHS = ("/?q=1", "/search?s=1", "/blog/?p=1")
_NETWORKS, _STRIDE = 1 << 24, 2_654_435  # odd: each number gives another network


def values(asked: Asked, request: Request, sent: Headers, network: str) -> tuple[str, ...]:
    """One for each ``Feature`` but ``STRANGER``, after ``holdfast.edge.dataplane.rules.features``."""
    of = {name.lower(): value for name, value in sent}
    path, _, query = request.path.partition("?")
    presence = (
        query,
        *(of.get(name) for name in ("cookie", "referer", "accept-language", "accept-encoding")),
    )
    found = {
        Feature.AGENT: asked.agent,
        Feature.NAMES: ":".join(of),
        Feature.PATH: path,
        Feature.SECTION: path.split("/")[1],
        Feature.METHOD: request.method,
        Feature.QUERY: re.sub("=[^&]*", "=", query),
        Feature.PRESENCE: "".join(str(int(bool(each))) for each in presence),
        Feature.VERSION: request.version,
        Feature.TLS: "",
        Feature.REFERER: urlsplit(of.get("referer", "")).netloc,
        Feature.LANGUAGE: of.get("accept-language", ""),
        Feature.NETWORK: network,
    }
    return tuple(found[feature] for feature in sorted(found))


def network_of(address: str) -> str:
    """Of IPv4, as HAProxy writes it."""
    return f"{address.rpartition('.')[0]}.0"


@dataclass(frozen=True, slots=True)
class _Line:
    """A request of the log, ready to be told again."""

    address: str
    network: str
    values: tuple[str, ...]
    path: str
    agent: str
    came_once: bool


class Visitors:
    """Calm requests without end."""

    def __init__(self, visits: Sequence[Visit], turn: float = 0.0, seed: int = 1) -> None:
        """``turn``: from which share of the log on."""
        self._lines = _lines(visits)
        self._next = int(turn * len(self._lines)) % len(self._lines)
        self._here: dict[str, str] = {}
        """In this round: for whom this network comes who came to the log once."""
        self._newcomers = int(turn * _NETWORKS)
        drawn = np.random.default_rng(seed).lognormal(np.log(ORIGIN_MS), SPREAD, TIMES)
        self._times: list[float] = np.maximum(drawn, 0.5).tolist()
        self._told = 0

    def samples(self, moments: Iterable[float]) -> list[Sample]:
        """One request at each moment."""
        return [self._one(at) for at in moments]

    def _one(self, at: float) -> Sample:
        line = self._lines[self._next]
        self._next += 1
        if self._next == len(self._lines):
            self._next = 0
            self._here.clear()
        self._told += 1
        address, made = line.address, line.values
        if line.came_once:
            network = self._here.get(line.network) or self._new_network(line.network)
            address = network[:-1] + address.rpartition(".")[2]
            made = (*made[:-1], network)
        took = self._times[self._told % TIMES]
        return Sample(
            at, SITE, address, made, origin_ms=took, path=line.path, agent=line.agent, address=address
        )

    def _new_network(self, instead_of: str) -> str:
        self._newcomers += 1
        network = self._here[instead_of] = _network(self._newcomers * _STRIDE % _NETWORKS)
        return network


def _lines(visits: Sequence[Visit]) -> list[_Line]:
    often = Counter(network_of(each.address) for each in visits)
    told = [
        (visit.at + request.offset, _line(visit, request, often[network_of(visit.address)] == 1))
        for visit in visits
        for request in with_pages_first(visit.requests)
    ]
    told.sort(key=lambda each: each[0])
    return [line for _, line in told]


def _line(visit: Visit, request: Request, came_once: bool = False) -> _Line:
    network, family = network_of(visit.address), family_of(visit.agent)
    asked = Asked(HOST, request.path, visit.agent, visit.address, request.referer, version=request.version)
    made = values(asked, request, headers(family, asked), network)
    return _Line(visit.address, network, made, request.path, visit.agent, came_once)


def crowd(visits: Sequence[Visit], rate: float, seconds: float, seed: int) -> list[Sample]:
    """So many requests a second of ordinary visitors, in any order, at once: whole visits, with shorter
    pauses. Times are seconds from its begin on."""
    shuffled = Random(seed).sample(visits, len(visits))
    planned = timeline(shuffled, HOST, rate, seconds)
    return [
        Sample(
            at,
            SITE,
            line.address,
            line.values,
            origin_ms=ORIGIN_MS,
            path=line.path,
            agent=line.agent,
            address=line.address,
        )
        for at, each, request in requests(planned, seconds)
        for line in [_line(each.visit, request)]
    ]


def bots(rate: float, seconds: float, seed: int) -> list[Sample]:
    """Scenario 1's flood: one tool, one agent, random query strings, 5,000 sources. Times as in a crowd."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(_NETWORKS, BOT_SOURCES, replace=False).tolist()
    made = []
    for path in BOT_PATHS:
        asked = Asked(HOST, path, BOT_AGENT, "bot")
        made.append(values(asked, Request(0.0, "GET", path), headers("library", asked), "")[:-1])
    moments = np.sort(rng.random(int(rng.poisson(rate * seconds))) * seconds).tolist()
    sources = rng.integers(BOT_SOURCES, size=len(moments)).tolist()
    kinds = rng.integers(len(made), size=len(moments)).tolist()
    return [
        Sample(
            at,
            SITE,
            f"{network[:-1]}9",
            (*made[kind], network),
            origin_ms=ORIGIN_MS,
            path=BOT_PATHS[kind],
            agent=BOT_AGENT,
        )
        for at, source, kind in zip(moments, sources, kinds, strict=True)
        for network in [_network(numbers[source])]
    ]


def _network(number: int) -> str:
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}.0"
