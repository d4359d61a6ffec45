"""Three panels over the size of the log: appends a second, the time of a proof, a whole check and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.ledger.figures import (
    BATCHED,
    FSCK_SECONDS,
    MILLION,
    PROOF_MS,
    SINGLE,
    Stage,
    milliseconds,
    rate,
)

DARK, MIDDLE, LIGHT, TARGET = "#08306b", "#4292c6", "#74c476", "#d62728"


def plot(path: Path, stages: Sequence[Stage]) -> None:
    figure, (appends, proofs, checks) = pyplot.subplots(1, 3, figsize=(16, 4.6), layout="constrained")
    sizes = [stage.size for stage in stages]
    _appends(appends, sizes, stages)
    _proofs(proofs, sizes, stages)
    _checks(checks, sizes, stages)
    for panel in (appends, proofs, checks):
        panel.set(xlabel="entries in the log", xscale="log")
        panel.grid(alpha=0.2)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _appends(panel: Axes, sizes: list[int], stages: Sequence[Stage]) -> None:
    for label, colour, seen in (
        ("in batches", LIGHT, [stage.batched for stage in stages]),
        ("in batches, published", MIDDLE, [stage.batched_published for stage in stages]),
        ("one at a time", DARK, [rate(stage.single) for stage in stages]),
        ("one at a time, each published", "#fd8d3c", [rate(stage.published) for stage in stages]),
        ("the disk's syncs", "#bbbbbb", [rate(stage.synced) for stage in stages]),
    ):
        panel.plot(sizes, seen, ".-", color=colour, label=label)
    for target in (BATCHED, SINGLE):
        panel.axhline(target, color=TARGET, linewidth=0.8, linestyle=":")
    panel.set(title="durable appends a second (dotted: targets)", yscale="log")
    panel.legend(frameon=False, fontsize=8)


def _proofs(panel: Axes, sizes: list[int], stages: Sequence[Stage]) -> None:
    inclusion = [milliseconds(stage.reads.proofs) for stage in stages]
    panel.plot(sizes, inclusion, ".-", color=DARK, label="inclusion, p50")
    late = [milliseconds(stage.reads.proofs, 0.99) for stage in stages]
    panel.plot(sizes, late, ".-", color=MIDDLE, label="inclusion, p99")
    other = [milliseconds(stage.reads.consistency) for stage in stages]
    panel.plot(sizes, other, ".-", color=LIGHT, label="consistency, p50")
    straight = [inclusion[0] * math.log2(size) / math.log2(sizes[0]) for size in sizes]
    panel.plot(sizes, straight, "--", color="#bbbbbb", label="logarithmic")
    panel.plot([MILLION], [PROOF_MS], "v", color=TARGET, label="target")
    panel.set(title="time of a proof", ylabel="ms")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=8)


def _checks(panel: Axes, sizes: list[int], stages: Sequence[Stage]) -> None:
    checked = [(stage.size, stage.reads.fsck) for stage in stages if stage.reads.fsck]
    panel.plot(*zip(*checked, strict=True), ".-", color=DARK, label="fsck, s")
    panel.plot([MILLION], [FSCK_SECONDS], "v", color=TARGET, label="target of fsck")
    panel.set(title="a whole check, and memory", ylabel="seconds", yscale="log")
    memory = panel.twinx()
    memory.plot(sizes, [stage.memory / 2**20 for stage in stages], ".-", color=LIGHT, label="memory, MiB")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("MiB")
    lines, labels = panel.get_legend_handles_labels()
    more, names = memory.get_legend_handles_labels()
    panel.legend([*lines, *more], [*labels, *names], frameon=False, fontsize=8, loc="upper left")
