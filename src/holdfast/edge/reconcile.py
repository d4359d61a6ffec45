"""The one writer: brings HAProxy from what it holds to what it should hold, most urgent first.

The Runtime API has no transactions. So every round of jobs is planned from belief when its turn comes, every
answer is checked, an epoch is written last and read back, and at the first doubt (a refused command, a lost
connection, a worker that has changed) belief is thrown away: HAProxy is read whole and everything that
differs is planned anew. What is in force stays in force meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import structlog

from holdfast.edge.dataplane.commands import (
    AddMap,
    Command,
    DelMap,
    DelServer,
    Places,
    RetireServer,
    SetMap,
    UnlistCertificate,
    still_busy,
)
from holdfast.edge.dataplane.effect import apply
from holdfast.edge.dataplane.picture import META, ORDER, Picture
from holdfast.edge.dataplane.plan import ENFORCEMENT_MAPS, Plan, plan
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.desired import Unit
from holdfast.edge.queue import Lane, Queue, Round, lane_of
from holdfast.edge.read import read_maps, read_meta, read_picture
from holdfast.edge.refusals import Refusals, RefusedError
from holdfast.model.errors import error

BATCH_COMMANDS = 24
BATCH_BYTES = 12_000
IDLE_SECONDS = 0.3
"""Sweeping waits for this much silence: deleting from the big map holds the traffic for milliseconds."""
LONGEST_IDLE_WAIT = 2.0
"""After so long without any silence sweeping goes on between two rounds: slots must become free again."""
SWEEP_PAUSE = 0.02
DUE_PAUSE = 0.1
BUSY_SECONDS = 0.5
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
"""Before HAProxy is read anew after it was lost or has refused something."""

log = structlog.get_logger()


class Reconciler:
    """Owns belief, wanted picture and the queue. One task runs ``run``; everybody else calls ``settle``."""

    def __init__(
        self,
        runtime: Runtime,
        places: Places,
        facts: Callable[[Unit], Picture],
        *,
        on_block: Callable[[Sequence[Command]], Awaitable[None]],
        on_slots: Callable[[set[str]], None],
        on_synced: Callable[[], None] = lambda: None,
        on_held: Callable[[Iterable[Unit]], None] = lambda units: None,
    ) -> None:
        """``on_block`` is told the commands of each enforcement (for workers that are leaving); ``on_slots``
        which slots have servers in them, after each reading and whenever one has become empty; ``on_synced``
        that HAProxy has been read anew and holds what it should; ``on_held`` which blocks are in force at a
        worker that is about to be replaced (see ``handing_over``)."""
        self.wanted = Picture()
        self.epoch = 0
        self.counts: Counter[str] = Counter()
        self.version = 0
        """Grows with every change of ``rendering``: what was rendered at an older version is stale."""
        self.synced = asyncio.Event()
        """Set while nothing is in doubt: HAProxy has been read whole and brought to the wanted picture."""
        self._runtime = runtime
        self._places = places
        self._facts = facts
        self._on_block = on_block
        self._on_slots = on_slots
        self._on_synced = on_synced
        self._on_held = on_held
        self._believed: Picture | None = None
        self._doubt = ""
        self._parts: dict[Unit, Picture] = {}
        self._queue = Queue()
        self._refusals = Refusals()
        self._sweeps: deque[Picture] = deque()
        self._busy: list[Picture] = []
        self._sweep_after = 0.0
        self._frozen = 0
        self._wake = asyncio.Event()
        self._doubted = asyncio.Event()

    # -- what should be ------------------------------------------------------------------------------

    def begin(self, units: Iterable[Unit]) -> None:
        """Take the facts of all units as wanted, before the first reading: that brings them in force."""
        self._take(units)

    def want(self, units: Iterable[Unit]) -> list[Unit]:
        """Take the present facts of ``units``, all of one change, as wanted and queue them."""
        changed = self._take(units)
        self._queue.put(changed)
        self._wake.set()
        return list(changed)

    def _take(self, units: Iterable[Unit]) -> dict[Unit, tuple[Picture, Picture]]:
        ordered = sorted(set(units), key=lambda unit: (lane_of(unit), unit))
        news = {unit: self._facts(unit) for unit in ordered}  # all of them first: one may raise
        olds = {unit: self._parts.pop(unit, Picture()) for unit in ordered}
        for part in olds.values():
            self.wanted.remove(part)
        for unit, part in news.items():
            self.wanted.add(part)
            if part.maps or part.servers:
                self._parts[unit] = part
        self._refusals.prune(self.wanted)
        self.version += 1
        return {unit: (olds[unit], news[unit]) for unit in ordered}

    async def settle(self, units: Iterable[Unit]) -> None:
        """Take the present facts of ``units`` as wanted and return when they are in force.

        Raises HoldfastError when HAProxy refuses them for good.
        """
        loop = asyncio.get_running_loop()
        waits = []
        for unit in self.want(units):
            waits.append(loop.create_future())
            self._queue.wait(unit, waits[-1])
        await asyncio.gather(*waits)

    def rendering(self) -> Picture:
        """What a start should begin with: the wanted picture, without what HAProxy refuses."""
        return self._refusals.without(self.wanted)

    # -- the writer ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write until cancelled."""
        failures = 0
        while True:
            try:
                if self._believed is None:
                    self._doubted.clear()
                    await self._resync()
                    failures = 0
                await self._work()
            except RuntimeLostError as lost:
                self._runtime.reconnect()
                self._lose_belief(str(lost))
            except RefusedError as refused:
                self._lose_belief(f"HAProxy refused {refused}")
            else:
                continue
            with contextlib.suppress(
                TimeoutError
            ):  # who casts doubt knows of another HAProxy: no waiting then
                async with asyncio.timeout(min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)):
                    await self._doubted.wait()
            failures += 1

    async def _work(self) -> None:
        while self._believed is not None:
            lane = self._queue.next()
            if lane is not None:
                await self._perform_round(lane)
                if not self._sweep_is_due():
                    continue
            if (self._sweeps or self._busy) and not self._sites_are_frozen():
                await self._sweep()
            else:
                await self._woken(None)

    async def _perform_round(self, lane: Lane, *, fresh: bool = False) -> None:
        """Plan the jobs of a lane from belief, perform them, confirm them by the epoch. They leave the queue
        only then: after a failure they are planned again."""
        believed = self._require_belief()
        taken = self._queue.take(lane)
        steps = plan(believed.only(*taken.scopes), self.wanted.only(*taken.scopes))
        now = [each for each in steps.now if not _deletes(each, taken)]
        await self._perform(now, lane, fresh=fresh)
        if lane is Lane.ENFORCEMENT:
            await self._on_block(now)
        believed = self._require_belief()
        if steps.later:
            self._add_sweep(believed.only(*taken.scopes).beyond(self.wanted))
        self._finish(taken)
        if self._queue.is_holding and lane is Lane.ENFORCEMENT:
            self._on_held([unit for unit, _, _ in taken.jobs])

    async def _perform(self, commands: Iterable[Command], lane: Lane, *, fresh: bool = False) -> None:
        """Send commands in batches, letting anything more urgent go between two of them; the epoch last.
        ``fresh``: belief has just been read, so that a refusal is HAProxy's last word."""
        rest = list(commands)
        while True:
            batch, rest = _batch(self._refusals.allowed(rest), self._places)
            await self._send(batch, with_epoch=not rest, fresh=fresh)
            if not rest:
                return
            while lane > 0 and (urgent := self._queue.next(Lane(lane - 1))) is not None:
                await self._perform_round(urgent, fresh=fresh)

    async def _send(self, batch: Sequence[Command], *, with_epoch: bool, fresh: bool) -> None:
        believed = self._require_belief()
        texts = [command.text(self._places) for command in batch]
        if with_epoch:
            self.epoch += 1
            texts.append(SetMap(META, "epoch", str(self.epoch)).text(self._places))
            texts.append(f"get map {self._places.map(META)} epoch\n")
        answers = await self._runtime.change(texts)
        for command, answer in zip(batch, answers, strict=False):
            words = command.refusal(answer)
            if words is None:
                apply(believed, command)
                self._refusals.taken(command)
                self.counts["commands"] += 1
            else:
                self._note_refusal(RefusedError(command, words), fresh)
        if with_epoch and f'value="{self.epoch}"' not in answers[-1]:
            raise RuntimeLostError(f"the epoch read back is not {self.epoch}: {answers[-1].strip()}")

    def _note_refusal(self, refused: RefusedError, fresh: bool) -> None:
        """Leave out what HAProxy refuses for good; raise RefusedError where our belief may be wrong. Of
        several additions to a map some may have been taken: only another reading tells."""
        self.counts["refused"] += 1
        log.warning("HAProxy refused a command", words=str(refused))
        if isinstance(refused.command, AddMap):
            fresh = fresh and self._refusals.is_second(refused)
        if not fresh:
            raise refused
        self._refusals.leave_out(refused)
        self.version += 1

    def _finish(self, taken: Round) -> None:
        """A round is in force, or part of it never will be: tell those who wait, or wait with them."""
        for scopes, waiting in self._queue.finish(taken):
            words = self._refused(scopes) if waiting and self._refusals else ""
            for future in waiting:
                if future.done():
                    continue  # whoever waited has gone
                if words:
                    future.set_exception(error(f"HAProxy refuses this: {words}", "see 'holdfast edge diff'"))
                else:
                    future.set_result(None)

    def _refused(self, scopes: Sequence[Picture]) -> str:
        """HAProxy's words about what is missing in ``scopes`` because it is left out."""
        believed = self._require_belief()
        return self._refusals.about(plan(believed.only(*scopes), self.wanted.only(*scopes)).now)

    # -- tidying up ----------------------------------------------------------------------------------

    def _add_sweep(self, scope: Picture) -> None:
        if not self._sweeps:
            self._sweep_after = asyncio.get_running_loop().time() + LONGEST_IDLE_WAIT
        self._sweeps.append(scope)

    def _sweep_is_due(self) -> bool:
        """Whether sweeping has waited for a silence for too long."""
        now = asyncio.get_running_loop().time()
        return bool(self._sweeps) and not self._sites_are_frozen() and now > self._sweep_after

    async def _sweep(self) -> None:
        """Tidy up what nothing refers to any more: for as long as a silence lasts, else one piece."""
        due = self._sweep_is_due()
        if not due and await self._woken(IDLE_SECONDS if self._sweeps else BUSY_SECONDS):
            return
        if not self._sweeps:
            self._sweeps.extend(self._busy)
            self._busy.clear()
        while self._sweeps:
            scope = self._sweeps.popleft()
            commands = plan(self._require_belief().only(scope), self.wanted.only(scope)).later
            for command in self._refusals.allowed(commands):
                await self._sweep_one(command)
                if due and isinstance(command, DelMap):
                    self._sweep_after = asyncio.get_running_loop().time() + DUE_PAUSE
                if due or await self._woken(SWEEP_PAUSE):
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
            refused = RefusedError(command, words)
            self._note_refusal(refused, fresh=self._refusals.is_second(refused))
            return
        apply(believed, command)
        self._refusals.taken(command)
        if isinstance(command, DelServer):
            self._on_slots({slot for slot, _ in believed.servers})

    async def _woken(self, seconds: float | None) -> bool:
        """Wait for new work, at most ``seconds``; whether there is some."""
        if self._queue.next() is None and self._believed is not None:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
        return self._queue.next() is not None or self._believed is None or self._sites_are_frozen()

    # -- doubt ---------------------------------------------------------------------------------------

    def distrust(self, why: str) -> None:
        """HAProxy is another one than we believe (another worker, a restart): read it anew, at once."""
        log.info("reading HAProxy anew", why=why)
        self._refusals.forget()
        self._lose_belief(why)
        self._doubted.set()

    def _lose_belief(self, why: str) -> None:
        self._doubt = why
        self._believed = None
        self.synced.clear()
        self._wake.set()

    async def _resync(self) -> None:
        """Read HAProxy and bring it to the wanted picture: enforcement as soon as it is read, all else then.

        The queue stays as it is. Its rounds find nothing left to do, but they tell those who wait, and they
        get right what was wanted differently while this went on: nothing here overlaps with what more urgent
        rounds do between two batches. Whoever waits for enforcement or mitigations does not wait for all to
        be read. While sites are frozen only enforcement is read and written.
        """
        self._sweeps.clear()
        self._busy.clear()
        if "epoch" not in await read_meta(self._runtime, self._places):
            await self._runtime.change([AddMap(META, (("epoch", "0"),)).text(self._places)])
        self._believed = believed = await read_maps(self._runtime, self._places, ENFORCEMENT_MAPS)
        blocks = [each for each in self._enforcement_plan().now if not isinstance(each, DelMap)]
        await self._perform(blocks, Lane.ENFORCEMENT, fresh=True)
        await self._on_block(blocks)
        for lane in (Lane.ENFORCEMENT, Lane.MITIGATION):
            if self._queue.next(lane) is lane:
                await self._perform_round(lane, fresh=True)
        if self._sites_are_frozen():
            return
        whole = await read_picture(self._runtime, self._places, ORDER[len(ENFORCEMENT_MAPS) :])
        if self._sites_are_frozen() or self._believed is not believed:
            return
        believed.add(whole)
        steps = plan(believed, self.wanted)
        others = [each for each in steps.now if not _is_about_enforcement(each)]
        await self._perform(others, Lane.SITES, fresh=True)
        await self._perform(self._enforcement_plan().now, Lane.ENFORCEMENT, fresh=True)
        self._on_slots({slot for slot, _ in self._require_belief().servers})
        if steps.later:
            self._add_sweep(believed.beyond(self.wanted))
        self._doubt = ""
        self.synced.set()
        self._on_synced()

    def _enforcement_plan(self) -> Plan:
        """What blocks and bans lack, or have too much."""
        return plan(*(_enforcement(picture) for picture in (self._require_belief(), self.wanted)))

    def _require_belief(self) -> Picture:
        if self._believed is None:
            raise RuntimeLostError(self._doubt)
        return self._believed

    # -- for others ----------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why HAProxy may not hold what it should; '' when it does."""
        return self._doubt or self._refusals.words

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written and HAProxy is believed to hold what it should."""
        return self._queue.next() is None and self.synced.is_set()

    def _sites_are_frozen(self) -> bool:
        return self._frozen > 0

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """During a reload only enforcement and mitigations go on; then HAProxy is read anew."""
        self._frozen += 1
        self._queue.ceiling = Lane.MITIGATION
        self._wake.set()
        try:
            yield
        finally:
            self._frozen -= 1
            if not self._frozen:
                self._queue.ceiling = Lane.SITES
                self.distrust("a reload")

    @contextlib.contextmanager
    def handing_over(self) -> Iterator[None]:
        """While files are rendered and a worker starts on them: nobody is told yet what is put in force now.

        The worker that starts knows what was wanted when its files were rendered. A block or a ban that comes
        later, or is lifted, is at once in force at the worker that we write to; but from an unknown moment on
        the other one takes the new connections. So those who wait are told when both have it: this ends when
        the new worker is known and has been ``distrust``-ed, and its first rounds tell them, or when it is
        known that there will be none. Then whatever was told is also safe from our own death.
        """
        self._queue.hold()
        try:
            yield
        finally:
            self._queue.release()
            self._wake.set()

    async def difference(self) -> Plan:
        """What HAProxy holds against what it should hold, read now. Empty when they are equal."""
        return plan(await read_picture(self._runtime, self._places), self.wanted)


def _deletes(command: Command, taken: Round) -> bool:
    return isinstance(command, DelMap) and (command.map, command.key) in taken.withheld


def _is_about_enforcement(command: Command) -> bool:
    return isinstance(command, AddMap | SetMap | DelMap) and command.map in ENFORCEMENT_MAPS


def _enforcement(picture: Picture) -> Picture:
    return Picture({key: value for key, value in picture.maps.items() if key[0] in ENFORCEMENT_MAPS})


def _batch(commands: list[Command], places: Places) -> tuple[list[Command], list[Command]]:
    """The first of ``commands`` that fit one go. What HAProxy may refuse is answered before anything else is
    sent: nothing leads to a server that was not taken, and what it was to replace is not gone."""
    size = 0
    for number, command in enumerate(commands):
        size += len(command.text(places))
        is_full = number == BATCH_COMMANDS or size > BATCH_BYTES
        if number and (is_full or (_may_be_refused(commands[number - 1]) and not _may_be_refused(command))):
            return commands[:number], commands[number:]
    return commands, []


def _may_be_refused(command: Command) -> bool:
    return not isinstance(command, AddMap | SetMap | DelMap | RetireServer | UnlistCertificate)
