"""What all peers have in common: limits, programs, a start that leaves nothing behind when it fails."""

from __future__ import annotations

from collections.abc import Sequence

from bench.floods.contestant import World
from bench.floods.log import Visit
from bench.floods.peers.calm import Calm, CalmProfile, Limits
from bench.floods.peers.running import Programs
from bench.floods.visits import requests


class Base:
    """The obligations of ``contestant.Contestant``. A peer adds its name, ``is_available``, which says why it
    can not run on this machine (None: it can), and ``_bring_up``, which returns when it serves."""

    name: str

    def __init__(self) -> None:
        self.limits = Limits()
        self._programs: Programs | None = None

    def is_available(self) -> str | None:
        raise NotImplementedError

    def prepare(self, world: World, visits: Sequence[Visit]) -> None:
        plan = world.calm
        end = max((each.start + each.visit.requests[-1].offset for each in plan), default=0.0)
        self.tune(CalmProfile.of((moment, each.visit.address) for moment, each, _ in requests(plan, end)))

    def tune(self, calm: Calm) -> None:
        """Before ``start``: take the limits from calm traffic."""
        self.limits = Limits.above(calm)

    def start(self, world: World) -> None:
        self._programs = Programs(world.edge_namespace, world.directory.resolve() / self.name)
        try:
            self._programs.begin()
            self._bring_up(self._programs, world)
        except BaseException:
            self.stop()
            raise

    def train(self, visits: Sequence[Visit]) -> None:
        """Nothing: all that it learns it has been told before its start."""

    def stop(self) -> None:
        if self._programs is not None:
            self._programs.end()
            self._clear(self._programs)

    def cpu_seconds(self) -> float:
        return self._programs.cpu() if self._programs else 0.0

    def alarms(self) -> int:
        return 0

    def log_tail(self) -> str:
        return self._programs.tail() if self._programs else ""

    def _bring_up(self, programs: Programs, world: World) -> None:
        raise NotImplementedError

    def _clear(self, programs: Programs) -> None:
        """Take back what outlives the processes."""

    def _count(self, log: str, words: str) -> int:
        """In how many lines of a log some words occur."""
        file = self._programs.directory / log if self._programs else None
        if file is None or not file.exists():
            return 0
        with file.open(errors="replace") as lines:
            return sum(words in line for line in lines)
