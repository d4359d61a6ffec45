"""Tells people and programs that an attack begins, changes or ends: by e-mail and by webhook.

Every receiver has a backlog and a task of its own, and every try a thread of its own with an end, so that a
dead receiver delays neither another one nor the agent. What has not been delivered when the agent stops is
lost: alerts are not kept on a disk, and the attack's record is elsewhere. What is said is in ``alert_words``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from holdfast.edge.traffic.alert_backlog import Backlog, Waiting
from holdfast.edge.traffic.alert_receivers import Cord, Receiver, is_final, why
from holdfast.edge.traffic.alert_words import Alert, is_host, plain

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, and how many."""

    first_pause: float = 1.0
    """After the first try that fails; it doubles with each."""
    longest_pause: float = 300.0
    deadline: float = 3600.0
    """An alert that was told so long ago is given up."""
    one_try: float = 30.0
    merge: float = 60.0
    """Changes of one attack are merged for so long."""
    backlog: int = 64
    """Alerts that wait for one receiver."""


class Alerts:
    """Tells the receivers. ``edge`` is this machine's name, as mail servers and threads of mails know it."""

    def __init__(
        self,
        receivers: Iterable[Receiver],
        edge: str,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._edge = edge if is_host(edge) else "localhost"
        self._patience = patience
        self._clock = clock
        self._lanes = [
            (each, Backlog(patience.backlog, patience.merge, clock), asyncio.Event()) for each in receivers
        ]
        self.delivered: Counter[str] = Counter()
        """By label of the receiver, as all of these."""
        self.failed: Counter[str] = Counter()
        """Tries."""
        self.given_up: Counter[str] = Counter()

    @property
    def dropped(self) -> Counter[str]:
        """Alerts that found no room, or that made room."""
        return self._backlog_count("dropped")

    @property
    def merged(self) -> Counter[str]:
        """Changes that another one stands for."""
        return self._backlog_count("merged")

    @property
    def waiting(self) -> Counter[str]:
        """Alerts whose turn has not come."""
        total: Counter[str] = Counter()
        for receiver, backlog, _ in self._lanes:
            total[receiver.label] += len(backlog)
        return total

    def _backlog_count(self, what: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for receiver, backlog, _ in self._lanes:
            total[receiver.label] += backlog.counts[what]
        return total

    def tell(self, alert: Alert) -> None:
        """Returns at once. For the agent's own thread, before ``run`` or while it runs."""
        for receiver, backlog, news in self._lanes:
            if receiver.customer in (None, alert.customer) and receiver.site in (None, alert.site):
                backlog.add(alert)
                news.set()

    async def run(self) -> None:
        """Deliver until cancelled; then tries under way are broken off, and nobody waits for them."""
        async with asyncio.TaskGroup() as group:
            for receiver, backlog, news in self._lanes:
                group.create_task(self._serve(receiver, backlog, news))

    async def _serve(self, receiver: Receiver, backlog: Backlog, news: asyncio.Event) -> None:
        while True:
            news.clear()
            turn = backlog.take()
            if isinstance(turn, Waiting):
                await self._deliver(receiver, turn)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(turn) else turn):
                    await news.wait()

    async def _deliver(self, receiver: Receiver, turn: Waiting) -> None:
        alert, label = turn.whole(), receiver.label
        note = log.bind(to=label, attack=plain(alert.attack), alert=alert.event)
        pause = self._patience.first_pause
        while True:
            left = turn.told + self._patience.deadline - self._clock()
            if left <= 0:
                self.given_up[label] += 1
                note.error("an alert was given up: its receiver could not be reached in time")
                return
            try:
                seconds = min(self._patience.one_try, left)
                await _in_thread(functools.partial(receiver.send, alert, self._edge, seconds), seconds)
            except Exception as failed:
                self.failed[label] += 1
                if is_final(failed):
                    self.given_up[label] += 1
                    note.error("an alert was given up: its receiver refuses it", why=why(failed))
                    return
                note.warning("an alert is not delivered yet", why=why(failed), again_in=pause)
            else:
                self.delivered[label] += 1
                return
            await asyncio.sleep(min(pause, max(0.0, turn.told + self._patience.deadline - self._clock())))
            pause = min(2 * pause, self._patience.longest_pause)


async def _in_thread(work: Callable[[Cord], None], seconds: float) -> None:
    """``work`` in a thread of its own. Not the loop's pool: its threads are few, shared, and waited for when
    the agent stops. Raises what it raises, TimeoutError after ``seconds``."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    cord = Cord()

    def settle(failed: Exception | None) -> None:
        if not done.done():
            done.set_result(None) if failed is None else done.set_exception(failed)

    def body() -> None:
        failed: Exception | None = None
        try:
            work(cord)
        except Exception as raised:
            failed = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, failed)

    threading.Thread(target=body, name="alert", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done
    finally:
        cord.cut()
