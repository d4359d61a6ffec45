"""Ends what is open under a block: WebSockets and downloads that began before it.

A whole site: everything on its servers. A hostname or a path: the streams that HAProxy has noted in the
table ``open`` (see ``dataplane.rules.origin_rules``) for it; they are found by the client's address and
port. The workers that are leaving after a reload are told too: they still carry their old connections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, EndSession, EndSessions, Places
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError, ask_master
from holdfast.edge.desired import SITE, Desired
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from holdfast.model.hostname import covers
from holdfast.model.path import normal_path
from holdfast.model.site import Site

BATCH = 50

log = structlog.get_logger()

Ask = Callable[[str], Awaitable[str]]


def held_sites(scope: Scope, sites: Iterable[Site]) -> list[str]:
    """The names of the sites that ``scope`` touches, wholly or in part."""
    match scope:
        case CustomerScope(customer):
            return [site.name for site in sites if site.customer == customer]
        case SiteScope(name) | PathScope(name, _):
            return [site.name for site in sites if site.name == name]
        case HostScope(hostname):
            return [
                site.name for site in sites if any(covers(pattern, hostname) for pattern in site.hostnames)
            ]


def is_under(scope: Scope, hostname: str, path: str, site: Site) -> bool:
    """Whether what a client has open at ``hostname`` and ``path`` of ``site`` is under ``scope``."""
    match scope:
        case CustomerScope(customer):
            return site.customer == customer
        case SiteScope(name):
            return site.name == name
        case HostScope(blocked):
            return hostname == blocked
        case PathScope(name, prefix):
            return site.name == name and normal_path(path).startswith(prefix)


def open_under(scope: Scope, table: str, streams: str, sites: dict[str, Site]) -> list[EndSession]:
    """The streams to end: ``table`` is the answer to ``show table open``, ``streams`` to ``show sess``;
    ``sites`` are the touched ones by slot."""
    sources: set[tuple[str, str]] = set()
    for row in answers.table(table):
        source, _, address = row.key.partition("|")
        hostname, slash, path = address.partition("/")
        if row.counters.get("conn_cur", 0):
            sources |= {
                (source, slot)
                for slot, site in sites.items()
                if is_under(scope, hostname, slash + path, site)
            }
    return [
        EndSession(stream.id)
        for stream in answers.streams(streams)
        if (stream.source, stream.backend) in sources
    ]


class Ending:
    """The shell: asks the current worker over the Runtime API, and leaving ones over the master."""

    def __init__(self, runtime: Runtime, places: Places, master_socket: str) -> None:
        self._runtime = runtime
        self._places = places
        self._master_socket = master_socket

    async def end(self, scope: Scope, desired: Desired, leaving: Sequence[int]) -> None:
        """End what is open under ``scope`` on every worker."""
        names = held_sites(scope, desired.sites.values())
        whole = isinstance(scope, CustomerScope | SiteScope)
        for worker in (None, *leaving):
            try:
                if whole:
                    await self._end_whole(names, desired, worker)
                else:
                    await self._end_part(scope, names, desired, worker)
            except RuntimeLostError as lost:
                log.warning("a worker could not be told to end what is open", worker=worker, why=str(lost))

    async def _end_whole(self, names: Iterable[str], desired: Desired, worker: int | None) -> None:
        servers = sorted(key for name in names for key in desired.facts((SITE, name)).servers)
        await self._perform([EndSessions(*key) for key in servers], worker)

    async def _end_part(
        self, scope: Scope, names: Iterable[str], desired: Desired, worker: int | None
    ) -> None:
        sites = {desired.slots[name]: desired.sites[name] for name in names}
        table = await self._scan("show table open data.conn_cur gt 0", worker)
        streams = await self._scan("show sess", worker)
        await self._perform(open_under(scope, table, streams, sites), worker)

    async def _scan(self, text: str, worker: int | None) -> str:
        if worker is None:
            return await self._runtime.scan(text)
        return await ask_master(self._master_socket, f"@!{worker} {text}\n")

    async def _perform(self, commands: Sequence[Command], worker: int | None) -> None:
        if worker is not None:
            await self.tell([worker], commands)
            return
        for start in range(0, len(commands), BATCH):
            await self._runtime.change([each.text(self._places) for each in commands[start : start + BATCH]])

    async def tell(self, workers: Iterable[int], commands: Sequence[Command]) -> None:
        """Have workers that are leaving perform commands too; what they answer changes nothing."""
        for worker in workers:
            for command in commands:
                try:
                    await ask_master(self._master_socket, f"@!{worker} {command.text(self._places)}")
                except RuntimeLostError as lost:
                    log.warning("a leaving worker could not be told", worker=worker, why=str(lost))
                    break
