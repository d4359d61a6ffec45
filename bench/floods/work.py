"""Doing a proof of work: in processes of their own, so that whoever has to keep time is not held up.

A search takes this machine's time, as it would take a bot's; a visitor's own machine is slower, so that a
visitor waits for as long as that would take (``device_seconds``), or for the search here if that is longer.
"""

from __future__ import annotations

import multiprocessing
import os
import random
from concurrent.futures import Future, ProcessPoolExecutor
from hashlib import sha256
from typing import Final

from bench.floods.answers import Work
from bench.floods.processes import end_with_parent

TRIES_PER_SECOND: Final = (100_000, 350_000)
"""What visitors' machines do: from an old telephone to an ordinary one."""
POLITE: Final = 10
"""How much the searching steps back behind what is measured."""


def search(work: Work) -> int | None:
    """The number that is asked for; None where there is none."""
    goal, salted = bytes.fromhex(work.goal), sha256(work.salt.encode())
    for number in range(work.most):
        tried = salted.copy()
        tried.update(b"%d" % number)
        if tried.digest() == goal:
            return number
    return None


def device_seconds(visitor: str, number: int) -> float:
    """How long a visitor's machine takes until it comes to that number; the same for the same visitor."""
    return number / random.Random(f"device {visitor}").uniform(*TRIES_PER_SECOND)


class Solvers:
    """Processes that search, begun with the first piece of work. ``close`` ends them."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def solve(self, work: Work) -> Future[int | None]:
        if self._pool is None:
            # Not forked: who asks has loops and sockets of its own.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, spawn, _begin)
        return self._pool.submit(search, work)

    def close(self) -> None:
        """What is not solved by now is not solved any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _begin() -> None:
    end_with_parent()
    os.nice(POLITE)
