"""What an operator sees: each site with its traffic, what was refused, and the state of its origins.

The counters are HAProxy's own (the table ``sites`` and the servers' statistics), read on the scan
connection; ``rows`` turns the answers into rows and does no I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from typing import TypeVar

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.rules import BLOCKED, LIMITED
from holdfast.edge.desired import Desired
from holdfast.model.enforcement import SiteScope

T = TypeVar("T")

RATE_SECONDS = 10
"""HAProxy's rates are counted over this window."""
SLICE = 200
"""Sites that are looked at in one go, in a millisecond or two: changes must not wait for a status."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site. Totals count since HAProxy's start, or since a day without a request."""

    name: str
    service: str
    hostnames: int
    requests_per_second: float
    requests: int
    blocked: int
    limited: int
    errors: int
    connections: int
    bytes_out: int
    origins_up: int
    origins: int
    block: str
    """The id of a block in force on the whole site, or ''."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The edge at one moment."""

    sites: list[SiteRow]
    haproxy: dict[str, str]
    """``show info``: HAProxy's own figures."""
    epoch: int
    trouble: str
    """Why HAProxy may not hold what it should; '' when it does."""
    starts: int
    reloads: int
    leaving: int
    """Workers that still finish connections from before a reload."""
    blocks: int
    bans: int
    commands: int
    refused: int

    def as_json(self) -> dict[str, object]:
        """As ``dataclasses.asdict`` has it, which takes a quarter of a second for ten thousand sites."""
        columns = [field.name for field in fields(SiteRow)]
        whole = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**whole, "sites": [{name: getattr(row, name) for name in columns} for row in self.sites]}


async def take_snapshot(edge: Edge) -> Snapshot:
    """Ask HAProxy and the agent. Raises RuntimeLostError when HAProxy does not answer."""
    table = await edge.runtime.scan("show table sites")
    servers = await edge.runtime.scan("show stat -1 4 -1")
    info = await edge.runtime.scan("show info")
    counters = dict(await unhurried((row.key, row.counters) for row in answers.table(table)))
    origins = dict(await unhurried(origins_of_slots(servers)))
    counts = edge.reconciler.counts
    return Snapshot(
        sites=await unhurried(rows(edge.desired, counters, origins)),
        haproxy=dict(line.split(": ", 1) for line in info.splitlines() if ": " in line),
        epoch=edge.reconciler.epoch,
        trouble=edge.reconciler.trouble,
        starts=edge.starts,
        reloads=edge.reloads,
        leaving=len(edge.processes.leaving),
        blocks=len(edge.desired.enforcements),
        bans=len(edge.desired.bans),
        commands=counts["commands"],
        refused=counts["refused"],
    )


async def unhurried(items: Iterable[T]) -> list[T]:
    """All ``items``; everything else in the agent goes on in between."""
    taken = []
    for item in items:
        taken.append(item)
        if len(taken) % SLICE == 0:
            await asyncio.sleep(0)
    return taken


def origins_of_slots(servers: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """The answer to ``show stat -1 4 -1`` → (slot, (servers that are up, sessions)), slot by slot."""
    names, *lines = servers.lstrip("# \n").splitlines()
    columns = names.split(",")
    at = [columns.index(name) for name in ("pxname", "status", "scur")]
    # A line has a hundred columns and the last one wanted is among the first twenty.
    rows = (line.split(",", max(at) + 1) for line in lines if line)
    for slot, in_slot in groupby(([row[place] for place in at] for row in rows), key=lambda row: row[0]):
        states = [(status, sessions) for _, status, sessions in in_slot]
        up = sum(status.startswith(("UP", "no check")) for status, _ in states)
        yield slot, (up, sum(int(sessions or 0) for _, sessions in states))


def rows(
    desired: Desired, counters: dict[str, dict[str, int]], origins: dict[str, tuple[int, int]]
) -> Iterator[SiteRow]:
    """A row for each site, by name. ``counters`` are those of the table ``sites`` by site id, ``origins``
    what ``origins_of_slots`` found. A site that is removed meanwhile is left out."""
    blocks = _site_blocks(desired)
    for name in sorted(desired.sites):
        site = desired.sites.get(name)
        if site is None:
            continue
        seen = counters.get(str(desired.ids[name]), {})
        up, sessions = origins.get(desired.slots[name], (0, 0))
        yield SiteRow(
            name=name,
            service=site.service.value,
            hostnames=len(site.hostnames),
            requests_per_second=seen.get("http_req_rate", 0) / RATE_SECONDS,
            requests=seen.get("http_req_cnt", 0),
            blocked=seen.get(f"gpc{BLOCKED}", 0),
            limited=seen.get(f"gpc{LIMITED}", 0),
            errors=seen.get("http_err_cnt", 0),
            connections=sessions,
            bytes_out=seen.get("bytes_out_cnt", 0),
            origins_up=min(up, len(site.origins)),
            origins=len(site.origins),
            block=blocks.get(name, ""),
        )


def _site_blocks(desired: Desired) -> dict[str, str]:
    """Site → the id of the block of the whole of it that visitors see: the one that lasts longest."""
    lasting = sorted(desired.enforcements.values(), key=lambda each: (each.until, each.id))
    return {each.scope.site: each.id for each in lasting if isinstance(each.scope, SiteScope)}


def as_table(snapshot: Snapshot) -> str:
    """The snapshot as text for a terminal."""
    head = ("SITE", "SERVICE", "HOSTS", "REQ/S", "REQUESTS", "BLOCKED", "LIMITED", "OPEN", "ORIGINS", "STATE")
    lines = [head]
    for row in snapshot.sites:
        origins = f"{row.origins_up}/{row.origins} up"
        state = f"blocked ({row.block})" if row.block else "served" if row.origins_up else "origin down"
        lines.append(
            (
                row.name,
                row.service,
                str(row.hostnames),
                f"{row.requests_per_second:.1f}",
                str(row.requests),
                str(row.blocked),
                str(row.limited),
                str(row.connections),
                origins,
                state,
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(
            cell.rjust(width) if 2 <= column <= 7 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    figures = snapshot.haproxy
    text += [
        "",
        f"HAProxy {figures.get('Version', '?')} · up {figures.get('Uptime', '?')} · "
        f"{figures.get('CurrConns', '?')} of {figures.get('Maxconn', '?')} connections · "
        f"epoch {snapshot.epoch} · {snapshot.reloads} reloads · {snapshot.blocks} blocks"
        f" · {snapshot.bans} bans",
    ]
    if snapshot.trouble:
        text.append(f"Not yet as it should be: {snapshot.trouble}")
    return "\n".join(text)
