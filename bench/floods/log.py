"""Whole visits, read from a log in Apache's combined format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

GAP = 1800.0
"""A visitor that is silent for longer has left."""
LINE = re.compile(r'(\S+) \S+ \S+ \[([^\]]+)\] "([A-Z]+) (\S+) HTTP/(1\.[01])" \d+ \S+ "([^"]*)" "([^"]*)"')
OWN = re.compile(r"^https?://(?:www\.)?semicomplete\.com(?=/|$)")
"""The site's own name in the log's referers. It stands for whichever site the visits are replayed on."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a visit."""

    offset: float
    """Seconds after the visit's begin."""
    method: str
    path: str
    referer: str = ""
    """As the log has it; begins with ``/`` where it was a page of the same site; empty: none."""
    version: str = "1.1"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visitor (address and agent) does without a long pause."""

    at: float
    """When it began, in seconds of unix time."""
    address: str
    agent: str
    """Empty: sends none."""
    requests: tuple[Request, ...]
    group: str = "visitor"
    """Of whom the figures are told apart: ``visitor``, ``crowd``, ``api``, ``feed``, ``git``."""


def data_directory() -> Path:
    """Where the real data lies: ``HOLDFAST_DATA``."""
    default = Path(__file__).parents[3] / "shared" / "data"
    return Path(os.environ.get("HOLDFAST_DATA") or default)


def read_visits(path: Path) -> list[Visit]:
    """The visits of a log file, in the order in which they began."""
    with path.open(errors="replace") as lines:
        return parse_visits(lines)


def parse_visits(lines: Iterable[str]) -> list[Visit]:
    """The visits of a log's lines. Lines that are no request are left out."""
    entries = []
    for line in lines:
        if found := LINE.match(line):
            address, moment, method, path, version, referer, agent = found.groups()
            at = datetime.strptime(moment, "%d/%b/%Y:%H:%M:%S %z").timestamp()
            if path.startswith("/") and path.isascii():
                entries.append((at, address, agent, method, path, referer, version))
    entries.sort(key=lambda entry: entry[0])
    visits: list[tuple[str, str, list[tuple[float, Request]]]] = []
    latest: dict[tuple[str, str], list[tuple[float, Request]]] = {}
    for at, address, agent, method, path, referer, version in entries:
        who = (address, agent)
        if who not in latest or at - latest[who][-1][0] >= GAP:
            latest[who] = []
            visits.append((address, agent, latest[who]))
        offset = at - latest[who][0][0] if latest[who] else 0.0
        latest[who].append((at, Request(offset, method, path, _referer(referer), version)))
    return [
        Visit(found[0][0], address, "" if agent == "-" else agent, tuple(each for _, each in found))
        for address, agent, found in visits
    ]


def halves(visits: Sequence[Visit]) -> tuple[list[Visit], list[Visit]]:
    """Those that began in the first half of the log's time, to learn from; the others, to measure with."""
    middle = (visits[0].at + visits[-1].at) / 2
    return [each for each in visits if each.at < middle], [each for each in visits if each.at >= middle]


def _referer(text: str) -> str:
    if text == "-" or not text.isascii():
        return ""
    own = OWN.sub("", text)
    return text if own == text else own or "/"
