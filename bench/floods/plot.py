"""Requests a second over time, a panel for each contestant: what became of the flood and of visitors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from bench.floods.figures import match
from bench.floods.records import Run

BIN = 0.5
LINES = {
    "legitimate, served": "#2ca02c",
    "legitimate, denied": "#d62728",
    "flood, refused": "#bbbbbb",
    "flood, at the origin": "#08306b",
}


def plot(path: Path, title: str, runs: Sequence[Run]) -> None:
    """One run of each contestant. A request counts when it was sent."""
    figure, axes = pyplot.subplots(
        len(runs), 1, figsize=(9, 1 + 2.2 * len(runs)), sharex=True, squeeze=False, layout="constrained"
    )
    for panel, run in zip(axes[:, 0], runs, strict=True):
        zero, reached = run.meta.flood, match(run.bots, run.arrivals)
        moments = {
            "legitimate, served": [each.sent for each in run.legit if each.served],
            "legitimate, denied": [each.sent for each in run.legit if not each.served],
            "flood, refused": [bot.sent for bot, hit in zip(run.bots, reached, strict=True) if not hit],
            "flood, at the origin": [bot.sent for bot, hit in zip(run.bots, reached, strict=True) if hit],
        }
        span = (run.meta.begin - zero, run.meta.over - zero)
        for name, colour in LINES.items():
            panel.step(
                *rates((each - zero for each in moments[name]), *span), color=colour, label=name, where="post"
            )
        for begin, end in run.meta.pulses:
            panel.axvspan(begin - zero, end - zero, color="#fff3e0", zorder=0)
        panel.set(title=run.meta.contestant, ylabel="requests/s")
        panel.set_yscale("symlog", linthresh=10)
        panel.grid(alpha=0.2)
    axes[-1, 0].set_xlabel("seconds after the flood's begin")
    figure.suptitle(title)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def rates(moments: Iterable[float], low: float, high: float) -> tuple[list[float], list[float]]:
    """The begins of all bins, and how many moments a second fall into each."""
    counts = [0] * (int((high - low) / BIN) + 1)
    for moment in moments:
        if low <= moment < high:
            counts[int((moment - low) / BIN)] += 1
    return [low + number * BIN for number in range(len(counts))], [count / BIN for count in counts]
