"""The contestants: a real edge with a fleet of sites, nginx and HAProxy, an origin; each on its core.

What is asked of whom, with which answer, stands in the cases; load and rounds are others' business.
"""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench import armed, peers
from bench.bystanders import origin
from bench.cores import move, on, two_cores
from bench.edge import Edge
from bench.fleet import Fleet, hostnames_of, site_name, write
from bench.load import wrk
from bench.overhead_figures import (
    ARMED,
    BANNED,
    BARE,
    BLOCK_PAGE,
    HAPROXY,
    HOLDFAST,
    LIMIT,
    NGINX,
    PROXIED,
)
from bench.probe import is_refused
from holdfast.edge.settings import LimitSettings
from holdfast.model.enforcement import SiteScope
from tests.feature.lab import enforcement, free_ports, released
from tests.feature.recorded import enforce_request

HOSTNAMES = 100_000
DEFAULTS, RAISED, BLOCKED, LIMITED = (
    f"www.{name}.example.net" for name in ("defaults", "raised", "blocked", "limited")
)
SOURCE = "127.0.0.2"
"""The banned one."""
BAN_SECONDS = 60
"""No ban may last longer; it is renewed in each round."""
WARM_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Case:
    """A contestant: where it is asked for what, with which answer, and the process that answers."""

    group: str
    who: str
    port: int
    host: str
    status: int
    """0: the connection is closed without an answer."""
    worker: int
    lines: tuple[str, ...] = ()
    """Further lines of each request's head."""


@dataclass(frozen=True, slots=True)
class Contest:
    """All contestants, running."""

    edge: Edge
    cases: list[Case]
    limits: str
    """Those of the measured site, in words."""
    page: int
    """Bytes of the block page."""


@contextmanager
def contest() -> Iterator[Contest]:
    ours, theirs = two_cores()
    plain, tls = free_ports(2)
    fleet = Fleet(HOSTNAMES, 0, plain, tls)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        edge = stack.enter_context(Edge(directory))
        write(fleet, directory, edge.settings(threads=1), own_sites(plain))
        with on(theirs):
            stack.enter_context(origin(directory, plain, tls))
        start(edge, fleet)
        agent, worker, haproxy = edge.processes()
        move(haproxy, ours)
        move([agent], theirs)
        stack.enter_context(on(theirs))  # from here on we, and the load that we start
        page = len(body(edge.http, BLOCKED))
        site = {**site_of(plain), "limits": raised(LimitSettings)}
        attacked = stack.enter_context(armed.armed(directory / "armed", fleet, site))
        move(attacked.edge.processes()[2], ours)
        others = {}
        with on(ours):
            for name, peer in ((NGINX, peers.nginx), (HAPROXY, peers.haproxy)):
                others[name] = stack.enter_context(peer(directory / name, plain, SOURCE, page))
        host, limits = measured_site(edge.http)
        cases = [*cases_of(edge.http, worker, host, others), *armed_cases(attacked, others[HAPROXY])]
        workers = worker, attacked.edge.processes()[1]
        yield Contest(edge, cases, limits, page)
        if (edge.processes()[1], attacked.edge.processes()[1]) != workers:
            raise RuntimeError("HAProxy was reloaded meanwhile: what was measured is not one process")


def own_sites(port: int) -> list[dict[str, Any]]:
    """The sites that are asked: one as a new one is, with nothing said of limits; one with the same limits,
    but so high that none refuses; one to be blocked; one with a limit of a request a second."""
    highest = raised(LimitSettings)
    lowest = {**highest, "requests_per_second": 1}
    site = site_of(port)
    return [
        {"name": "own-defaults", "hostnames": [DEFAULTS], **site},
        {"name": "own-raised", "hostnames": [RAISED], "limits": highest, **site},
        {"name": "own-blocked", "hostnames": [BLOCKED], **site},
        {"name": "own-limited", "hostnames": [LIMITED], "limits": lowest, **site},
    ]


def site_of(port: int) -> dict[str, Any]:
    """What all of them say, beside names and limits."""
    return {"customer": "bench", "origins": [{"address": "127.0.0.1", "port": port}]}


def raised(settings: type[BaseModel]) -> dict[str, int]:
    """Every limit that is on without being asked for, at the highest that the settings take: the rules that
    run are the same. Not that of the origins' connections: it makes requests wait, it refuses none."""
    highest = {}
    for name, field in settings.model_fields.items():
        bounds = [each.le for each in field.metadata if hasattr(each, "le")]
        on = type(field.default) is int and field.default > 0
        if on and bounds and name != "origin_connections":
            highest[name] = int(bounds[0])
    return highest


def start(edge: Edge, fleet: Fleet) -> None:
    """Start Holdfast, block the site and ban the source that are to be refused."""
    edge.up()
    edge.wait_served([hostnames_of(site_name(fleet.sites - 1))[-1], DEFAULTS])
    with closing(edge.wait_admin()) as admin:
        admin.ask("enforce", **enforce_request(released(enforcement(SiteScope("own-blocked")))))
    ban(edge)
    assert is_refused(edge.http, DEFAULTS, SOURCE)


def ban(edge: Edge) -> None:
    """Ban the source, or renew that."""
    with closing(edge.wait_admin()) as admin:
        admin.ask("ban", source=SOURCE, seconds=BAN_SECONDS, reason="the benchmark")


def body(port: int, host: str) -> bytes:
    """Of the block page, as a client gets it that says nothing of itself."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        assert answer.status == peers.FORBIDDEN, answer.status
        return answer.read()


def measured_site(port: int) -> tuple[str, str]:
    """The hostname to measure: that of the site with defaults, unless these refuse so much load from a single
    address. And which limits it has, in words."""
    if not wrk(port, DEFAULTS, WARM_SECONDS).failed:
        return DEFAULTS, "a new site's defaults"
    words = ", ".join(f"{name} = {value}" for name, value in raised(LimitSettings).items())
    return RAISED, f"a new site's defaults refuse so much from one address; so the same rules with {words}"


def cases_of(port: int, worker: int, host: str, others: dict[str, peers.Peer]) -> list[Case]:
    statuses = {PROXIED: 200, BLOCK_PAGE: peers.FORBIDDEN, LIMIT: peers.TOO_MANY, BANNED: 0}
    hosts = {PROXIED: host, BLOCK_PAGE: BLOCKED, LIMIT: LIMITED, BANNED: host}
    cases = [Case(group, HOLDFAST, port, hosts[group], statuses[group], worker) for group in hosts]
    for name, peer in others.items():
        ports = {
            PROXIED: peer.ports.proxied,
            BLOCK_PAGE: peer.ports.page,
            LIMIT: peer.ports.limit,
            BANNED: peer.ports.banned,
        }
        for group in hosts:
            status = peers.FORBIDDEN if (group, name) == (BANNED, NGINX) else statuses[group]
            cases.append(Case(group, name, ports[group], host, status, peer.worker))
    nginx = others[NGINX]
    cases.append(Case(LIMIT, BARE, nginx.ports.bare, host, peers.FORBIDDEN, nginx.worker))
    return cases


def armed_cases(attacked: armed.Armed, haproxy: peers.Peer) -> list[Case]:
    """A site under attack, and HAProxy with the same requests."""
    edge, lines = attacked.edge, attacked.lines
    return [
        Case(ARMED, HOLDFAST, edge.http, armed.HOST, 200, edge.processes()[1], lines),
        Case(ARMED, HAPROXY, haproxy.ports.proxied, armed.HOST, 200, haproxy.worker, lines),
    ]
