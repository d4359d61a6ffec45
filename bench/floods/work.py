"""Doing a proof of work: in a process of its own, so that whoever has to keep time is not held up.

A search takes this machine's time, as it would take a bot's; a visitor's own machine is slower, so that a
visitor waits for as long as that would take (``device_seconds``), or for the search here if that is longer.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import asdict
from hashlib import sha256
from queue import SimpleQueue
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
    """A process that searches, one piece of work after the other, begun with the first one. ``close`` ends
    it; what is not solved by then never is."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Work, Future[int | None]]] = SimpleQueue()
        self._process: subprocess.Popen[str] | None = None

    def solve(self, work: Work) -> Future[int | None]:
        """The number; None where there is none."""
        if self._process is None:
            command = [sys.executable, "-m", "bench.floods.work"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            threading.Thread(target=self._serve, args=(self._process,), daemon=True).start()
        found: Future[int | None] = Future()
        self._waiting.put((work, found))
        return found

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _serve(self, process: subprocess.Popen[str]) -> None:
        """In a thread of its own, until the process has ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        while True:
            work, found = self._waiting.get()
            try:
                process.stdin.write(json.dumps(asdict(work)) + "\n")
                process.stdin.flush()
            except OSError:
                return
            if not (line := process.stdout.readline()):
                return
            found.set_result(json.loads(line))


def main() -> None:
    """The process: a line of JSON for each piece of work, and one for what was found."""
    end_with_parent()
    os.nice(POLITE)
    for line in sys.stdin:
        print(json.dumps(search(Work(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
