"""Ends what is open under a block: WebSockets and downloads that began before it.

A whole site: everything on its servers. A hostname or a path: the streams that HAProxy has noted for it in
the table ``open`` by their numbers (see ``dataplane.rules.open_rules``); asked for each stream of the site,
HAProxy tells its number. The workers that are leaving after a reload are told too: they still carry their
old connections.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

import structlog

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, EndSession, EndSessions, Places, ShowSession
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError, ask_master
from holdfast.edge.desired import Desired
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from holdfast.model.hostname import covers
from holdfast.model.path import normal_path
from holdfast.model.site import Site

BATCH = 50

log = structlog.get_logger()


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


def noted_under(scope: Scope, table: str, sites: Iterable[Site]) -> set[str]:
    """The numbers of the streams under ``scope``: ``table`` is the answer to ``show table open``, ``sites``
    the touched ones."""
    numbers = set()
    touched = list(sites)
    for row in answers.table(table):
        number, _, address = row.key.partition("|")
        client, is_web, rest = address.partition("|")
        address = rest if is_web and "/" not in client else address
        hostname, slash, path = address.partition("/")
        if row.counters.get("conn_cur", 0) and any(
            any(covers(pattern, hostname) for pattern in site.hostnames)
            and is_under(scope, hostname, slash + path, site)
            for site in touched
        ):
            numbers.add(number)
    return numbers


async def perform(runtime: Runtime, places: Places, commands: Sequence[Command]) -> list[str]:
    """Perform many commands on the current worker; one answer each. Raises RuntimeLostError."""
    told = []
    for texts in _batches(places, commands):
        told += await runtime.change(texts)
    return told


def _batches(places: Places, commands: Sequence[Command]) -> Iterator[list[str]]:
    texts = [each.text(places) for each in commands]
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))


class Ending:
    """The shell: asks the current worker over the Runtime API, and leaving ones over the master."""

    def __init__(self, runtime: Runtime, places: Places, master_socket: str) -> None:
        self._runtime = runtime
        self._places = places
        self._master_socket = master_socket

    async def end(self, scope: Scope, desired: Desired, leaving: Sequence[int]) -> None:
        """End what is open under ``scope`` on every worker."""
        names = held_sites(scope, desired.sites.values())
        sites = {desired.slots[name]: desired.sites[name] for name in names}
        whole = isinstance(scope, CustomerScope | SiteScope)
        for worker in (None, *leaving):
            try:
                if not whole:
                    await self._end_part(scope, sites, worker)
                elif worker is None:
                    await self._end_servers(sites)
                else:
                    await self._end_streams(sites, worker)
            except RuntimeLostError as lost:
                log.warning("a worker could not be told to end what is open", worker=worker, why=str(lost))

    async def _end_servers(self, slots: Iterable[str]) -> None:
        """Of every server that HAProxy has in the slots: it may be one that the site no longer names, but
        that still carries what was begun on it. Asked beside the changes: a slot's few lines are told at
        once there, and would wait for a scan of a big table elsewhere."""
        for slot in sorted(slots):
            (told,) = await self._runtime.change([f"show servers state {slot}\n"])
            await self._perform([EndSessions(*key) for key in sorted(answers.server_states(told, {}))], None)

    async def _end_streams(self, slots: Container[str], worker: int) -> None:
        """One by one: a leaving worker answers "Proxy is disabled" to what ``_end_servers`` asks."""
        streams = answers.streams(await self._scan("show sess", worker))
        await self._perform([EndSession(each.id) for each in streams if each.backend in slots], worker)

    async def _end_part(self, scope: Scope, sites: dict[str, Site], worker: int | None) -> None:
        table = await self._scan("show table open data.conn_cur gt 0", worker)
        numbers = noted_under(scope, table, sites.values())
        if not numbers:
            return
        streams = answers.streams(await self._scan("show sess", worker))
        told = await self._perform(
            [ShowSession(each.id) for each in streams if each.backend in sites], worker
        )
        ids = [stream for stream, number in answers.stream_numbers("".join(told)) if number in numbers]
        await self._perform([EndSession(each) for each in ids], worker)

    async def _scan(self, text: str, worker: int | None) -> str:
        if worker is None:
            return await self._runtime.scan(text)
        return await ask_master(self._master_socket, f"@!{worker} {text}\n")

    async def _perform(self, commands: Sequence[Command], worker: int | None) -> list[str]:
        """Perform many commands; return what was answered, in pieces."""
        if worker is None:
            return await perform(self._runtime, self._places, commands)
        told = []
        for texts in _batches(self._places, commands):
            line = "; ".join(f"@!{worker} {text.strip()}" for text in texts)
            told.append(await ask_master(self._master_socket, f"{line}\n"))
        return told

    async def tell(self, workers: Iterable[int], commands: Sequence[Command]) -> None:
        """Have workers that are leaving perform commands too; what they answer changes nothing."""
        for worker in workers:
            for command in commands:
                try:
                    await ask_master(self._master_socket, f"@!{worker} {command.text(self._places)}")
                except RuntimeLostError as lost:
                    log.warning("a leaving worker could not be told", worker=worker, why=str(lost))
                    break
