"""What the edge's processes use, every so often, and whether that is flat."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.edge import Edge
from bench.soak.flat import Flatness, Point, flatness
from bench.soak.ledger import Ledger
from bench.usage import resident


@dataclass(frozen=True, slots=True)
class Use:
    """Of one process."""

    pid: int
    memory: float
    """Resident, in MiB."""
    descriptors: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment, in seconds since the ledger's beginning."""

    at: float
    agent: Use | None
    """None while it is restarted."""
    worker: Use | None
    """The worker that takes new connections; None while the master has no answer."""
    leaving: tuple[Use, ...]
    rate: float
    unexplained: int


@dataclass
class Sampler:
    """Takes them in a thread. ``rate`` tells the bulk's requests a second, ``checked`` how many requests
    the checked clients have made."""

    edge: Edge
    ledger: Ledger
    rate: Callable[[], float]
    checked: Callable[[], int]
    samples: list[Sample] = field(default_factory=list)
    workers: list[int] = field(default_factory=list)
    """Each worker that was seen to take connections."""

    def run(self, stop: threading.Event, seconds: float, tell: Callable[[Sample], None]) -> None:
        """Until ``stop``."""
        before, then = self.checked(), time.monotonic()
        while not stop.wait(seconds):
            count, now = self.checked(), time.monotonic()
            sample = self.take(self.rate() + (count - before) / (now - then))
            before, then = count, now
            self.samples.append(sample)
            tell(sample)

    def take(self, rate: float = 0.0) -> Sample:
        """One sample."""
        found, agent = self.edge.found(), self.edge.agent
        # While the master has no answer the worker that was seen last is most likely still the one.
        pid = found.worker if found else next(reversed(self.workers), None)
        worker = use(pid) if pid else None
        if worker is not None and worker.pid not in self.workers:
            self.workers.append(worker.pid)
        leaving = [each for pid in (found.leaving if found else ()) if (each := use(pid))]
        return Sample(
            self.ledger.now,
            use(agent) if agent else None,
            worker,
            tuple(leaving),
            rate,
            self.ledger.unexplained,
        )


def use(pid: int) -> Use | None:
    """None when it has ended."""
    try:
        return Use(pid, resident(pid), len(os.listdir(Path(f"/proc/{pid}/fd"))))
    except OSError:
        return None


def judged(
    samples: Sequence[Sample], begin: float, end: float, floors: tuple[float, float]
) -> list[Flatness]:
    """Memory and descriptors of HAProxy's worker and of the agent; ``floors`` are MiB and descriptors.
    Workers that are leaving are not added: there are some for a while after each reload, and in the end there
    must be none (see ``aftermath``)."""
    worker = [(each.at, each.worker) for each in samples if each.worker]
    agent = [(each.at, each.agent) for each in samples if each.agent]
    result = []
    for name, uses in (("HAProxy", worker), ("agent", agent)):
        memory = [Point(at, used.pid, used.memory) for at, used in uses]
        files = [Point(at, used.pid, used.descriptors) for at, used in uses]
        result.append(flatness(f"{name} memory", "MiB", memory, begin, end, floors[0]))
        result.append(flatness(f"{name} descriptors", "", files, begin, end, floors[1]))
    return result
