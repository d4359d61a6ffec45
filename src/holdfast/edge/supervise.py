"""HAProxy's life under an agent: started or adopted, watched, reloaded, started again, its files kept fresh.

Here belongs when HAProxy reads which files. Not here: what is in them (``dataplane.render``), how a process
is started (``dataplane.process``), and what is changed at run time (``reconcile``).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import structlog

from holdfast.edge.dataplane.answers import Processes
from holdfast.edge.dataplane.disk import Disk
from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.dataplane.process import Master, alive, let_traffic_first
from holdfast.edge.dataplane.render import Frame, files
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.reconcile import Reconciler
from holdfast.model.errors import HoldfastError, error

WATCH_SECONDS = 0.25
QUIET_SECONDS = 1.0
LONGEST_STALE_SECONDS = 30.0
"""The files for the next start are rewritten after a silence, or after this long without one."""
RELOAD_SECONDS = 120.0
LOOK_SECONDS = 0.01
"""Between two looks for the new worker of a reload: until it is found, it does not know the last blocks."""

log = structlog.get_logger()


class Supervisor:
    """Keeps one HAProxy alive on files that are nearly up to date."""

    def __init__(
        self, frame: Frame, disk: Disk, master: Master, runtime: Runtime, reconciler: Reconciler
    ) -> None:
        self.frame = frame
        self.processes = Processes(0, None, (), 0)
        self.reloads = 0
        self.starts = 0
        self._disk = disk
        self._master = master
        self._runtime = runtime
        self._reconciler = reconciler
        self._reloading = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._ordered: int | None = None
        """The worker whose threads know which of them go first."""
        self._boot = secrets.token_hex(8)
        self._rendered = -1  # what lies on disk at an adoption may be of any age

    @property
    def is_reloading(self) -> bool:
        """Whether a new worker is under way."""
        return self._reloading.locked()

    async def adopt(self, found: Processes, frame: str | None) -> None:
        """Take over a running HAProxy, whose frame's digest is ``frame``; reload it only if that differs."""
        self.processes = found
        log.info("adopted HAProxy", pid=found.master)
        if frame != self.frame.digest:
            await self._reload()

    async def start(self) -> None:
        """Start HAProxy on what should be; if it does not take that, on the maps alone: the rest is then
        added at run time, and what it refuses (one site's certificate, say) holds up nothing else.
        Raises HoldfastError with HAProxy's own words."""
        try:
            await self._write_files()
        except HoldfastError as failed:
            if not self.processes.master:
                raise
            log.error("HAProxy is started on older files; what they lack is added", why=str(failed))
        try:
            self.processes = await self._master.start()
        except HoldfastError as refused:
            await self._write_files(Picture(maps=dict(self._reconciler.wanted.maps)))
            try:
                self.processes = await self._master.start()
            except HoldfastError:
                raise refused from None
            log.error("HAProxy does not start on all it should hold; it is added now", why=str(refused))
        self.starts += 1
        log.info("started HAProxy", pid=self.processes.master)

    async def _write_files(self, picture: Picture | None = None) -> None:
        """One at a time, and each to its end: an older rendering must never come to lie over a newer one, as
        over that of a reload; making one takes a second where there are many sites."""
        async with self._writing:
            frame, version, epoch = self.frame, self._reconciler.version, self._reconciler.epoch
            picture = (picture or self._reconciler.rendering()).copy()  # for the other thread
            writing = asyncio.ensure_future(
                asyncio.to_thread(lambda: self._disk.write(files(frame, picture, self._boot, epoch)))
            )
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait((writing,))
                raise
            self._rendered = version

    async def reload(self, shape: Callable[[], Frame], *, only_if_due: bool = False) -> None:
        """A new worker on a fresh rendering, without a failed request: the barrier.

        Sites are frozen while the old worker goes on to take enforcement and mitigations; once the new one
        serves, it is read whole and whatever it lacks is replayed before anything else is written, and those
        who asked for that meanwhile are told (see ``Reconciler.handing_over``). ``shape``
        gives the frame to render, ``only_if_due`` leaves all as it is when that is the present one.
        Raises HoldfastError when HAProxy does not take the new configuration; the old one stays in force.
        """
        with self._reconciler.frozen():
            async with self._reloading:
                former, self.frame = self.frame, shape()
                if not only_if_due or former != self.frame:
                    try:
                        await self._reload()
                    except HoldfastError:
                        # HAProxy must be able to start on what lies on disk. And a worker whose successor
                        # could not bind has let go of its own ports: only another reload opens them again.
                        self.frame = former
                        await self._reload()
                        raise

    async def _reload(self) -> None:
        before = await self._master.find()
        if before is None:
            raise error("HAProxy does not run", "wait a second: the agent is starting it")
        with self._reconciler.handing_over():
            self.processes = await self._replace_worker(before)
            self.distrust("HAProxy has a new worker")
        self.reloads += 1
        log.info("reloaded HAProxy", worker=self.processes.worker, leaving=self.processes.leaving)

    async def _replace_worker(self, before: Processes) -> Processes:
        """Render, reload, and wait for the new worker. Raises HoldfastError."""
        self._boot = secrets.token_hex(8)
        await self._write_files()
        with contextlib.suppress(RuntimeLostError):  # whether it did is seen by its worker
            await self._master.reload()
        deadline = asyncio.get_running_loop().time() + RELOAD_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            found = await self._master.find()
            if found is None and not alive(before.master):
                raise error(
                    "HAProxy has died during a reload", "try again in a second: the agent is starting it"
                )
            if found is None:
                continue
            if found.failed_reloads > before.failed_reloads:
                raise error(
                    f"HAProxy refused the new configuration: {self._master.last_words()}", "see haproxy.log"
                )
            if found.worker is not None and found.worker != before.worker:
                return found
        raise error(f"HAProxy did not reload within {RELOAD_SECONDS:.0f} s", "see haproxy.log")

    async def watch(self) -> None:
        """HAProxy is dead: start it. It has another worker than ours: read it anew."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            async with self._reloading:
                found = await self._master.find()
                if found is not None and found.worker is not None:
                    is_ours = (found.master, found.worker) == (self.processes.master, self.processes.worker)
                    self.processes = found
                    if not is_ours:
                        self.distrust("HAProxy has another worker")
                elif not alive(found.master if found else self.processes.master):
                    log.warning("HAProxy is gone; starting it", last_words=self._master.last_words())
                    await self._restart()
                worker = self.processes.worker
                if worker not in (None, self._ordered) and let_traffic_first(
                    worker, self.frame.traffic_threads
                ):
                    self._ordered = worker
            self._master.trim_log()

    async def _restart(self) -> None:
        self.distrust("HAProxy is gone")
        try:
            with self._reconciler.handing_over():
                await self.start()
                self.distrust("HAProxy was started anew")
        except HoldfastError as failed:
            log.error("HAProxy does not start", why=str(failed))
            await asyncio.sleep(1)

    def distrust(self, why: str) -> None:
        """HAProxy may be another one than we believe: read it anew."""
        self._runtime.reconnect()
        self._reconciler.distrust(why)

    async def keep_files(self) -> None:
        """Rewrite the files for the next start: whoever restarts HAProxy finds nearly the present state."""
        stale_since, seen = None, self._reconciler.version
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            now = asyncio.get_running_loop().time()
            version = self._reconciler.version
            if version == self._rendered or self._reloading.locked():
                stale_since, seen = None, version
                continue
            stale_since = stale_since or now
            if version == seen or now - stale_since > LONGEST_STALE_SECONDS:
                await self.write_last_files()
            seen = version

    async def write_last_files(self) -> None:
        """When the agent leaves, too: bans are nowhere else, should HAProxy end before the next one comes."""
        if self._reconciler.version != self._rendered:
            try:
                await self._write_files()
            except HoldfastError as failed:
                log.error("the files for the next start are not up to date", why=str(failed))
