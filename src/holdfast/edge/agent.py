"""The agent: keeps one HAProxy equal to the desired state, for as long as either of them lives.

Here belong the order of a start, an adoption and a reload, and the entry points for changes. Not here:
what HAProxy should hold (``desired``, ``dataplane``), the writing (``reconcile``), how people ask
(``admin``). The agent may die at any moment: HAProxy carries on with the last state, and the next agent
adopts it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import structlog

from holdfast.edge.configuration import Configuration, Mistakes, build_site, read_configuration
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, Places
from holdfast.edge.dataplane.disk import Disk, default_root, prepare
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.process import Master, alive
from holdfast.edge.dataplane.render import Frame, files
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.dataplane.slots import SlotPool, capacity
from holdfast.edge.desired import Desired, Unit, unit_of
from holdfast.edge.ending import Ending
from holdfast.edge.listen import check_free
from holdfast.edge.machine import account, descriptors, haproxy_binary, haproxy_version, traffic_threads
from holdfast.edge.read import read_meta
from holdfast.edge.reconcile import Reconciler
from holdfast.edge.settings import SiteSettings
from holdfast.edge.store import Store
from holdfast.model.ban import Ban, parse_network
from holdfast.model.enforcement import Enforcement
from holdfast.model.errors import HoldfastError, error
from holdfast.model.site import Network, Service, Site

WATCH_SECONDS = 0.25
QUIET_SECONDS = 1.0
LONGEST_STALE_SECONDS = 30.0
"""The files for the next start are rewritten after a silence, or after this long without one."""
RELOAD_SECONDS = 120.0

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


class Edge:
    """One node. ``async with Edge(configuration)`` starts or adopts HAProxy; leaving lets go of it, and
    HAProxy goes on; ``stop`` ends it."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        binary: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        runtime: Callable[[Frame], Runtime] | None = None,
    ) -> None:
        """``runtime`` makes the client of the Runtime API; another one than the default is for fault tests."""
        self.configuration = configuration
        self.clock = clock
        self.started = clock()
        self.root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
        self.places = Places(PurePosixPath(self.root.absolute()))
        self.master = Master(self.root, binary or haproxy_binary())
        self._make_runtime = runtime or (lambda frame: Runtime(frame.change_socket, frame.scan_socket))
        self._stack = AsyncExitStack()
        self._reloading = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._processes = answers.Processes(0, None, (), 0)
        self.crashed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.reloads = 0
        self.starts = 0

    # -- life ----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _begin(self) -> None:
        haproxy_version(self.master.binary)
        prepare(self.root)
        self._lock()
        self.disk = Disk(self.root)
        self.store = Store(self._state_directory())
        self._stack.callback(self.store.close)
        self.desired = Desired(self.places, self.configuration.provider)
        sites = self._sites_from_everywhere()
        found = await self.master.find()
        held, meta = await self._held(found)
        self._load(sites, held, meta)
        self.runtime = await self._stack.enter_async_context(self._make_runtime(self.frame))
        self.reconciler = Reconciler(
            self.runtime,
            self.places,
            self.desired.facts,
            on_block=self._tell_leaving,
            on_emptied=self._emptied,
        )
        self.reconciler.epoch = int(meta.get("epoch", "0"))
        self.ending = Ending(self.runtime, self.places, self.master.socket)
        self.reconciler.want(self.desired.units())
        if found is None or found.worker is None:
            check_free(self.configuration.listeners)
            await self._start_haproxy()
        else:
            self._processes = found
            log.info("adopted HAProxy", pid=found.master)
            if meta.get("frame") != self.frame.digest:
                await self._reload()
        for work in (self.reconciler.run, self._watch, self._keep_files, self._keep_time):
            self._spawn(work())
        await self.reconciler.synced.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)
        task.add_done_callback(self._note_crash)

    def _note_crash(self, task: asyncio.Task[None]) -> None:
        """A part of the agent that ends by itself is a fault: whoever runs the agent ends it, and HAProxy
        carries on until the next agent."""
        if not task.cancelled() and (crash := task.exception()) is not None and not self.crashed.done():
            log.critical("a part of the agent has crashed", exc_info=crash)
            self.crashed.set_result(crash)

    async def stop(self) -> None:
        """End HAProxy too. Connections get five seconds to finish."""
        await self._stack.aclose()
        await self.master.stop()

    def _lock(self) -> None:
        """One agent a run directory: two would undo each other's work."""
        descriptor = os.open(self.root / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise error(
                f"another agent already runs in {self.root}",
                "use 'holdfast status' to see it, 'holdfast down' to end it, or set another [edge] run_dir",
            ) from None

    def _state_directory(self) -> Path:
        return self.configuration.path.parent / self.configuration.edge.state_dir

    # -- from files and memory to desired state -------------------------------------------------------

    def _sites_from_everywhere(self) -> dict[str, Site]:
        """Those of the file, and those given at run time that the file does not name."""
        sites = dict(self.configuration.sites)
        for name, body in self.store.documents().items():
            if name not in sites:
                try:
                    sites[name] = self._site(body, {})
                except HoldfastError as wrong:
                    log.error("a site given at run time is left out", site=name, why=str(wrong))
        self.store.keep_only_sites(sites)
        return sites

    def _site(self, body: dict[str, object], others: dict[str, Site]) -> Site:
        """A site from its document; raises HoldfastError for what is wrong in it, or taken by another."""
        settings = SiteSettings.model_validate(body)
        mistakes = Mistakes(settings.name, {})
        base = self.configuration.path.parent
        site = build_site(settings, self.configuration.listeners, base, mistakes, "site")
        mine = set(site.hostnames)
        for other in others.values():
            if other.name != site.name and not mine.isdisjoint(other.hostnames):
                taken = ", ".join(sorted(mine.intersection(other.hostnames)))
                mistakes.add(
                    "hostnames", f"{taken} belongs to site {other.name!r}", "remove it from one of the two"
                )
        mistakes.raise_any()
        return site

    async def _held(
        self, found: answers.Processes | None
    ) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
        """What a running HAProxy holds of slots and bans; else the bans of the last files."""
        if found is None or found.worker is None:
            path = Path(self.places.map(Maps.BANS))
            lines = path.read_text().splitlines() if path.exists() else []
            return {
                Maps.BANS: dict(line.split(" ", 1) for line in lines),
                Maps.BACKENDS: {},
                "occupied": {},
            }, {}
        async with Runtime(*_sockets(self.places)) as runtime:
            held = {
                name: dict(answers.map_entries(await runtime.scan(f"show map {self.places.map(name)}")))
                for name in (Maps.BANS, Maps.BACKENDS)
            }
            servers = answers.server_states(await runtime.scan("show servers state"), {})
            held["occupied"] = {slot: "" for slot, _ in servers}
            return held, await read_meta(runtime, self.places)

    def _load(self, sites: dict[str, Site], held: dict[str, dict[str, str]], meta: dict[str, str]) -> None:
        now = self.clock()
        for source, until in held[Maps.BANS].items():
            if int(until) > now.timestamp():
                self.desired.put_ban(Ban(parse_network(source), datetime.fromtimestamp(int(until), UTC)))
        for enforcement in self.store.enforcements():
            if enforcement.until > now:
                self.desired.put_enforcement(enforcement)
            else:
                self.store.drop_enforcement(enforcement.id)
        ids = self.store.site_ids((site.name, site.customer) for site in sites.values())
        counts = {service: sum(site.service is service for site in sites.values()) for service in Service}
        shape = {
            Service.WEB: int(meta.get("web_slots", 0)),
            Service.TCP: int(meta.get("pass_slots", 0)),
        }
        sizes = {service: max(shape[service], capacity(counts[service])) for service in Service}
        if shape[Service.WEB] > counts[Service.WEB] and shape[Service.TCP] > counts[Service.TCP]:
            sizes = shape  # it still fits: no reload for mere comfort
        self.pools = {
            service: SlotPool(service, sizes[service], held[Maps.BACKENDS], held["occupied"])
            for service in Service
        }
        for site in sites.values():
            slot = self.pools[site.service].take(str(ids[site.name]))
            if slot is None:  # quarantined slots are in the way
                self.pools[site.service].grow(capacity(sizes[site.service]))
                slot = self.pools[site.service].take(str(ids[site.name]))
            self.desired.put_site(site, ids[site.name], slot or "")
        self.frame = self._frame()

    def _frame(self) -> Frame:
        settings = self.configuration.edge
        threads = traffic_threads(settings.threads)
        public = settings.https_port or (
            self.configuration.https[0].port if self.configuration.https else None
        )
        return Frame(
            places=self.places,
            edge_id=self.store.edge_id(),
            http=tuple(str(listener) for listener in self.configuration.http),
            https=tuple(str(listener) for listener in self.configuration.https),
            https_port=public,
            web_slots=self.pools[Service.WEB].size,
            pass_slots=self.pools[Service.TCP].size,
            traffic_threads=threads,
            maxconn=descriptors(sum(pool.size for pool in self.pools.values())),
            user=account(settings.user),
            clients=settings.clients,
        )

    # -- HAProxy's life ------------------------------------------------------------------------------

    async def _start_haproxy(self) -> None:
        await self._write_files()
        self._processes = await self.master.start()
        self.starts += 1
        log.info("started HAProxy", pid=self._processes.master)

    async def _write_files(self) -> None:
        self._boot = secrets.token_hex(8)
        version = self.reconciler.version
        content = files(self.frame, self.reconciler.wanted, self._boot, self.reconciler.epoch)
        await asyncio.to_thread(self.disk.write, content)
        self._rendered = version

    async def reload(self) -> None:
        """A new worker on a fresh rendering, without a failed request: the barrier.

        Sites are frozen while the old worker goes on to take enforcement and mitigations; once the new one
        serves, it is read whole and whatever it lacks is replayed before anything else is written.
        Raises HoldfastError when HAProxy does not take the new configuration; the old one stays in force.
        """
        async with self._reloading:
            self.reconciler.freeze_sites(True)
            try:
                await self._reload()
            finally:
                self.reconciler.freeze_sites(False)
                self.reconciler.distrust("a reload")
        await self.reconciler.synced.wait()

    async def _reload(self) -> None:
        before = await self.master.find()
        if before is None:
            raise error("HAProxy does not run", "wait a second: the agent is starting it")
        await self._write_files()
        await self.master.reload()
        deadline = asyncio.get_running_loop().time() + RELOAD_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
            found = await self.master.find()
            if found is None:
                continue
            if found.failed_reloads > before.failed_reloads:
                raise error(
                    f"HAProxy refused the new configuration: {self.master.last_words()}", "see haproxy.log"
                )
            if found.worker is not None and found.worker != before.worker:
                break
        else:
            raise error(f"HAProxy did not reload within {RELOAD_SECONDS:.0f} s", "see haproxy.log")
        self._processes = found
        self.runtime.reconnect()
        self.reloads += 1
        log.info("reloaded HAProxy", worker=found.worker, leaving=found.leaving)

    async def _watch(self) -> None:
        """HAProxy is dead: start it. It has another worker than ours: read it anew."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._reloading.locked():
                continue
            found = await self.master.find()
            if found is None:
                if alive(self._processes.master):
                    continue  # between two workers
                log.warning("HAProxy is gone; starting it", last_words=self.master.last_words())
                try:
                    self.runtime.reconnect()
                    await self._start_haproxy()
                    self.reconciler.distrust("HAProxy was started anew")
                except HoldfastError as failed:
                    log.error("HAProxy does not start", why=str(failed))
                    await asyncio.sleep(1)
            elif found.worker != self._processes.worker or found.master != self._processes.master:
                self._processes = found
                self.runtime.reconnect()
                self.reconciler.distrust("HAProxy has another worker")
            else:
                self._processes = found
            self.master.trim_log()

    async def _keep_files(self) -> None:
        """Rewrite the files for the next start: whoever restarts HAProxy finds nearly the present state."""
        stale_since, seen = None, self.reconciler.version
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            now = asyncio.get_running_loop().time()
            version = self.reconciler.version
            if version == self._rendered or self._reloading.locked():
                stale_since, seen = None, version
                continue
            stale_since = stale_since or now
            if version == seen or now - stale_since > LONGEST_STALE_SECONDS:
                wanted = self.reconciler.wanted.copy()
                epoch, boot = self.reconciler.epoch, self._boot
                await asyncio.to_thread(lambda: self.disk.write(files(self.frame, wanted, boot, epoch)))  # noqa: B023
                self._rendered = version
            seen = version

    async def _keep_time(self) -> None:
        """What has expired is tidied up; HAProxy stopped acting on it by its own clock."""
        while True:
            await asyncio.sleep(1)
            enforcements, bans = self.desired.expired(self.clock())
            units: set[Unit] = set()
            for enforcement in enforcements:
                log.info("a block has ended", id=enforcement.id, scope=str(enforcement.scope))
                self.store.drop_enforcement(enforcement.id)
                units |= self.desired.drop_enforcement(enforcement.id)
            for ban in bans:
                units |= self.desired.drop_ban(ban.source)
            if units:
                self.reconciler.want(units)

    async def _tell_leaving(self, commands: Sequence[Command]) -> None:
        await self.ending.tell(self._processes.leaving, commands)

    def _emptied(self, slot: str) -> None:
        for pool in self.pools.values():
            pool.emptied(slot)

    # -- changes -------------------------------------------------------------------------------------

    async def put_site(self, body: dict[str, object]) -> None:
        """Add or replace a site given at run time; returns when it is served. Raises HoldfastError."""
        async with self._changing:
            site = self._site(body, self.desired.sites)
            if site.name in self.configuration.sites:
                raise error(
                    f"site {site.name!r} is named in {self.configuration.path}",
                    "change it there and run 'holdfast edge apply'",
                )
            units, grown = self._put_sites([site])
            self.store.put_document(site.name, body)
        await self._bring_in_force(units, grown)

    async def remove_site(self, name: str) -> None:
        """Remove a site given at run time; returns when it is no longer served. Raises HoldfastError."""
        async with self._changing:
            if name in self.configuration.sites or name not in self.desired.sites:
                raise error(
                    f"there is no site {name!r} that was given at run time",
                    f"remove it from {self.configuration.path} and run 'holdfast edge apply'",
                )
            self.store.drop_document(name)
            units = self._drop_sites([name])
        await self.reconciler.settle(units)

    async def apply(self, configuration: Configuration | None = None) -> dict[str, int]:
        """Read the file again and bring what changed in it in force; returns how much that was.

        Raises HoldfastError, and changes nothing, when the file has a mistake.
        """
        async with self._changing:
            new = configuration or read_configuration(self.configuration.path)
            old, self.configuration = self.configuration, new
            gone = [name for name in old.sites if name not in new.sites]
            changed = [site for name, site in new.sites.items() if self.desired.sites.get(name) != site]
            units = self._drop_sites(gone)
            more, grown = self._put_sites(changed)
            units |= more
            if old.provider != new.provider:
                self.desired.provider = new.provider
                units |= {unit_of(each.scope) for each in self.desired.enforcements.values()}
        await self._bring_in_force(units, grown or self._frame() != self.frame)
        return {"removed": len(gone), "changed": len(changed)}

    def _put_sites(self, sites: Iterable[Site]) -> tuple[set[Unit], bool]:
        """The units touched, and whether more slots (so a reload) are needed."""
        units: set[Unit] = set()
        grown = False
        for site in sites:
            present = self.desired.sites.get(site.name)
            if present and (present.service, present.customer) != (site.service, site.customer):
                units |= self._drop_sites([site.name])
            site_id = self.store.site_ids([(site.name, site.customer)])[site.name]
            pool = self.pools[site.service]
            slot = pool.take(str(site_id))
            if slot is None:
                pool.grow(capacity(pool.size))
                grown = True
                slot = pool.take(str(site_id))
            units |= self.desired.put_site(site, site_id, slot or "")
        return units, grown

    def _drop_sites(self, names: Iterable[str]) -> set[Unit]:
        units: set[Unit] = set()
        for name in names:
            self.pools[self.desired.sites[name].service].leave(str(self.desired.ids[name]))
            units |= self.desired.drop_site(name)
            self.store.forget_site(name)
        return units

    async def _bring_in_force(self, units: set[Unit], reload: bool) -> None:
        if not reload:
            await self.reconciler.settle(units)
            return
        settled = asyncio.ensure_future(self.reconciler.settle(units))
        await asyncio.sleep(0)  # let it take its wishes down before they are rendered
        former, self.frame = self.frame, self._frame()
        try:
            await self.reload()
        except HoldfastError:
            self.frame = former  # HAProxy still runs on it, and must be able to start on it
            await self._write_files()
            settled.cancel()
            raise
        await settled

    async def block(self, enforcement: Enforcement) -> None:
        """Put a block in force here: recorded, enforced, and what is open under it ended."""
        self.store.put_enforcement(enforcement)
        await self.reconciler.settle(self.desired.put_enforcement(enforcement))
        await self.ending.end(enforcement.scope, self.desired, self._processes.leaving)

    async def unblock(self, identifier: str) -> None:
        """Lift a block. Raises HoldfastError where there is none of that id."""
        if identifier not in self.desired.enforcements:
            raise error(f"there is no block {identifier!r}", "'holdfast blocks' lists them")
        self.store.drop_enforcement(identifier)
        await self.reconciler.settle(self.desired.drop_enforcement(identifier))

    async def ban(self, ban: Ban) -> None:
        """Refuse a source's connections from now on, unless a site allows it."""
        await self.reconciler.settle(self.desired.put_ban(ban))

    async def unban(self, source: Network) -> None:
        await self.reconciler.settle(self.desired.drop_ban(source))

    @property
    def processes(self) -> answers.Processes:
        """HAProxy's processes, as last seen."""
        return self._processes


def _sockets(places: Places) -> tuple[str, str]:
    return str(places.root / "change.sock"), str(places.root / "scan.sock")
