"""What an operator sees: each site with its traffic, what was refused, and the state of its origins.

The counters are HAProxy's own (the table ``sites`` and the servers' statistics), read on the scan
connection; ``snapshot`` turns the answers into rows and does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules import BLOCKED, LIMITED
from holdfast.edge.desired import Desired

RATE_SECONDS = 10
"""HAProxy's rates are counted over this window."""


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
        return asdict(self)


async def take_snapshot(edge: Edge) -> Snapshot:
    """Ask HAProxy and the agent. Raises RuntimeLostError when HAProxy does not answer."""
    table = await edge.runtime.scan("show table sites")
    servers = await edge.runtime.scan("show stat -1 4 -1")
    info = await edge.runtime.scan("show info")
    counts = edge.reconciler.counts
    return Snapshot(
        sites=rows(edge.desired, table, servers),
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


def rows(desired: Desired, table: str, servers: str) -> list[SiteRow]:
    """A row for each site, by name. ``table`` is the answer to ``show table sites``, ``servers`` to
    ``show stat -1 4 -1``."""
    counters = {row.key: row.counters for row in answers.table(table)}
    up: dict[str, int] = defaultdict(int)
    sessions: dict[str, int] = defaultdict(int)
    for server in answers.statistics(servers):
        up[server["pxname"]] += server["status"].startswith(("UP", "no check"))
        sessions[server["pxname"]] += int(server["scur"] or 0)
    result = []
    for name, site in sorted(desired.sites.items()):
        sid, slot = str(desired.ids[name]), desired.slots[name]
        seen = defaultdict(int, counters.get(sid, {}))
        facts = desired.facts(("block", f"site {name}"))
        block = next((value for key, value in facts.maps.items() if key[0] == Maps.BLOCK_SITES), "")
        result.append(
            SiteRow(
                name=name,
                service=site.service.value,
                hostnames=len(site.hostnames),
                requests_per_second=seen["http_req_rate"] / RATE_SECONDS,
                requests=seen["http_req_cnt"],
                blocked=seen[f"gpc{BLOCKED}"],
                limited=seen[f"gpc{LIMITED}"],
                errors=seen["http_err_cnt"],
                connections=sessions[slot],
                bytes_out=seen["bytes_out_cnt"],
                origins_up=min(up[slot], len(site.origins)),
                origins=len(site.origins),
                block=block.rpartition(".")[0],
            )
        )
    return result


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
