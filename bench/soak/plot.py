"""Memory, descriptors, rate and failures over time, with a mark for each reload and restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.soak.result import Result
from bench.soak.samples import Sample, Use
from bench.soak.upheavals import RELOAD_KIND

WORKER, LEAVING, AGENT = "#08306b", "#9ecae1", "#d95f0e"
RELOADED, RESTARTED, FAILED = "#bbbbbb", "#f4a582", "#d62728"


def plot(path: Path, result: Result) -> None:
    """Write the plot."""
    figure, (memory, files, rate) = pyplot.subplots(3, 1, figsize=(12, 9), sharex=True, layout="constrained")
    samples, begin = result.samples, result.begin
    minutes = [(each.at - begin) / 60 for each in samples]
    _uses(memory, minutes, samples, lambda used: used.memory)
    memory.set(ylabel="resident memory, MiB", ylim=(0, None))
    _uses(files, minutes, samples, lambda used: used.descriptors)
    files.set(ylabel="open descriptors", ylim=(0, None))
    rate.plot(minutes, [each.rate for each in samples], color=WORKER, linewidth=1, label="requests a second")
    rate.set(ylabel="requests a second", xlabel="minutes", ylim=(0, None))
    failures = rate.twinx()
    failures.plot(minutes, [each.unexplained for each in samples], color=FAILED, label="unexplained failures")
    failures.set(ylabel="unexplained failures", ylim=(0, max(1, result.ledger.unexplained)))
    for panel in (memory, files, rate):
        panel.grid(alpha=0.2)
        for mark in result.ledger.marks:
            at = (mark.began - result.ledger.begun - begin) / 60
            panel.axvline(
                at, color=RELOADED if mark.what == RELOAD_KIND else RESTARTED, linewidth=0.8, zorder=0
            )
    memory.plot([], [], color=RELOADED, label="reload")
    memory.plot([], [], color=RESTARTED, label="restart of the agent")
    memory.legend(loc="upper center", ncols=5, frameon=False, bbox_to_anchor=(0.5, 1.12))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _uses(
    panel: Axes, minutes: Sequence[float], samples: Sequence[Sample], value: Callable[[Use], float]
) -> None:
    nothing = float("nan")
    worker = [value(each.worker) if each.worker else nothing for each in samples]
    agent = [value(each.agent) if each.agent else nothing for each in samples]
    leaving = [sum(value(used) for used in each.leaving) for each in samples]
    panel.fill_between(minutes, leaving, color=LEAVING, step="mid", label="workers from before a reload")
    panel.plot(minutes, worker, color=WORKER, linewidth=1.2, label="HAProxy's worker")
    panel.plot(minutes, agent, color=AGENT, linewidth=1.2, label="agent")
