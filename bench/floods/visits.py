"""Who comes when: pure functions from visits and a scenario to the plan that ``legit`` plays.

The log is slow, so its visits are overlaid: they begin in the log's order, as closely as the rate demands,
and the pauses within each are shortened. Its shares stay: of newcomers, of programs, of pages.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.floods.agents import BROWSERS, family_of, is_embedded
from bench.floods.log import Request, Visit
from bench.floods.scenario import ClientsSpec, CrowdSpec, Scenario

LEAD = 30.0
"""Seconds before the begin from which on visits begin: those that are in progress then are there from the
first moment."""
MIXED_SECONDS, AFTER_PAGE = 60.0, 0.2
KEPT_GAP, SHORTENED, LONGEST_GAP = 1.0, 0.05, 3.0
CLIENTS = {
    "api": ("python-requests/2.31.0", "/api/v1/items?since={n}", "GET"),
    "feed": ("Tiny Tiny RSS/1.11 (http://tt-rss.org/)", "/blog/tags/puppet?flav=rss20", "GET"),
    "git": ("git/2.39.2", "/git/dotfiles.git/info/refs?service=git-upload-pack", "GET"),
    "webhook": ("forge-hooks/2.1", "/hooks/deploy", "POST"),
}
"""Agent, path and method of a scenario's special clients."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A visit that is to be played."""

    start: float
    """Seconds after the begin; negative: it is in progress then."""
    host: str
    visit: Visit


def with_pages_first(requests: Sequence[Request]) -> tuple[Request, ...]:
    """The requests in an order that a browser can have made: what a page embeds after that page. The log's
    seconds are not to be trusted (it jumps back and forth within each minute)."""
    pages = [each for each in requests if not is_embedded(each.path)]
    made = []
    for each in requests:
        near = [page for page in pages if abs(page.offset - each.offset) <= MIXED_SECONDS]
        owners = [page for page in near if page.path == each.referer] or (near if not each.referer else [])
        if is_embedded(each.path) and owners:
            owner = min(owners, key=lambda page: abs(page.offset - each.offset))
            made.append(replace(each, offset=max(each.offset, owner.offset + AFTER_PAGE)))
        else:
            made.append(each)
    made.sort(key=lambda each: each.offset)
    return tuple(replace(each, offset=each.offset - made[0].offset) for each in made)


def shorten(requests: Sequence[Request]) -> tuple[Request, ...]:
    """The requests with shorter pauses: what comes at once stays together, a long pause is seconds."""
    made, offset, before = [], 0.0, 0.0
    for each in requests:
        gap = each.offset - before
        before = each.offset
        offset += gap if gap <= KEPT_GAP else min(KEPT_GAP + (gap - KEPT_GAP) * SHORTENED, LONGEST_GAP)
        made.append(replace(each, offset=offset))
    return tuple(made)


def timeline(
    visits: Sequence[Visit], host: str, rate: float, seconds: float, turn: float = 0.0
) -> list[Planned]:
    """Visits so that ``rate`` requests a second come for so long, in the log's order from a share ``turn`` of
    it on. When there are no more, the first ones come again."""
    planned: list[Planned] = []
    number, start = int(turn * len(visits)) % len(visits), -LEAD
    while start < seconds:
        visit = visits[number % len(visits)]
        planned.append(
            Planned(start, host, replace(visit, requests=shorten(with_pages_first(visit.requests))))
        )
        start += len(visit.requests) / rate
        number += 1
    return [each for each in planned if each.start + each.visit.requests[-1].offset >= 0]


def of_site(visits: Iterable[Visit], number: int, shares: Sequence[float]) -> list[Visit]:
    """The visits of one of several sites: each address visits one of them only."""
    total, low = sum(shares), sum(shares[:number])
    span = (low / total, (low + shares[number]) / total)
    return [each for each in visits if span[0] <= zlib.crc32(each.address.encode()) / 2**32 < span[1]]


