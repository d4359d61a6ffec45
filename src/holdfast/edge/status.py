"""What an operator sees: each site with its traffic, what was refused, and the state of its origins.

The counters are HAProxy's own (the table ``sites`` and the servers' statistics), read on the scan
connection; ``rows`` turns the answers into rows and does no I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import groupby
from typing import TypeVar

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.limits import slots_of
from holdfast.edge.dataplane.reasons import LIMITS, QUEUED, WATCHED, Reason, Refusal, Verdict
from holdfast.edge.dataplane.rules.gateway import NO_SITE
from holdfast.edge.desired import Desired
from holdfast.edge.traffic.guard import Guard
from holdfast.model.enforcement import SiteScope
from holdfast.model.site import Service
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase

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
    refused: dict[str, int]
    """By ``Reason``, lower case; only what is not 0."""
    watched: dict[str, int]
    """What would have been refused, if the site did not only watch."""
    waited: int
    """Requests that came while all slots were taken."""
    waiting: int
    """Those that wait now."""
    ended: int
    """Requests that held a slot too slowly while others waited."""
    errors: int
    connections: int
    bytes_out: int
    origins_up: int
    origins: int
    block: str
    """The id of a block in force on the whole site, or ''."""
    phase: str
    """Of the shield: calm, suspect, attack or easing; '' for a site whose requests are not seen."""
    attack: str
    """The id of the attack that goes on, or ''."""
    switched: bool
    """Whether its owner's switch 'under attack' is on."""
    shield: dict[str, int]
    """What the shield did with requests: observed, challenged, denied, dropped, and cleared (clearances
    given); only what is not 0."""

    @property
    def blocked(self) -> int:
        return self.refused.get(_name(Reason.BLOCKED), 0)

    @property
    def limited(self) -> int:
        """Refused for any limit."""
        return sum(self.refused.get(_name(reason), 0) for reason in LIMITS)


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
    withheld: int
    """Blocks that are stored and not in force: their proof fails."""
    bans: int
    commands: int
    refused: int
    refused_connections: dict[str, int]
    """By ``Refusal``, lower case. Counted without a lock: two at the same moment may be one."""
    watched_connections: dict[str, int]
    unknown_hosts: int
    """Requests for hosts that no site has."""
    malformed: int
    """Requests that HAProxy could not or would not read."""
    mitigations: int
    samples: dict[str, int]
    """Read, malformed, dropped (more than the agent takes), and of unknown hosts; since the agent's start."""
    slowest_tick: float
    """Seconds that the shield's slowest look at all sites has taken since the agent's start."""

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
    fronts = list(answers.statistics(await edge.runtime.scan("show stat -1 1 -1")))
    totals = {
        name: answers.variable(await edge.runtime.scan(f"get var {name}"))
        for each in Refusal
        for name in (each.counter, each.watched)
    }
    counters = dict(await unhurried((row.key, row.counters) for row in answers.table(table)))
    origins = dict(await unhurried(origins_of_slots(servers)))
    counts = edge.reconciler.counts
    return Snapshot(
        sites=await unhurried(
            rows(
                edge.desired,
                counters,
                origins,
                edge.relief.ended,
                edge.guard.brains,
                edge.guard.switched,
            )
        ),
        haproxy=dict(line.split(": ", 1) for line in info.splitlines() if ": " in line),
        epoch=edge.reconciler.epoch,
        trouble=edge.reconciler.trouble,
        starts=edge.starts,
        reloads=edge.reloads,
        leaving=len(edge.processes.leaving),
        blocks=len(edge.desired.enforcements),
        withheld=len(edge.releases.withheld),
        bans=len(edge.desired.bans),
        commands=counts["commands"],
        refused=counts["refused"],
        refused_connections={_name(each): totals[each.counter] for each in Refusal},
        watched_connections={
            _name(each): totals[each.watched] for each in Refusal if each is not Refusal.BANNED
        },
        unknown_hosts=counters.get(NO_SITE, {}).get("http_req_cnt", 0),
        malformed=sum(int(row["ereq"] or 0) for row in fronts),
        mitigations=sum(map(len, edge.desired.shielded.mitigations.values())),
        samples=_samples(edge.guard),
        slowest_tick=edge.guard.slowest_tick,
    )


def _samples(guard: Guard) -> dict[str, int]:
    counts = guard.samples
    read = {what: counts[what] for what in ("read", "malformed", "dropped")}
    return {**read, "unknown_host": guard.unknown_hosts}


