"""``python -m bench.ledger [--quick]``: logs of several sizes, measured; the last line is JSON."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.ledger import report, work
from bench.ledger.figures import (
    HUNDRED_THOUSAND,
    MILLION,
    Appends,
    Batches,
    Reads,
    Stage,
    as_json,
    milliseconds,
)
from holdfast.ledger.log import Log
from holdfast.ledger.note import ED25519, Ed25519Signer, SignerKey

RESULTS: Final = Path(__file__).parent.parent / "results"
SIZES: Final = (1_000, 10_000, HUNDRED_THOUSAND, MILLION)
"""Of a log before it is measured; the first is left out of a quick run."""
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - below it the name is random
"""A quick run has the million there: a disk may need half a minute to remove as many files again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each thing is done."""

    proofs: int
    rounds: int
    singles: int
    """In each round; so are those that follow."""
    published: int


QUICK: Final = Pace(proofs=200, rounds=2, singles=60, published=8)
FULL: Final = Pace(proofs=1_000, rounds=5, singles=300, published=60)

begun = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:6.1f} s] {words}", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Running:
    """A size that is being measured."""

    place: Path
    process: ProcessPoolExecutor
    reads: Reads
    is_on_disk: bool
    appends: list[Appends] = field(default_factory=list)
    batches: list[Batches] = field(default_factory=list)

    def append(self, pace: Pace) -> None:
        done = self.process.submit(work.append, self.place, pace.singles, pace.published)
        self.appends.append(done.result())

    def batch(self) -> None:
        self.batches.append(self.process.submit(work.batches, self.place).result())

    def stage(self) -> Stage:
        return Stage(self.reads, self.appends, self.batches, self.process.submit(work.memory).result())


def turns(running: Sequence[Running], number: int) -> list[Running]:
    """Another one begins each round."""
    first = number % len(running)
    return [*running[first:], *running[:first]]


@contextmanager
def empty(within: Path | None) -> Iterator[Path]:
    """The directory of a new log."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=within) as made:
        key = SignerKey("bench.example/log", ED25519, secrets.token_bytes(32))
        Log.create(Path(made), Ed25519Signer(key), key).close()
        yield Path(made)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, no files")
    is_quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    sizes, pace = (SIZES[1:], QUICK) if is_quick else (SIZES, FULL)
    with ExitStack() as stack:
        running = []
        for size in sizes:
            is_in_memory = is_quick and size == MILLION and os.access(MEMORY, os.W_OK)
            place = stack.enter_context(empty(MEMORY if is_in_memory else None))
            process = stack.enter_context(ProcessPoolExecutor(1, multiprocessing.get_context("spawn")))
            is_checked = not is_quick or size < MILLION
            reads = process.submit(work.read, place, size, pace.proofs, is_checked).result()
            running.append(Running(place, process, reads, is_on_disk=not is_in_memory))
            say(f"{size:,} entries, {report.machine(place)}: a proof in {milliseconds(reads.proofs):.2f} ms")
        for number in range(pace.rounds):
            for each in turns([each for each in running if each.is_on_disk], number):
                each.append(pace)
            say(f"round {number + 1} of {pace.rounds}, one at a time")
        for number in range(pace.rounds):
            for each in turns([each for each in running if each.is_on_disk], number):
                each.batch()
            say(f"round {number + 1} of {pace.rounds}, batches")
        stages = [each.stage() for each in running]
        machine = report.machine(running[0].place)
    print(report.terminal(stages, load))
    if not is_quick:
        report.write(RESULTS, stages, load, f"{datetime.now(UTC):%Y-%m-%d}", machine)
        say(f"written: {RESULTS}/ledger.md and ledger.png")
    print(json.dumps(as_json(stages)))


if __name__ == "__main__":
    main()
