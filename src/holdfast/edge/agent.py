"""The agent: keeps one HAProxy equal to the desired state, for as long as either of them lives.

Here belong the order of a start, an adoption and a reload, and the entry points for changes. Not here:
what HAProxy should hold (``desired``, ``dataplane``), the writing (``reconcile``), how people ask
(``admin``). The agent may die at any moment: HAProxy carries on with the last state, and the next agent
adopts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import structlog

from holdfast.edge.configuration import Configuration, read_configuration
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Command, Places
from holdfast.edge.dataplane.disk import Disk, default_root, prepare
from holdfast.edge.dataplane.process import Master
from holdfast.edge.dataplane.render import Frame
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.desired import SITE, Unit, unit_of
from holdfast.edge.ending import Ending
from holdfast.edge.listen import check_free
from holdfast.edge.machine import account, descriptors, haproxy_binary, haproxy_version, traffic_threads
from holdfast.edge.publishing import Public, Publisher
from holdfast.edge.read import Held, held_by_files, read_held
from holdfast.edge.reconcile import Reconciler
from holdfast.edge.release import Release
from holdfast.edge.releases import Releases
from holdfast.edge.relief import Relief
from holdfast.edge.roster import Documents, Roster, check_hostnames
from holdfast.edge.store import Store
from holdfast.edge.supervise import Supervisor
from holdfast.edge.traffic.alerts import Alerts
from holdfast.edge.traffic.archive import Archive
from holdfast.edge.traffic.archivist import Archivist
from holdfast.edge.traffic.crawlers import Crawlers
from holdfast.edge.traffic.guard import Guard
from holdfast.edge.traffic.intake import Intake
from holdfast.edge.traffic.notes import Notes
from holdfast.edge.traffic.outside import crawler_networks, receivers
from holdfast.model.ban import LONGEST_BAN, Ban
from holdfast.model.enforcement import Scope
from holdfast.model.errors import HoldfastError, error
from holdfast.model.site import Network, Service, Site

FIND_ATTEMPTS = 50
LOOK_SECONDS = 300.0
"""Between two comparisons of what HAProxy holds with what it should: reading all of it is not for nothing."""

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
        public: Public | None = None,
    ) -> None:
        """``runtime`` makes the client of the Runtime API; any other than the default is for fault tests.
        ``public`` shows the public what is on record; None: nobody does."""
        self.configuration = configuration
        self.public = public
        self.clock = clock
        self.started = clock()
        self.root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
        self.places = Places(PurePosixPath(self.root.absolute()))
        self.master = Master(self.root, binary or haproxy_binary())
        self._make_runtime = runtime or (lambda frame: Runtime(frame.change_socket, frame.scan_socket))
        self._stack = AsyncExitStack()
        self._may_be_open: set[Unit] = set()
        """Blocks under which something may be open that began before them."""
        self._to_end = asyncio.Event()
        self.crashed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

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
        self.state = self.configuration.path.parent / self.configuration.edge.state_dir
        self.store = Store(self.state)
        self._stack.callback(self.store.close)
        self.roster = Roster(self.configuration, self.places, self.store)
        self.desired, self.pools = self.roster.desired, self.roster.pools
        found, held = await self._find()
        self.roster.load(self.configuration, held, self.clock())
        self.releases = Releases(self.store, self.desired)
        self.releases.trust(self.configuration.ledger.trust, self.clock())
        show = self.public.show if self.public else None
        self.publisher = Publisher(show, self.state, lambda: self.releases.withheld, self.clock)
        self.publisher.soon()
        if self.public:
            self.public.configure(self.configuration)
        # As it is at the start: were it counted anew with each change, its rounding would cause reloads.
        origins = sum(len(site.origins) for site in self.desired.sites.values())
        self._origins_of_a_site = max(1, -(-origins // max(1, len(self.desired.sites))))
        frame = self._frame()
        self.runtime = await self._stack.enter_async_context(self._make_runtime(frame))
        self.reconciler = Reconciler(
            self.runtime,
            self.places,
            self.desired.facts,
            on_block=self._tell_leaving,
            on_slots=self._note_slots,
            on_synced=lambda: self._end_soon(map(unit_of, self._blocked_scopes())),
            on_held=self._end_soon,
        )
        self.reconciler.epoch = int(held.meta.get("epoch", "0"))
        intake = await self._stack.enter_async_context(Intake(self.root / "jail" / "samples.sock"))
        self._make_guard(intake)
        self.ending = Ending(self.runtime, self.places, self.master.socket)
        self.relief = Relief(self.runtime, self.places, self.desired)
        self.reconciler.begin(self.desired.units())
        self.supervisor = Supervisor(frame, Disk(self.root), self.master, self.runtime, self.reconciler)
        if found is None:
            check_free(self.configuration.listeners)
            await self.supervisor.start()
        else:
            await self.supervisor.adopt(found, held.meta.get("frame"))
        self._stack.push_async_callback(self.supervisor.write_last_files)
        haproxy = (self.reconciler.run, self.supervisor.watch, self.supervisor.keep_files)
        own = (self._keep_time, self._keep_looking, self._keep_ended, self.publisher.run)
        shield = (self.guard.run, self.alerts.run, self.crawlers.run)
        public = (self.public.run,) if self.public else ()
        for work in (*haproxy, *own, self.relief.run, *shield, *public):
            self._spawn(work())
        await self._in_step()

    def _make_guard(self, intake: Intake) -> None:
        """The shield, with what the agent before this one has left of it."""
        self.alerts = Alerts(
            receivers(self.configuration.alerts, self.configuration.path.parent), socket.gethostname()
        )
        settings = self.configuration.edge
        self.crawlers = Crawlers(
            lambda address: self.guard.spare_crawler(address),
            crawler_networks(settings.crawler_networks, self.configuration.path.parent),
            settings.nameservers or None,
        )
        self.guard = Guard(
            self.runtime,
            self.desired,
            self.reconciler,
            intake,
            Notes(self.state / "shield"),
            Archivist(Archive(self.state / "shield" / "records.db")),
            tell=self.alerts.tell,
            consider=self.crawlers.consider,
            watch_only=settings.shield == "watch",
        )
        self._stack.push_async_callback(self.guard.close)
        self.guard.begin()

    async def _in_step(self) -> None:
        """Wait until HAProxy holds what it should, or until a part of the agent has crashed."""
        synced = asyncio.ensure_future(self.reconciler.synced.wait())
        await asyncio.wait((synced, self.crashed), return_when=asyncio.FIRST_COMPLETED)
        synced.cancel()
        if self.crashed.done():
            raise error(
                f"the agent has crashed: {self.crashed.result()!r}", "see its log, and start it again"
            )

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
        if self.public:
            await self.public.stop()

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

    async def _find(self) -> tuple[answers.Processes | None, Held]:
        """HAProxy as it runs, if it does, and what it tells; it may come and go while it is asked."""
        found = None
        for _ in range(FIND_ATTEMPTS):
            found = await self.master.find_settled()
            if found is None:
                return None, held_by_files(self.places)
            with contextlib.suppress(RuntimeLostError):
                async with Runtime(*_sockets(self.places)) as runtime:
                    return found, await read_held(runtime, self.places)
            await asyncio.sleep(0.1)
        raise error(
            f"HAProxy runs, but its sockets in {self.root} do not answer",
            f"end it ('fuser -k {self.master.socket}' does) and start again",
        )

    def _frame(self) -> Frame:
        settings = self.configuration.edge
        threads = traffic_threads(settings.threads)
        public = settings.https_port or (
            self.configuration.https[0].port if self.configuration.https else None
        )
        return Frame(
            places=self.places,
            edge_id=self.store.edge_id(),
            http=tuple(listener.bind for listener in self.configuration.http),
            https=tuple(listener.bind for listener in self.configuration.https),
            https_port=public,
            web_slots=self.pools[Service.WEB].size,
            pass_slots=self.pools[Service.TCP].size,
            traffic_threads=threads,
            maxconn=descriptors(self._origins_of_a_site * sum(pool.size for pool in self.pools.values())),
            user=account(settings.user),
            clients=settings.clients,
            connections_per_second=settings.connections_per_second,
            connections_at_once=settings.connections_at_once,
            watch_only=settings.watch_only,
            proxies=tuple(map(str, self.configuration.proxies)),
            forwarders=tuple(map(str, self.configuration.forwarders)),
            public=self.public.address if self.public else None,
        )

    async def reload(self) -> None:
        """A new worker on a fresh rendering, without a failed request (see ``supervise``); returns when it
        holds what it should. Raises HoldfastError when HAProxy does not take the new configuration; the old
        one stays in force."""
        await self.supervisor.reload(self._frame)
        await self._in_step()

    async def _keep_looking(self) -> None:
        """What somebody changed in HAProxy by hand has no epoch that would tell: compare, now and then."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            version = self.reconciler.version
            with contextlib.suppress(RuntimeLostError):
                differs = (await self.reconciler.difference()).now
                if differs and self.reconciler.is_idle and version == self.reconciler.version:
                    self.supervisor.distrust("somebody else has changed HAProxy")

    async def _keep_time(self) -> None:
        """What has expired is tidied up; HAProxy stopped acting on it by its own clock. Each day has its
        key."""
        while True:
            units, ended = self.releases.end(self.clock())
            for enforcement in ended:
                log.info("a block has ended", id=enforcement.id, scope=str(enforcement.scope))
                self.publisher.soon()
            units |= self.roster.renew_keys(self.clock())
            _, bans, cleared = self.desired.expired(self.clock())
            for ban in bans:
                units |= self.desired.drop_ban(ban.source)
            for source in cleared:
                units |= self.desired.drop_cleared(source)
            if units:
                self.reconciler.want(units)
            await asyncio.sleep(1)

    async def _keep_ended(self) -> None:
        """End what is open under every block, each time HAProxy has been read anew: an agent may have died,
        or a worker been lost, between a block and the end of what was open under it. And at the old worker
        of a reload, as soon as a block is in force there: whoever asked is told later, and ends it again."""
        while True:
            await self._to_end.wait()
            self._to_end.clear()
            units, self._may_be_open = self._may_be_open, set()
            for scope in [scope for unit in units for scope in self.desired.scopes(unit)]:
                await self.ending.end(scope, self.desired, self.processes.leaving)

    def _blocked_scopes(self) -> list[Scope]:
        return [each.scope for each in self.desired.enforcements.values()]

    def _end_soon(self, units: Iterable[Unit]) -> None:
        self._may_be_open.update(units)
        self._to_end.set()

    async def _tell_leaving(self, commands: Sequence[Command]) -> None:
        await self.ending.tell(self.processes.leaving, commands)

    def _note_slots(self, occupied: set[str]) -> None:
        for pool in self.pools.values():
            pool.emptied(occupied)

    # -- changes -------------------------------------------------------------------------------------

    async def put_site(self, body: dict[str, object]) -> None:
        """Add or replace a site given at run time; returns when it is served. Raises HoldfastError, and
        leaves everything as it was, when it cannot be."""
        site = self.roster.site(body, self.configuration)
        if site.name in self.configuration.sites:
            raise error(
                f"site {site.name!r} is named in {self.configuration.path}",
                "change it there and run 'holdfast edge apply'",
            )
        await self._exchange([], [site], {site.name: body})

    async def remove_site(self, name: str) -> None:
        """Remove a site given at run time; returns when it is no longer served. Raises HoldfastError."""
        if name in self.configuration.sites or name not in self.desired.sites:
            raise error(
                f"there is no site {name!r} that was given at run time",
                f"remove it from {self.configuration.path} and run 'holdfast edge apply'",
            )
        await self._exchange([name], [], {name: None})

    async def apply(self, configuration: Configuration | None = None) -> dict[str, int]:
        """Read the file again and bring what changed in it in force; returns how much that was.

        Raises HoldfastError, and changes nothing, when the file has a mistake or HAProxy refuses it.
        """
        new, old = configuration or read_configuration(self.configuration.path), self.configuration
        named = old.sites.keys() | new.sites.keys()
        check_free(set(new.listeners) - set(old.listeners))
        given = {host: name for host, name in self.desired.owners.items() if name not in named}
        check_hostnames(new.sites.values(), given)
        gone = [name for name in old.sites if name not in new.sites]
        changed = [site for name, site in new.sites.items() if self.desired.sites.get(name) != site]
        taken_over = dict.fromkeys(name for name in new.sites if name not in old.sites)
        self.configuration, units = new, self.desired.put_provider(new.provider)
        blocks = self._trust(old, new)
        try:
            if self.public:
                self.public.configure(new)
            await self._exchange(gone, changed, taken_over, units | blocks)
        except HoldfastError:
            self.configuration = old
            if self.public:
                self.public.configure(old)
            self.reconciler.want(
                units | self.desired.put_provider(old.provider) | self._trust(new, old) | blocks
            )
            raise
        self._end_soon(blocks)
        self.publisher.soon()
        return {"removed": len(gone), "changed": len(changed), "withheld": len(self.releases.withheld)}

    def _trust(self, old: Configuration, new: Configuration) -> set[Unit]:
        """Another record counts: what is in force is what it holds."""
        if new.ledger.trust == old.ledger.trust:
            return set()
        return self.releases.trust(new.ledger.trust, self.clock())

    async def _exchange(
        self, gone: list[str], sites: list[Site], documents: Documents, more: Iterable[Unit] = ()
    ) -> None:
        units, undo = self.roster.exchange(gone, sites, documents)
        try:
            await self._bring_in_force({*units, *more})
        except HoldfastError:
            self.reconciler.want(undo())
            raise

    async def _bring_in_force(self, units: set[Unit]) -> None:
        if self._frame() == self.supervisor.frame:
            await self.reconciler.settle(units)
            return
        with self.reconciler.frozen():  # at once: nothing may be written for slots that are not there yet
            settled = asyncio.ensure_future(self.reconciler.settle(units))
            try:
                await asyncio.sleep(0)  # let it take its wishes down before they are rendered
                await self.supervisor.reload(self._frame, only_if_due=True)
            except BaseException:
                settled.cancel()
                raise
        await settled

    async def block(self, release: Release) -> int:
        """Put a block in force here: its proof checked, stored, enforced, what is open under it ended, and
        shown to the public. Returns the index of its entry; the same release once more does the same once
        more. Raises HoldfastError, and changes nothing, when it may not be in force."""
        units, index = self.releases.admit(release, self.clock())
        try:
            await self.reconciler.settle(units)
            await self.ending.end(release.enforcement.scope, self.desired, self.processes.leaving)
        finally:
            self.publisher.soon()
        await self.publisher.publish()
        return index

    async def unblock(self, identifier: str) -> str:
        """Lift a block; returns when it was lifted (``model.record.stamp``), which may have been before.
        Raises HoldfastError where there is none of that id."""
        units, lifted = self.releases.lift(identifier, self.clock())
        await self.reconciler.settle(units)
        await self.publisher.publish()
        return lifted

    async def ban(self, ban: Ban) -> None:
        """Refuse a source's connections from now on, unless some site allows or has cleared it; a ban of the
        same source is renewed by it. Raises HoldfastError for one that lasts longer than a minute."""
        if ban.until - self.clock() > LONGEST_BAN:
            raise error(
                f"a ban of {ban.source} until {ban.until} lasts too long: others may share the address",
                f"ban for at most {LONGEST_BAN.seconds} s, and renew it while there is reason to",
            )
        await self.reconciler.settle(self.desired.put_ban(ban))

    async def clear(self, source: Network, until: datetime) -> None:
        """Spare a source from bans and connection limits until then: it has been cleared on some site."""
        await self.reconciler.settle(self.desired.put_cleared(source, until))

    async def renew_key(self, name: str) -> None:
        """Give a site another key for its signatures, in force at once. Raises HoldfastError."""
        if name not in self.desired.sites:
            raise error(f"there is no site {name!r}", "see 'holdfast status'")
        self.store.renew_key(name)
        await self.reconciler.settle({(SITE, name)})

    async def unban(self, source: Network) -> None:
        await self.reconciler.settle(self.desired.drop_ban(source))

    @property
    def processes(self) -> answers.Processes:
        """HAProxy's processes, as last seen."""
        return self.supervisor.processes

    @property
    def starts(self) -> int:
        """How often this agent has started HAProxy; 0 when it adopted one and that lives on."""
        return self.supervisor.starts

    @property
    def reloads(self) -> int:
        """How often this agent has reloaded HAProxy."""
        return self.supervisor.reloads


def _sockets(places: Places) -> tuple[str, str]:
    return str(places.root / "change.sock"), str(places.root / "scan.sock")
