"""What processes use, from /proc (proc(5)): memory and processor time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2
"""Which clock of a process, in the lowest bits of its number (linux/posix-timers.h)."""


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


def resident(pid: int) -> float:
    """The resident size of one process, in MiB. Raises OSError when it has ended."""
    return _mib(pid, "VmRSS")


def cpu(agent: int, haproxy: Iterable[int]) -> Cpu:
    return Cpu(_of_machine(), _of(_family()), _of(haproxy), _of([agent]))


def spent(pid: int) -> float:
    """Seconds of processor time that a process has used, with all its threads.

    This is the user and system time of /proc/PID/stat, from the clock behind it (clock_getcpuclockid(3)):
    stat itself counts in hundredths, which is coarse for what lasts a fifth of a second."""
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def threads(pid: int) -> list[float]:
    """Seconds of processor time that each thread of a process has used, the first one's first
    (/proc/PID/task/TID/schedstat)."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
    return [int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks]


def children(pid: int) -> list[int]:
    """The processes that it has started and that live, the oldest first."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
