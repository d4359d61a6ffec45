"""The distribution of the time to *in force*: a panel for each kind of change, a line for each size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from bench.figures import FAST_MS, REMOVAL_MS, Size
from bench.kinds import CERTIFICATE, KINDS, REMOVE

COLOURS = ("#9ecae1", "#4292c6", "#08306b")
TARGETS = {**dict.fromkeys(KINDS, FAST_MS), REMOVE: REMOVAL_MS, CERTIFICATE: None}


def plot(path: Path, sizes: Sequence[Size]) -> None:
    """Write the plot: which share of the changes took longer than so many milliseconds."""
    figure, axes = pyplot.subplots(2, 4, figsize=(14, 6.5), sharex=True, sharey=True, layout="constrained")
    *panels, legend = axes.flat
    for panel, kind in zip(panels, KINDS, strict=True):
        for size, colour in zip(sizes, COLOURS, strict=False):
            shown = sorted(timing.in_force for timing in size.of(kind))
            longer = [1 - number / len(shown) for number in range(len(shown))]
            panel.step(shown, longer, where="post", color=colour, label=f"{size.hostnames:,} hostnames")
        if (target := TARGETS[kind]) is not None:
            panel.plot([target], [0.01], marker="v", color="#d62728", linestyle="", label="target of the p99")
        panel.axhline(0.01, color="#bbbbbb", linewidth=0.8, linestyle=":")
        panel.set(title=kind, xscale="log", yscale="log")
        panel.grid(alpha=0.2)
    for panel in axes[-1]:
        panel.set_xlabel("ms from the API call to in force")
    for panel in axes[:, 0]:
        panel.set_ylabel("share of changes that took longer")
    legend.axis("off")
    legend.legend(*panels[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
