"""What is measured, running: an edge that challenges everybody at one site and nobody at another, nginx and
HAProxy beside it, an origin; each on its core."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import peers, ruled
from bench.bystanders import origin
from bench.contest import raised
from bench.cores import move, on, two_cores
from bench.edge import Edge
from bench.fleet import Fleet, write
from bench.overhead_figures import HAPROXY, NGINX
from holdfast.edge.settings import LimitSettings
from holdfast.shield.difficulty import LEAST_TRIES, LEVELS
from tests.feature.lab import free_ports

HOSTNAMES: Final = 1_000
CHALLENGED, HARD, CALM = "www.challenged.test", "www.hard.test", "www.calm.test"
"""The first two are challenged: as easily, and as hard, as it gets."""
NAMES: Final = {CHALLENGED: "challenged", HARD: "hard", CALM: "calm"}
HARDEST: Final = LEAST_TRIES << LEVELS
LOAD: Final = 40_000.0
"""Requests/s of the floods here: by it the agent chooses how many are sampled."""
REFUSED_SOURCE: Final = "127.0.0.2"
START_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Ground:
    """All of it."""

    edge: Edge
    key: tuple[str, str]
    """The id and the text of the key that signs."""
    page: int
    """Bytes of the challenge's page."""
    others: dict[str, peers.Peer]
    ours: int
    """The core of the proxies."""
    theirs: int

    @property
    def worker(self) -> int:
        return self.edge.processes()[1]

    def start_agent(self) -> None:
        """One that has died: until the challenge is in force again."""
        with on(self.theirs):
            self.edge.up("bench.ruled")
        self.edge.wait_admin().close()


@contextmanager
def ground() -> Iterator[Ground]:
    ours, theirs = two_cores()
    plain, tls = free_ports(2)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        edge = stack.enter_context(Edge(directory))
        settings = edge.settings(threads=1, shield="act")
        write(Fleet(HOSTNAMES, 0, plain, tls), directory, settings, _sites(plain))
        ruled.write(directory, _rules())
        with on(theirs):
            stack.enter_context(origin(directory, plain, tls))
        edge.up("bench.ruled")
        edge.wait_served([CALM])
        edge.wait_admin().close()  # by then all is in force
        agent, _, haproxy = edge.processes()
        move(haproxy, ours)
        move([agent], theirs)
        stack.enter_context(on(theirs))  # from here on we, and the load that we start
        status, page = fetch(edge.http, CHALLENGED, Accept="text/html")
        assert status == peers.FORBIDDEN, status
        others = {}
        with on(ours):
            for name, peer in ((NGINX, peers.nginx), (HAPROXY, peers.haproxy)):
                others[name] = stack.enter_context(peer(directory / name, plain, REFUSED_SOURCE, len(page)))
        yield Ground(edge, edge.signing_key(), len(page), others, ours, theirs)


def _sites(port: int) -> list[dict[str, Any]]:
    """With a new site's limits, as high as they may be: all load comes from one machine."""
    site = {
        "customer": "bench",
        "limits": raised(LimitSettings),
        "origins": [{"address": "127.0.0.1", "port": port}],
    }
    return [{"name": name, "hostnames": [host], **site} for host, name in NAMES.items()]


def _rules() -> ruled.Rules:
    challenged = [ruled.Rule(NAMES[host]) for host in (CHALLENGED, HARD)]
    return ruled.Rules(challenged, dict.fromkeys(NAMES.values(), LOAD), {NAMES[HARD]: HARDEST})


def fetch(port: int, host: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
    """Status and body of one GET."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)) as connection:
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
