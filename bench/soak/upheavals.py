"""Reloads of HAProxy and restarts of the agent, at random times: none of them may harm a request."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter

from bench.edge import Edge
from bench.soak.changes import Asker
from bench.soak.history import RELOAD
from bench.soak.ledger import Ledger

RELOAD_KIND, KILLED_IN_RELOAD = "reload", "agent killed during a reload"
ENDS = {
    "agent ended (SIGUSR1)": signal.SIGUSR1,
    "agent killed": signal.SIGKILL,
    KILLED_IN_RELOAD: signal.SIGKILL,
}
"""SIGTERM is not among them: it ends HAProxy as well, and is how the soak ends."""


class Upheavals:
    """``draw`` decides when; ``reload_every`` and ``restart_every`` are seconds, on average."""

    def __init__(self, edge: Edge, asker: Asker, ledger: Ledger, draw: random.Random) -> None:
        self._edge = edge
        self._asker = asker
        self._ledger = ledger
        self._draw = draw
        self.made: Counter[str] = Counter()

    def run(self, stop: threading.Event, reload_every: float, restart_every: float) -> None:
        """Until ``stop``. The ways to restart take turns, so that a short soak has each."""
        ends = list(ENDS)
        self._draw.shuffle(ends)
        with contextlib.closing(self._asker):
            reload_at, restart_at = self._after(reload_every), self._after(restart_every)
            while not stop.wait(max(0.0, min(reload_at, restart_at) - time.monotonic())):
                if reload_at <= restart_at:
                    self._guarded(RELOAD_KIND)
                    reload_at = self._after(reload_every)
                else:
                    self._guarded(ends[self._restarts() % len(ends)])
                    restart_at = self._after(restart_every)

    @property
    def reloads(self) -> int:
        return self.made[RELOAD_KIND]

    @property
    def most_reloads(self) -> int:
        """That HAProxy can have made: an agent that was killed may have come to it."""
        return self.made[RELOAD_KIND] + self.made[KILLED_IN_RELOAD]

    def _restarts(self) -> int:
        return sum(self.made[kind] for kind in ENDS)

    @property
    def restarts(self) -> dict[str, int]:
        return {kind: self.made[kind] for kind in ENDS}

    def _after(self, mean: float) -> float:
        return time.monotonic() + mean * self._draw.uniform(0.6, 1.4)

    def _guarded(self, kind: str) -> None:
        self.made[kind] += 1
        began = time.monotonic()
        try:
            with self._ledger.doing(kind, big=True):
                if kind == RELOAD_KIND:
                    self._reload()
                else:
                    self._restart(kind)
        except (RuntimeError, OSError) as failed:
            self._ledger.fail("upheaval", kind, f"{type(failed).__name__}: {failed}", began, time.monotonic())

    def _reload(self) -> None:
        span = self._ledger.history.begin(RELOAD, time.monotonic())
        self._asker.insist(lambda _: self._asker.ask("reload"))
        span.over = time.monotonic()

    def _restart(self, kind: str) -> None:
        """The agent ends, and the next one adopts HAProxy; changes go on to be asked for meanwhile."""
        span = None
        if kind == KILLED_IN_RELOAD:
            span = self._ledger.history.begin(RELOAD, time.monotonic())
            threading.Thread(target=self._ask_in_vain, daemon=True).start()
            time.sleep(self._draw.uniform(0.0, 0.4))
        status = self._edge.end_agent(ENDS[kind])
        expected = 0 if ENDS[kind] is signal.SIGUSR1 else -signal.SIGKILL
        self._edge.up()
        self._asker.close()
        self._asker.insist(lambda _: self._asker.ask("status"))
        if span is not None:
            span.over = time.monotonic()
        if status != expected:
            raise RuntimeError(f"the agent ended with status {status} instead of {expected}")

    def _ask_in_vain(self) -> None:
        """Ask for a reload of which no answer may come."""
        asker = Asker(self._edge)
        with contextlib.closing(asker), contextlib.suppress(OSError, RuntimeError):
            asker.ask("reload")
