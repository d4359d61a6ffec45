"""What the process of one size does: fill a log, prove from it and check it; then, each time it is its turn,
append. Each size has a process of its own, so that what it holds at most is known."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.ledger.figures import Appends, Batches, Reads
from holdfast.ledger.files import Files
from holdfast.ledger.fsck import fsck
from holdfast.ledger.log import Log
from holdfast.ledger.merkle import leaf_hash, verify_inclusion
from holdfast.ledger.source import FolderSource

BATCH: Final = 1_000
BATCHES: Final = 10
"""Between two checkpoints."""
_ENTRY: Final = (
    '{{"commitments":{{"by":"sha256:{0:064x}"}},"kind":"block","public":{{"id":"D-{0}"}},"time":{0}}}'
)


class Hasty(Files):
    """Syncs nothing: to fill a log quickly. What it has written is synced at the end."""

    def sync(self, descriptor: int) -> None:
        pass


def entries(start: int, count: int) -> list[bytes]:
    """As Holdfast writes them, smaller than most."""
    return [_ENTRY.format(number).encode() for number in range(start, start + count)]


def read(place: Path, size: int, proofs: int, is_checked: bool) -> Reads:
    """Fill the new log in ``place``, and read from it."""
    loaded = fill(place, size)
    with Log.open(place) as log:
        checked = check(log, place, size) if is_checked else None
        return Reads(size, loaded, *prove(log, size, proofs), checked)


def fill(place: Path, size: int) -> float:
    """Up to ``size``, published; entries a second."""
    began = time.perf_counter()
    with Log.open(place, files=Hasty()) as log:
        for start in range(0, size, 10 * BATCH):
            log.append(entries(start, min(10 * BATCH, size - start)))
        assert log.publish().checkpoint.size == size
    taken = time.perf_counter() - began
    os.sync()
    return size / taken


def check(log: Log, place: Path, size: int) -> float:
    """Seconds of a whole check, which finds nothing."""
    began = time.perf_counter()
    report = fsck(FolderSource(place), log.storage.key)
    taken = time.perf_counter() - began
    assert report.checkpoint is not None
    assert (report.checkpoint.size, report.problems) == (size, ())
    return taken


def prove(log: Log, size: int, count: int) -> tuple[list[float], list[float]]:
    """Inclusion proofs of random entries, and consistency proofs from random sizes; each checked."""
    chosen = random.Random(6)
    inclusion, consistency = [], []
    head = log.checkpoint().checkpoint
    for _ in range(count):
        index = chosen.randrange(size)
        began = time.perf_counter()
        proof = log.prove(index)
        inclusion.append(time.perf_counter() - began)
        verify_inclusion(leaf_hash(log.entry(index)), index, size, proof.hashes, head.root)
        consistency.append(timed(partial(log.consistency, 1 + index, size)))
    return inclusion, consistency


def append(place: Path, singles: int, published: int) -> Appends:
    """The disk's own sync and an append, in turn; then appends with a checkpoint each."""
    beside = place / "beside"
    synced, single = [], []
    with Log.open(place) as log, beside.open("ab", buffering=0) as file:
        for entry in entries(0, singles):
            synced.append(timed(partial(write, file.fileno(), entry)))
            single.append(timed(partial(log.append, [entry])))
        log.publish()
        each = [timed(partial(one, log, entry)) for entry in entries(0, published)]
    beside.unlink()
    return Appends(synced, single, each)


def write(descriptor: int, data: bytes) -> None:
    os.write(descriptor, data)
    os.fsync(descriptor)


def one(log: Log, entry: bytes) -> None:
    log.append([entry])
    log.publish()


def batches(place: Path) -> Batches:
    """Ten appends of a thousand; and once more with a checkpoint at the end."""
    several = [entries(number * BATCH, BATCH) for number in range(BATCHES)]
    with Log.open(place) as log:
        unpublished = timed(lambda: [log.append(each) for each in several])
        log.publish()
        published = timed(lambda: ([log.append(each) for each in several], log.publish()))
        assert log.pending == 0
    return Batches(BATCH * BATCHES / unpublished, BATCH * BATCHES / published)


def memory() -> int:
    """Bytes: the most that this process ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
