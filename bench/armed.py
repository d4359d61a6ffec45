"""An edge of which one site is under attack: signatures in force that match nothing of the load, everybody
challenged, and what a visitor sends who holds a clearance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import ruled
from bench.edge import Edge
from bench.fleet import Fleet, write
from bench.ruled import Rule, Rules
from tests.feature.clearances import cookie, token

NAME: Final = "own-armed"
HOST: Final = "www.armed.example.net"
RATE: Final = 40_000.0
"""Requests/s of the load: by it the agent would choose how many are sampled."""
SIGNATURES: Final = (
    Rule(NAME, "deny", ("method", "path", "agent"), ("GET", "1", "2")),
    Rule(NAME, "deny", ("agent", "names"), ("3", "4")),
    Rule(NAME, "deny", ("path", "presence"), ("5", "01111")),
    Rule(NAME, "deny", ("agent",), ("6",)),
    Rule(NAME, "deny", ("query",), ("7",)),
)
"""Of five templates; hashes are long numbers, none of which is as short as these."""
BROWSER: Final = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
)


@dataclass(frozen=True, slots=True)
class Armed:
    """The edge, running, and the lines of each request's head."""

    edge: Edge
    lines: tuple[str, ...]


@contextmanager
def armed(directory: Path, fleet: Fleet, site: dict[str, Any]) -> Iterator[Armed]:
    """``site``: what its document says beside name and hostname."""
    directory.mkdir()
    with Edge(directory) as edge:
        own = {"name": NAME, "hostnames": [HOST], **site}
        write(fleet, directory, edge.settings(threads=1, shield="act"), [own])
        ruled.write(directory, Rules([*SIGNATURES, Rule(NAME)], {NAME: RATE}, {}))
        edge.up("bench.ruled")
        edge.wait_admin().close()  # by then all is in force
        shown = cookie(token(edge.signing_key(), HOST, number="bench", seconds=3600, how="proof"))
        yield Armed(edge, (*BROWSER, shown))