def _name(reason: Reason | Refusal | Verdict) -> str:
    return "cleared" if reason is Verdict.EARNED else reason.name.lower()


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
    desired: Desired,
    counters: Mapping[str, Mapping[str, int]],
    origins: Mapping[str, tuple[int, int]],
    ended: Mapping[str, int],
    brains: Mapping[str, SiteBrain],
    switched: Collection[str],
) -> Iterator[SiteRow]:
    """A row for each site, by name. ``counters`` are those of the table ``sites`` by site id, ``origins``
    what ``origins_of_slots`` found, ``ended`` how many of a site's requests were ended for being slow,
    ``brains`` those that there are (a site without requests has none), ``switched`` the sites that are
    switched to 'under attack' at run time. A site that is removed meanwhile is left out."""
    blocks = _site_blocks(desired)
    for name in sorted(desired.sites):
        site = desired.sites.get(name)
        if site is None:
            continue
        seen = counters.get(str(desired.ids[name]), {})
        up, sessions = origins.get(desired.slots[name], (0, 0))
        brain = brains.get(name)
        phase = brain.phase if brain else Phase.CALM
        yield SiteRow(
            name=name,
            service=site.service.value,
            hostnames=len(site.hostnames),
            requests_per_second=seen.get("http_req_rate", 0) / RATE_SECONDS,
            requests=seen.get("http_req_cnt", 0),
            refused=_counted(seen, Reason, 0),
            watched=_counted(seen, LIMITS, WATCHED),
            waited=seen.get(f"gpc{QUEUED}", 0),
            waiting=max(0, seen.get("conn_cur", 0) - slots_of(site)),
            ended=ended.get(name, 0),
            errors=seen.get("http_err_cnt", 0),
            connections=sessions,
            bytes_out=seen.get("bytes_out_cnt", 0),
            origins_up=min(up, len(site.origins)),
            origins=len(site.origins),
            block=blocks.get(name, ""),
            phase=phase.name.lower() if site.service is Service.WEB else "",
            attack=brain.attack.id if brain and brain.attack else "",
            switched=site.under_attack or name in switched,
            shield=_counted(seen, Verdict, 0),
        )


def _counted(seen: Mapping[str, int], reasons: Iterable[Reason | Verdict], offset: int) -> dict[str, int]:
    counts = {_name(reason): seen.get(f"gpc{offset + reason}", 0) for reason in reasons}
    return {name: count for name, count in counts.items() if count}


def _site_blocks(desired: Desired) -> dict[str, str]:
    """Site → the id of the block of the whole of it that visitors see: the one that lasts longest."""
    lasting = sorted(desired.enforcements.values(), key=lambda each: (each.until, each.id))
    return {each.scope.site: each.id for each in lasting if isinstance(each.scope, SiteScope)}


HEAD = (
    *("SITE", "SERVICE", "HOSTS", "REQ/S", "REQUESTS", "BLOCKED", "LIMITED", "WAITED", "ENDED", "OPEN"),
    *("ORIGINS", "PHASE", "STATE"),
)
NUMBERS = range(2, 10)


def as_table(snapshot: Snapshot) -> str:
    """The snapshot as text for a terminal."""
    lines = [HEAD, *map(_cells, snapshot.sites)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "  ".join(
            cell.rjust(width) if column in NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    reasons = [line for row in snapshot.sites for line in _reasons(row)]
    if reasons:
        text += ["", "Requests refused, by site and reason:", *reasons]
    touched = [f"  {row.name}: {_words(row.shield)}" for row in snapshot.sites if row.shield]
    if touched:
        text += ["", "Requests that the shield has touched, by site:", *touched]
    attacked = [line for row in snapshot.sites for line in _attacked(row)]
    if attacked:
        text += ["", *attacked]
    text += ["", *_edge_lines(snapshot)]
    if snapshot.withheld:
        text.append(f"Blocks recorded here and NOT IN FORCE: {snapshot.withheld}; 'holdfast blocks' says why")
    if snapshot.trouble:
        text.append(f"Not yet as it should be: {snapshot.trouble}")
    return "\n".join(text)


def _cells(row: SiteRow) -> tuple[str, ...]:
    state = f"blocked ({row.block})" if row.block else "served" if row.origins_up else "origin down"
    if row.waiting:
        state += f", {row.waiting} waiting"
    return (
        row.name,
        row.service,
        str(row.hostnames),
        f"{row.requests_per_second:.1f}",
        *map(str, (row.requests, row.blocked, row.limited, row.waited, row.ended, row.connections)),
        f"{row.origins_up}/{row.origins} up",
        row.phase or "—",
        state,
    )


def _reasons(row: SiteRow) -> Iterator[str]:
    if row.refused:
        yield f"  {row.name}: {_words(row.refused)}"
    if row.watched:
        yield f"  {row.name}: {_words(row.watched)} would have been (it only watches)"


def _attacked(row: SiteRow) -> Iterator[str]:
    if row.attack:
        yield f"Under attack: {row.name} ({row.attack}); see 'holdfast attacks' and 'holdfast mitigations'"
    if row.switched:
        yield f"Switched to 'under attack' by its owner: {row.name}"


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "none"


def _edge_lines(snapshot: Snapshot) -> list[str]:
    figures = snapshot.haproxy
    lines = [
        f"HAProxy {figures.get('Version', '?')} · up {figures.get('Uptime', '?')} · "
        f"{figures.get('CurrConns', '?')} of {figures.get('Maxconn', '?')} connections · "
        f"epoch {snapshot.epoch} · {snapshot.reloads} reloads · {snapshot.blocks} blocks"
        f" · {snapshot.bans} bans",
        f"Connections refused: {_words(snapshot.refused_connections)}"
        f" · requests for unknown hosts: {snapshot.unknown_hosts} · malformed: {snapshot.malformed}",
    ]
    lines.append(
        f"Samples: {_words(snapshot.samples)} · mitigations in force: {snapshot.mitigations}"
        f" · the shield's slowest look: {1000 * snapshot.slowest_tick:.0f} ms"
    )
    if any(snapshot.watched_connections.values()):
        lines.append(f"Connections that would have been refused: {_words(snapshot.watched_connections)}")
    return lines