def calm(scenario: Scenario, visits: Sequence[Visit], seconds: float, turn: float = 0.0) -> list[Planned]:
    """The usual traffic of all sites, the special clients' among it."""
    shares = [site.legit_share for site in scenario.sites]
    planned = []
    for number, site in enumerate(scenario.sites):
        rate = scenario.legit_rate * shares[number] / sum(shares)
        planned += timeline(of_site(visits, number, shares), site.hostname, rate, seconds, turn)
    for spec in scenario.clients:
        planned += special(spec, scenario.hostname(spec.site), seconds)
    return sorted(planned, key=lambda each: each.start)


def special(spec: ClientsSpec, host: str, seconds: float) -> list[Planned]:
    """Programs that ask regularly and never run a page's code. The same ones in training and measurement."""
    agent, path, method = CLIENTS[spec.kind]
    kind = list(CLIENTS).index(spec.kind)
    planned = []
    for number in range(spec.count):
        times = range(int(seconds / spec.every_seconds) + 1)
        requests = tuple(
            Request(
                n * spec.every_seconds,
                method,
                path.replace("{n}", str(n)),
                body="{}" if method == "POST" else "",
            )
            for n in times
        )
        start = spec.every_seconds * number / spec.count
        visit = Visit(0.0, f"198.18.{kind}.{number % 250 + 1}", agent, requests, spec.kind)
        planned.append(Planned(start, host, visit))
    return planned


def crowd(
    spec: CrowdSpec, host: str, usual: float, known: Sequence[Visit], seconds: float, seed: int
) -> list[Planned]:
    """Real browsers that come at once, many of them from networks that the site knows, with what a browser
    fetches for a page. Starts are after the crowd's begin."""
    draw = random.Random(seed)
    browsers = sorted({each.agent for each in known if family_of(each.agent) in BROWSERS})
    networks = sorted({each.address.rpartition(".")[0] for each in known})
    taken = {each.address for each in known}
    extra, size = usual * (spec.times - 1), 1 + len(spec.embedded)
    planned, at = [], 0.0
    while at < seconds:
        risen = min(1.0, at / spec.ramp_seconds) if spec.ramp_seconds else 1.0
        planned.append(Planned(at, host, _of_crowd(spec, draw, browsers, networks, taken)))
        at += draw.expovariate(max(0.05, risen) * extra / size)
    return planned


def _of_crowd(
    spec: CrowdSpec, draw: random.Random, browsers: Sequence[str], networks: Sequence[str], taken: set[str]
) -> Visit:
    address = ""
    while not address or address in taken:
        network = draw.choice(networks)
        if draw.random() >= spec.familiar:  # the same provider, another of its networks
            network = f"{network.rpartition('.')[0]}.{draw.randrange(256)}"
        address = f"{network}.{draw.randrange(1, 255)}"
    taken.add(address)
    page = draw.choice(spec.pages)
    requests = [Request(0.0, "GET", page, draw.choice(spec.referers))]
    requests += [
        Request(0.15 + 0.05 * number, "GET", each, page) for number, each in enumerate(spec.embedded)
    ]
    return Visit(0.0, address, draw.choice(browsers), tuple(requests), "crowd")


def shifted(planned: Iterable[Planned], seconds: float) -> list[Planned]:
    """The same, so much later."""
    return [replace(each, start=each.start + seconds) for each in planned]


def addresses(planned: Iterable[Planned]) -> set[str]:
    """From where the visits of a plan come."""
    return {each.visit.address for each in planned}


def requests(planned: Iterable[Planned], seconds: float) -> list[tuple[float, Planned, Request]]:
    """Every request of a plan within its time, with its moment, in order."""
    found = [
        (each.start + request.offset, each, request)
        for each in planned
        for request in each.visit.requests
        if 0 <= each.start + request.offset < seconds
    ]
    return sorted(found, key=lambda entry: entry[0])
