"""The one writer: brings HAProxy from what it holds to what it should hold, most urgent first.

The Runtime API has no transactions. So every job is planned from belief when its turn comes, every answer
is checked, an epoch is written last and read back, and at the first doubt (a refused command, a lost
connection, a worker that has changed) belief is thrown away: HAProxy is read whole and everything that
differs is planned anew. What is in force stays in force meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import structlog

from holdfast.edge.dataplane.commands import Command, DelServer, Places, SetMap, still_busy
from holdfast.edge.dataplane.effect import apply
from holdfast.edge.dataplane.picture import META, Picture
from holdfast.edge.dataplane.plan import Plan, plan
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.desired import BLOCK, SOURCE, Unit
from holdfast.edge.read import read_picture
from holdfast.model.errors import error

BATCH_COMMANDS = 24
BATCH_BYTES = 12_000
IDLE_SECONDS = 0.3
"""Sweeping waits for this much silence: deleting from the big map holds the traffic for milliseconds."""
SWEEP_PAUSE = 0.02
MOST_SWEEPS = 1000
"""Beyond this backlog sweeping no longer waits for silence."""
BUSY_SECONDS = 0.5
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
"""Before HAProxy is read anew after it was lost or has refused something."""

log = structlog.get_logger()


class Lane(IntEnum):
    """What goes first."""

    ENFORCEMENT = 0
    MITIGATION = 1
    SITES = 2
    """Routing, origins and certificates."""


def lane_of(unit: Unit) -> Lane:
    """The lane of a unit's changes."""
    return {BLOCK: Lane.ENFORCEMENT, SOURCE: Lane.MITIGATION}.get(unit[0], Lane.SITES)


class RefusedError(Exception):
    """HAProxy did not take a command."""

    def __init__(self, command: Command, answer: str) -> None:
        super().__init__(f"{command!r}: {answer}")
        self.command = command


@dataclass(slots=True)
class Job:
    """The work on one unit, until it is in force."""

    unit: Unit
    scopes: list[Picture]
    done: list[asyncio.Future[None]] = field(default_factory=list)


