"""What processes use, from /proc (proc(5)): memory and processor time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident sizes in MiB; HAProxy's is that of its master and its workers together."""

    agent: float
    agent_peak: float
    haproxy: float

    @property
    def total(self) -> float:
        return self.agent + self.haproxy


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time used so far: by anybody, by us and all that we started, by two of those."""

    machine: float
    family: float
    haproxy: float
    agent: float


def memory(agent: int, haproxy: Iterable[int]) -> Memory:
    """Of the processes of these numbers."""
    return Memory(
        agent=_mib(agent, "VmRSS"),
        agent_peak=_mib(agent, "VmHWM"),
        haproxy=sum(_mib(pid, "VmRSS") for pid in haproxy),
    )


def cpu(agent: int, haproxy: Iterable[int]) -> Cpu:
    return Cpu(_of_machine(), _of(_family()), _of(haproxy), _of([agent]))


def age(pid: int) -> float:
    """Seconds since a process was started, to a hundredth."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[19]) / TICKS


def _of(pids: Iterable[int]) -> float:
    used = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            user, system = _stat(pid)[11:13]
            used += int(user) + int(system)
    return used / TICKS


def _of_machine() -> float:
    columns = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    user, nice, system, _, _, interrupts, soft_interrupts = (int(ticks) for ticks in columns)
    return (user + nice + system + interrupts + soft_interrupts) / TICKS


def _family() -> set[int]:
    """We and everything that descends from us and lives."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _stat(pid: int) -> list[str]:
    """The fields from the third on: the second, the name, may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
