"""Which processor core a process runs on: what is measured has one to itself, all else runs on another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PREFERRED = -15
"""How nice what is measured is, where it must not be disturbed."""


def two_cores() -> tuple[int, int]:
    """The core of what is measured, and that of all else. Raises RuntimeError when there is but one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise RuntimeError("two processor cores are needed: one for the proxy, one for load and origin")
    return usable[0], usable[1]


@contextlib.contextmanager
def on(core: int) -> Iterator[None]:
    """What is started within runs on that core for good: a child inherits it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pids: Iterable[int], core: int) -> None:
    """Move running processes, with all their threads."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(thread.name), {core})


def step_back(pids: Iterable[int]) -> None:
    """Leave these running processes, with all their threads, what nobody else wants of their core."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def preferred(pids: Iterable[int]) -> Iterator[None]:
    """These running processes, with all their threads, come before whatever else runs on this machine; where
    we may not have that (it takes root), they do not."""
    threads = [int(each.name) for pid in pids for each in Path(f"/proc/{pid}/task").iterdir()]
    before = {thread: os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
    try:
        for thread in threads:
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, thread, PREFERRED)
        yield
    finally:
        for thread, was in before.items():
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, thread, was)