class Reconciler:
    """Owns belief, wanted picture and the queue. One task runs ``run``; everybody else calls ``settle``."""

    def __init__(
        self,
        runtime: Runtime,
        places: Places,
        facts: Callable[[Unit], Picture],
        *,
        on_block: Callable[[Sequence[Command]], Awaitable[None]],
        on_emptied: Callable[[str], None],
    ) -> None:
        """``on_block`` is told the commands of each enforcement (for workers that are leaving); ``on_emptied``
        each slot whose last server is gone."""
        self.wanted = Picture()
        self.epoch = 0
        self.counts: Counter[str] = Counter()
        self.trouble = ""
        self.version = 0
        """Grows with every change of ``wanted``: what was rendered at an older version is stale."""
        self._runtime = runtime
        self._places = places
        self._facts = facts
        self._on_block = on_block
        self._on_emptied = on_emptied
        self._believed: Picture | None = None
        self._parts: dict[Unit, Picture] = {}
        self._jobs: dict[Unit, Job] = {}
        self._lanes: tuple[deque[Unit], ...] = tuple(deque() for _ in Lane)
        self._sweeps: deque[Picture] = deque()
        self._busy: list[Picture] = []
        self._wake = asyncio.Event()
        self._ceiling = Lane.SITES
        self._refused: set[Command] = set()
        self._skipped: set[Command] = set()
        self.synced = asyncio.Event()
        """Set once HAProxy has been read and brought to the wanted picture."""

    # -- what should be ------------------------------------------------------------------------------

    def want(self, units: Iterable[Unit]) -> list[Unit]:
        """Take the present facts of ``units`` as wanted; return them, most urgent first."""
        ordered = sorted(set(units), key=lambda unit: (lane_of(unit), unit))
        old = {unit: self._parts.pop(unit, Picture()) for unit in ordered}
        for part in old.values():
            self.wanted.remove(part)
        for unit in ordered:
            new = self._facts(unit)
            self.wanted.add(new)
            if new.maps or new.servers:
                self._parts[unit] = new
            self._enqueue(unit, [old[unit], new])
        self.version += 1
        return ordered

    def _enqueue(self, unit: Unit, scopes: list[Picture]) -> None:
        job = self._jobs.get(unit)
        if job is None:
            self._jobs[unit] = Job(unit, scopes)
            self._lanes[lane_of(unit)].append(unit)
        else:
            job.scopes += scopes
        self._wake.set()

    async def settle(self, units: Iterable[Unit]) -> None:
        """Take the present facts of ``units`` as wanted and return when they are in force.

        Raises HoldfastError when HAProxy refuses them for good.
        """
        loop = asyncio.get_running_loop()
        waits = []
        for unit in self.want(units):
            future = loop.create_future()
            self._jobs[unit].done.append(future)
            waits.append(future)
        await asyncio.gather(*waits)

    # -- the writer ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write until cancelled."""
        failures = 0
        while True:
            try:
                if self._believed is None:
                    await self._resync()
                    failures = 0
                await self._work()
            except RuntimeLostError as lost:
                self._runtime.reconnect()
                self.distrust(str(lost))
            except RefusedError as refused:
                self._note_refusal(refused)
            else:
                continue
            await asyncio.sleep(min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE))
            failures += 1

    async def _work(self) -> None:
        while self._believed is not None:
            job = self._next()
            if job is not None:
                await self._perform_job(job)
            elif (self._busy or self._sweeps) and self._ceiling is Lane.SITES:
                await self._sweep()
            else:
                await self._woken(None)

    def _next(self, lowest: Lane = Lane.SITES) -> Job | None:
        for lane in self._lanes[: min(lowest, self._ceiling) + 1]:
            if lane:
                return self._jobs[lane[0]]
        return None

    async def _perform_job(self, job: Job) -> None:
        """Plan one unit from belief, perform it, confirm it by the epoch. The job leaves the queue only
        then: a failure leaves it there for the resync to finish."""
        believed = self._require_belief()
        scopes, waiting = list(job.scopes), list(job.done)
        steps = plan(believed.only(*scopes), self.wanted.only(*scopes))
        lane = lane_of(job.unit)
        await self._perform(steps.now, lane)
        if lane is Lane.ENFORCEMENT:
            await self._on_block(steps.now)
        if steps.later:
            self._sweeps.append(believed.only(*scopes).beyond(self.wanted))
        self._refused.clear()
        self._finish(job, len(scopes), waiting)

    async def _perform(self, commands: Sequence[Command], lane: Lane) -> None:
        """Send commands in batches, letting anything more urgent go between two of them; the epoch last."""
        rest = list(commands)
        while True:
            batch, rest = _batch(rest, self._places)
            await self._send(batch, with_epoch=not rest)
            if not rest:
                return
            while lane > 0 and (urgent := self._next(Lane(lane - 1))) is not None:
                await self._perform_job(urgent)

    async def _send(self, batch: Sequence[Command], *, with_epoch: bool) -> None:
        believed = self._require_belief()
        texts = [command.text(self._places) for command in batch]
        if with_epoch:
            self.epoch += 1
            texts.append(SetMap(META, "epoch", str(self.epoch)).text(self._places))
            texts.append(f"get map {self._places.map(META)} epoch\n")
        answers = await self._runtime.change(texts)
        for command, answer in zip(batch, answers, strict=False):
            words = command.refusal(answer)
            if words is not None:
                raise RefusedError(command, words)
            apply(believed, command)
            self.counts["commands"] += 1
        if with_epoch and f'value="{self.epoch}"' not in answers[-1]:
            raise RuntimeLostError(f"the epoch read back is not {self.epoch}: {answers[-1].strip()}")

    async def _sweep(self) -> None:
        """One round of tidying up, after a silence: what nothing refers to any more, piece by piece."""
        if len(self._sweeps) < MOST_SWEEPS and await self._woken(
            IDLE_SECONDS if self._sweeps else BUSY_SECONDS
        ):
            return
        if not self._sweeps:
            self._sweeps.extend(self._busy)
            self._busy.clear()
        scope = self._sweeps.popleft()
        for command in plan(self._require_belief().only(scope), self.wanted.only(scope)).later:
            await self._sweep_one(command)
            if await self._woken(SWEEP_PAUSE):
                self._sweeps.append(scope)  # its plan may be another one by then
                return

    async def _sweep_one(self, command: Command) -> None:
        (answer,) = await self._runtime.change([command.text(self._places)])
        words = command.refusal(answer)
        believed = self._require_belief()
        if words is not None and isinstance(command, DelServer) and still_busy(words):
            key = command.backend, command.server
            self._busy.append(Picture(servers={key: believed.servers[key]}))
            return
        if words is not None:
            raise RefusedError(command, words)
        apply(believed, command)
        if isinstance(command, DelServer) and not any(
            slot == command.backend for slot, _ in believed.servers
        ):
            self._on_emptied(command.backend)

    async def _woken(self, seconds: float | None) -> bool:
        """Wait for new work, at most ``seconds``; whether there is some."""
        if self._next() is None and self._believed is not None:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
        return self._next() is not None or self._believed is None

    # -- doubt ---------------------------------------------------------------------------------------

    def distrust(self, why: str) -> None:
        """HAProxy may not hold what we believe (another worker, a restart): read it anew."""
        log.info("reading HAProxy anew", why=why)
        self.trouble = why
        self._believed = None
        self._wake.set()

    async def _resync(self) -> None:
        """Read HAProxy whole, bring it to the wanted picture, and with that finish every job."""
        self._believed = believed = await read_picture(self._runtime, self._places)
        self._sweeps.clear()
        self._busy.clear()
        jobs = {unit: (job, len(job.scopes), list(job.done)) for unit, job in self._jobs.items()}
        steps = plan(believed, self.wanted)
        await self._perform([each for each in steps.now if each not in self._skipped], Lane.SITES)
        self._sweeps.append(believed.beyond(self.wanted))
        for unit, (job, scopes, waiting) in jobs.items():
            if self._jobs.get(unit) is job:
                self._finish(job, scopes, waiting)
        if not self._skipped:
            self.trouble = ""
        self.synced.set()

    def _finish(self, job: Job, scopes: int, waiting: list[asyncio.Future[None]]) -> None:
        """The first ``scopes`` of a job are in force, or will never be: tell those who wait."""
        named = job.scopes[:scopes]
        left = (
            plan(self._require_belief().only(*named), self.wanted.only(*named)).now if self._skipped else []
        )
        if len(job.scopes) == scopes:
            self._lanes[lane_of(job.unit)].remove(job.unit)
            del self._jobs[job.unit]
        else:
            job.scopes, job.done = job.scopes[scopes:], job.done[len(waiting) :]
        for future in waiting:
            if future.done():
                continue
            if left:
                future.set_exception(
                    error(f"HAProxy refuses this: {self.trouble}", "see 'holdfast edge diff'")
                )
            else:
                future.set_result(None)

    def _note_refusal(self, refused: RefusedError) -> None:
        """A command refused twice in a row on a fresh reading is left out, so that it holds up nothing
        else; whoever asked for it is told, and it is tried again when HAProxy is next read."""
        self.counts["refused"] += 1
        if refused.command in self._refused:
            self._skipped.add(refused.command)
        self._refused.add(refused.command)
        self.distrust(f"HAProxy refused {refused}")

    def _require_belief(self) -> Picture:
        if self._believed is None:
            raise RuntimeLostError(self.trouble)
        return self._believed

    # -- for others ----------------------------------------------------------------------------------

    def freeze_sites(self, frozen: bool) -> None:
        """During a reload only enforcement and mitigations go on; the rest waits for the new worker."""
        self._ceiling = Lane.MITIGATION if frozen else Lane.SITES
        self._wake.set()

    async def difference(self) -> Plan:
        """What HAProxy holds against what it should hold, read now. Empty when they are equal."""
        return plan(await read_picture(self._runtime, self._places), self.wanted)

    def occupied(self) -> set[str]:
        """The slots that have a server in them."""
        return {slot for slot, _ in self._believed.servers} if self._believed else set()


def _batch(commands: list[Command], places: Places) -> tuple[list[Command], list[Command]]:
    size = 0
    for number, command in enumerate(commands):
        size += len(command.text(places))
        if number and (number == BATCH_COMMANDS or size > BATCH_BYTES):
            return commands[:number], commands[number:]
    return commands, []
