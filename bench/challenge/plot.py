"""Three panels: the cost of each answer, the waiting in a browser, the path of requests."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.challenge import figures
from bench.challenge.report import ORDER, STATE_WORDS, WORDS, Measured
from bench.overhead_figures import HAPROXY, HOLDFAST, NGINX

COLOURS = {HOLDFAST: "#08306b", NGINX: "#74c476", HAPROXY: "#fd8d3c"}
SITE_COLOURS = {figures.CLEARED_SITE: "#08306b", figures.CALM_SITE: "#74c476"}


def plot(path: Path, measured: Measured) -> None:
    figure, (costs, solving, waiting) = pyplot.subplots(
        1, 3, figsize=(16, 5), layout="constrained", gridspec_kw={"width_ratios": (2, 1, 1.3)}
    )
    _costs(costs, measured)
    _solving(solving, measured)
    _waiting(waiting, measured)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _costs(panel: Axes, measured: Measured) -> None:
    """A bar for the median, a dot for each round."""
    present = {(each.name, each.who) for each in measured.costs}
    shown = [each for each in ORDER if each in present]
    for place, (name, who) in enumerate(shown):
        each = [one.micros for one in figures.of(measured.costs, name, who)]
        middle = figures.micros(measured.costs, name, who).median
        panel.barh(place, middle, height=0.6, color=COLOURS[who])
        panel.plot(each, [place] * len(each), ".", color="#333333", markersize=3)
        panel.annotate(
            f"{middle:.1f}", (max(*each, middle), place), (4, 0), textcoords="offset points", va="center"
        )
    limit = figures.MOST_TIMES * figures.micros(measured.costs, figures.BARE, NGINX).median
    panel.axvline(limit, color="#d62728", linewidth=0.8, linestyle=":", label="target for the page")
    panel.set_yticks(range(len(shown)), [f"{WORDS[name]}: {who}" for name, who in shown], fontsize=8)
    panel.invert_yaxis()
    panel.margins(x=0.1)
    panel.grid(axis="x", alpha=0.2)
    panel.legend(frameon=False, loc="lower right", fontsize=8)
    panel.set(title="the cost of each answer", xlabel="processor time of the proxy, µs")


def _solving(panel: Axes, measured: Measured) -> None:
    """Which share of the visitors had waited for longer than so many seconds."""
    for seconds, colour, words in (
        (measured.solves.easiest, "#08306b", "easiest"),
        (measured.solves.hardest, "#74c476", "hardest"),
    ):
        ordered = sorted(seconds)
        if ordered:
            longer = [1 - number / len(ordered) for number in range(len(ordered))]
            panel.step(ordered, longer, where="post", color=colour, label=f"{words}, {len(ordered)} times")
    panel.plot([figures.MOST_SOLVE_SECONDS], [0.05], "v", color="#d62728", label="target of the p95, easiest")
    panel.axhline(0.05, color="#bbbbbb", linewidth=0.8, linestyle=":")
    panel.set_xlim(left=0)
    panel.grid(alpha=0.2)
    panel.legend(frameon=False, fontsize=8, loc="upper right")
    panel.set(
        title="to the site's own page, in Chromium", xlabel="seconds", ylabel="share that waited longer"
    )


def _waiting(panel: Axes, measured: Measured) -> None:
    for offset, site in ((-0.2, figures.CLEARED_SITE), (0.2, figures.CALM_SITE)):
        for place, state in enumerate(figures.STATES):
            each = [one.p99 for one in measured.waits if (one.site, one.state) == (site, state)]
            middle = figures.middle_p99(measured.waits, site, state).median
            label = f"site {site}" if place == 0 else None
            panel.bar(place + offset, middle, width=0.35, color=SITE_COLOURS[site], label=label)
            panel.plot([place + offset] * len(each), each, ".", color="#333333", markersize=4)
    panel.set_xticks(
        range(len(figures.STATES)),
        [STATE_WORDS[state].replace(" ", "\n", 2) for state in figures.STATES],
        fontsize=8,
    )
    panel.set(title="the path of requests", ylabel="p99, ms", yscale="log")
    panel.grid(axis="y", alpha=0.2)
    panel.legend(frameon=False, fontsize=8)
