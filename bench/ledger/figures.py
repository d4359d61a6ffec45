"""What is measured of a log at a size, what follows from it, and the targets. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BATCHED: Final = 10_000.0
SINGLE: Final = 200.0
"""Durable appends a second."""
PROOF_MS: Final = 5.0
FSCK_SECONDS: Final = 20.0
MILLION: Final = 1_000_000
HUNDRED_THOUSAND: Final = 100_000
MOST_GROWTH: Final = 1.5
"""Times: between the smallest and the largest log, of what should stay the same."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What is read from a log of ``size`` entries. Times in seconds, one of each call."""

    size: int
    loaded: float
    """Entries a second when it was filled, without syncs."""
    proofs: Sequence[float]
    consistency: Sequence[float]
    fsck: float | None


@dataclass(frozen=True, slots=True)
class Appends:
    """One turn of a size, in seconds."""

    synced: Sequence[float]
    """The disk alone: as many bytes written behind a file as an entry has, and synced."""
    single: Sequence[float]
    """An append of one entry."""
    published: Sequence[float]
    """An append of one entry, and a checkpoint of it."""


@dataclass(frozen=True, slots=True)
class Batches:
    """One turn of a size: entries a second in appends of a thousand each."""

    unpublished: float
    published: float
    """With a checkpoint after ten of them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A size."""

    reads: Reads
    appends: Sequence[Appends]
    """A turn each; none where the log lies in memory."""
    batches: Sequence[Batches]
    memory: int
    """Bytes: the most that its process ever held."""

    @property
    def size(self) -> int:
        return self.reads.size

    @property
    def synced(self) -> list[float]:
        return [each for turn in self.appends for each in turn.synced]

    @property
    def single(self) -> list[float]:
        return [each for turn in self.appends for each in turn.single]

    @property
    def published(self) -> list[float]:
        return [each for turn in self.appends for each in turn.published]

    @property
    def batched(self) -> float:
        return statistics.median(turn.unpublished for turn in self.batches)

    @property
    def batched_published(self) -> float:
        return statistics.median(turn.published for turn in self.batches)


@dataclass(frozen=True, slots=True)
class Verdict:
    target: str
    seen: str
    met: bool


def rate(times: Sequence[float]) -> float:
    """Calls a second."""
    return len(times) / sum(times)


def milliseconds(times: Sequence[float], share: float = 0.5) -> float:
    """The smallest time that is not exceeded by ``share`` of them (nearest rank)."""
    # bench.measure has this too, and with it all of the edge: the memory of a stage is to be the log's.
    return 1e3 * sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


def of_size(stages: Sequence[Stage], size: int) -> Stage:
    return next(stage for stage in stages if stage.size == size)


def durable(stages: Sequence[Stage]) -> list[Stage]:
    """Those whose log lay on a disk."""
    return [stage for stage in stages if stage.appends]


def as_json(stages: Sequence[Stage]) -> Mapping[str, object]:
    """The last line."""
    last, largest = durable(stages)[-1], stages[-1]
    checked = of_size(stages, HUNDRED_THOUSAND).reads.fsck
    found: dict[str, object] = {
        "appends_per_s": round(last.batched_published),
        "single_appends_per_s": round(rate(last.single)),
        "proof_ms_at_1m": round(milliseconds(largest.reads.proofs), 2),
        "fsck_s_at_100k": None if checked is None else round(checked, 2),
        "appends_per_s_unpublished": round(last.batched),
        "published_one_by_one_per_s": round(rate(last.published)),
        "syncs_per_s": round(rate(last.synced)),
        "memory_mib": {f"{stage.size}": stage.memory >> 20 for stage in stages},
    }
    if largest.reads.fsck is not None:
        found["fsck_s_at_1m"] = round(largest.reads.fsck, 2)
    return found


def verdicts(stages: Sequence[Stage]) -> list[Verdict]:
    """Each target, what was seen, and whether that is enough."""
    first, last, largest = stages[0], durable(stages)[-1], stages[-1]
    batched, single = last.batched_published, rate(last.single)
    proof, memory = milliseconds(largest.reads.proofs), largest.memory / first.memory
    # Beside the disk's own syncs, measured in turn: they get slower and faster while this runs.
    growth = over_disk(last) / over_disk(first)
    found = [
        Verdict(
            f"{BATCHED:,.0f} durable appends/s in batches, published", f"{batched:,.0f}", batched >= BATCHED
        ),
        Verdict(f"{SINGLE:,.0f} durable appends/s one at a time", f"{single:,.0f}", single >= SINGLE),
        Verdict(f"a proof at a million in {PROOF_MS:.0f} ms", f"{proof:.2f} ms", proof <= PROOF_MS),
        Verdict(
            f"an append costs the same at {last.size:,} as at {first.size:,}, beside the disk's syncs",
            f"{growth:.2f} ×",
            growth <= MOST_GROWTH,
        ),
        Verdict(
            f"memory is the same at {largest.size:,} as at {first.size:,}",
            f"{memory:.2f} ×",
            memory <= MOST_GROWTH,
        ),
    ]
    if largest.reads.fsck is not None:
        target = f"fsck of a million in {FSCK_SECONDS:.0f} s"
        found.append(Verdict(target, f"{largest.reads.fsck:.1f} s", largest.reads.fsck <= FSCK_SECONDS))
    return found


def over_disk(stage: Stage) -> float:
    """The median over the turns: the disk is faster in one than in the next."""
    turns = [statistics.median(each.single) / statistics.median(each.synced) for each in stage.appends]
    return statistics.median(turns)
