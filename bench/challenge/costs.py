"""What each answer of the challenge costs: every case in rounds, all in turn, the proxy's processor time over
the answers that it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from bench import usage
from bench.challenge import figures, proofs
from bench.challenge.crowd import FIRST, Crowd, Request
from bench.challenge.figures import Cost
from bench.challenge.ground import CALM, CHALLENGED, Ground
from bench.load import wrk
from bench.overhead_figures import HAPROXY, HOLDFAST, NGINX, turns
from holdfast.edge.dataplane.challenge_page import ASK, WAIT
from holdfast.edge.dataplane.rules.shield import CEILING

CLIENTS: Final = 512
"""So many that none of them meets the ceiling: they would need a hundred requests a second each."""
SOLUTIONS: Final = 2_000
ONE_CLIENT: Final = IPv4Address("127.70.0.1")
"""The one beyond the ceiling."""
HTML: Final = "Accept: text/html"
PAGE_ENDS: Final = b"</html>\n"
ORIGIN_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who is asked for something."""

    name: str
    who: str
    port: int
    worker: int
    request: Request
    clients: int = CLIENTS
    apart: int = 256
    first: IPv4Address = FIRST
    is_tool: bool = False
    """Under wrk instead of the crowd."""
    is_main: bool = False
    """Measured in each round; the others in some of them."""


def get(host: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def passed(text: bytes) -> Request:
    """What the origin answers."""
    return Request([text], 200, b"x", ORIGIN_BYTES)


def cases_of(ground: Ground) -> list[Case]:
    """All of them. A peer's page is as long as Holdfast's; everybody is sent the same bytes."""
    edge, worker, key = ground.edge, ground.worker, ground.key
    nginx, haproxy = ground.others[NGINX], ground.others[HAPROXY]
    html = [get(CHALLENGED, "/", HTML)]

    def ours(name: str, texts: Sequence[bytes], status: int, ending: bytes, is_main: bool = False) -> Case:
        return Case(name, HOLDFAST, edge.http, worker, Request(texts, status, ending), is_main=is_main)

    bare = Request(html, 403, b"</html>\r\n")
    bare_too = Request(html, 403, PAGE_ENDS)
    same_size = Request(html, 403, b"x", ground.page)
    calm, cleared = get(CALM, "/", HTML), get(CHALLENGED, "/", HTML, proofs.clearance(key, CHALLENGED))
    right = [get(CHALLENGED, path) for path in proofs.solutions(key, CHALLENGED, SOLUTIONS)]
    wrong = [get(CHALLENGED, path) for path in proofs.junk(key, CHALLENGED, SOLUTIONS)]
    return [
        ours(figures.PAGE, html, 403, PAGE_ENDS, is_main=True),
        Case(figures.BARE, NGINX, nginx.ports.bare, nginx.worker, bare, is_main=True),
        Case(figures.SAME_SIZE, NGINX, nginx.ports.page, nginx.worker, same_size, is_main=True),
        Case(figures.BARE, HAPROXY, haproxy.ports.bare, haproxy.worker, bare_too, is_main=True),
        Case(figures.SAME_SIZE, HAPROXY, haproxy.ports.page, haproxy.worker, same_size, is_main=True),
        Case(figures.BARE_TOOL, NGINX, nginx.ports.bare, nginx.worker, bare, is_tool=True),
        ours(figures.DOCUMENT, [get(CHALLENGED, "/", "Accept: */*")], 403, b"}\n"),
        ours(figures.FORGED, [get(CHALLENGED, "/", HTML, proofs.forgery(key, CHALLENGED))], 403, PAGE_ENDS),
        ours(figures.ISSUED, [get(CHALLENGED, ASK)], 200, b"}\n", is_main=True),
        ours(figures.LINK, [get(CHALLENGED, WAIT, HTML)], 403, PAGE_ENDS),
        replace(
            ours(figures.CEILING, [get(CHALLENGED, ASK)], 429, b"}\n"),
            clients=64,
            apart=0,
            first=ONE_CLIENT,
        ),
        ours(figures.SOLVED, right, 204, b"\r\n\r\n", is_main=True),
        ours(figures.JUNK, wrong, 403, b"}\n"),
        Case(figures.CLEARED, HOLDFAST, edge.http, worker, passed(cleared)),
        Case(figures.CALM, HOLDFAST, edge.http, worker, passed(calm)),
        Case(figures.PROXIED, HAPROXY, haproxy.ports.proxied, haproxy.worker, passed(calm)),
    ]


def measure(
    ground: Ground, rounds: int, others_every: int, seconds: float, say: Callable[[str], None]
) -> list[Cost]:
    """All cases, after a moment to warm each up. The order changes from round to round."""
    cases = cases_of(ground)
    for case in cases:
        cost(case, 0, seconds / 2)
    costs = []
    for number in range(rounds):
        several = [case for case in cases if case.is_main or number % others_every == 0]
        costs += [cost(case, number, seconds) for case in turns(several, number)]
        done = {(each.name, each.who): each.micros for each in costs if each.round == number}
        page, bare = done[figures.PAGE, HOLDFAST], done[figures.BARE, NGINX]
        say(f"round {number + 1} of {rounds}: CPU-µs: the page {page:.1f}, nginx's 403 {bare:.1f}")
    return costs


def cost(case: Case, number: int, seconds: float) -> Cost:
    """One case for a moment. Raises RuntimeError where the answers are not those expected."""
    if case.is_tool:
        before = usage.threads(case.worker)
        seen = wrk(case.port, CHALLENGED, seconds)
        after = usage.threads(case.worker)
        return figures.cost(case.name, case.who, number, seen.requests, seen.seconds, before, after)
    with Crowd(case.port, case.clients, case.first, case.apart) as crowd:
        asked = 0
        while case.name == figures.CEILING and asked < 2 * CEILING:
            asked += crowd.ask(case.request, seconds / 2).count  # the first of them are answered otherwise
        before = usage.threads(case.worker)
        given = crowd.ask(case.request, seconds)
        after = usage.threads(case.worker)
    # Beyond the ceiling a client gets its five hundred in ten seconds, and those are few beside the others.
    few = given.count // 100 if case.name == figures.CEILING else 0
    if given.wrong > few or not given.count:
        said = given.example[:300].decode("latin-1")
        raise RuntimeError(f"{case.who}, {case.name}: {given.wrong} of {given.count} otherwise; {said}")
    return figures.cost(case.name, case.who, number, given.count, given.seconds, before, after)
