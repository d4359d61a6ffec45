"""Figures → a table for a terminal, and a page with a plot for ``bench/results``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import overhead_figures as figures
from bench.figures import MOST_OTHERS
from bench.overhead_figures import FORBIDDEN_BY, GROUPS, HOLDFAST, PASSED, PROXIED, Sample, Spread
from bench.report import machine

HEAD = ("what", "by", "a second", "CPU-µs each", "quartiles", "Holdfast ÷ this", "quartiles")
WORDS = {
    "proxied": "requests passed to the origin",
    "armed": "the same, of a site under attack",
    "block_page": "block page (403)",
    "limit": "limit (429)",
    "banned_connection": "connections from a banned source",
}
COLOURS = {"Holdfast": "#08306b", "nginx": "#74c476", "HAProxy": "#fd8d3c", "nginx 403": "#bbbbbb"}

INTRODUCTION = """
The proxy has one processor core to itself; wrk (one thread, 64 kept-alive connections) and the origin (nginx,
1 KB) share another one. Counted is the processor time of the proxy's worker process alone, user and system,
all its threads, divided by what it answered. The three take turns, in an order that changes from round to
round; a ratio is taken in each round, and shown is the median over the rounds with the quartiles.

What a worker uses at rest is in these figures too: Holdfast checks the origins of all its sites.

*A site under attack* has five signatures in force that match nothing of the load, of five templates, and
challenges everybody; each request says what a browser says and shows a valid clearance. HAProxy is sent the
same bytes. It is an edge of its own, of the same size, whose agent decides nothing by itself: one load
generator has one fingerprint.

Holdfast knows 10,000 sites with 100,000 hostnames, has one thread for traffic and runs its whole chain. nginx
and HAProxy run one worker each, know one origin and no rule. For the refusals each of them does what Holdfast
does, told so by its configuration file: a page of the same size; a limit of a request a second; one source
that is refused. A banned source makes a new connection for each request. nginx cannot refuse a connection
before it has read a request: it answers 403. *nginx 403* is its own short page of that status, the cheapest
refusal that it has.
"""


def rows(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """A row for each contestant, under ``HEAD``."""
    return [_row(samples, group, who) for group in GROUPS for who in figures.contestants(samples, group)]


def _row(samples: Sequence[Sample], group: str, who: str) -> tuple[str, ...]:
    micros = figures.micros(samples, group, who)
    over = None if who == HOLDFAST else figures.ratio(samples, group, who)
    return (
        WORDS[group] if who == HOLDFAST else "",
        who,
        f"{figures.rate(samples, group, who).median:,.0f}",
        f"{micros.median:.1f}",
        _quartiles(micros, 1),
        "" if over is None else f"{over.median:.2f}",
        "" if over is None else _quartiles(over, 2),
    )


def _quartiles(spread: Spread, digits: int) -> str:
    return f"{spread.low:.{digits}f} to {spread.high:.{digits}f}"


def conditions(
    samples: Sequence[Sample], limits: str, page: int, idle: dict[str, float], others: float
) -> list[str]:
    """What one must know to read the figures."""
    rounds = len({sample.round for sample in samples})
    busy = ": not a quiet machine, where ratios suffer less than times" if others > MOST_OTHERS else ""
    return [
        f"{rounds} rounds; the block page has {page:,} bytes.",
        f"Limits of the measured site: {limits}.",
        f"At rest: {'; '.join(_rest(samples, who, cores) for who, cores in idle.items())}.",
        f"Others used {others:.2f} cores of this machine meanwhile{busy}.",
    ]


def _rest(samples: Sequence[Sample], who: str, cores: float) -> str:
    """What a contestant uses while nobody asks it anything, and how much of a request's time that makes."""
    each = 1e6 * cores / figures.rate(samples, PROXIED, who).median
    return f"{who} uses {cores:.3f} cores, {each:.1f} µs of each request above"


def terminal(samples: Sequence[Sample], told: Sequence[str]) -> str:
    lines = [HEAD, *rows(samples)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = (
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return "\n".join([*table, "", *told])


def markdown(samples: Sequence[Sample], told: Sequence[str], date: str) -> str:
    """The page."""
    table = (f"| {' | '.join(line)} |" for line in (HEAD, ("---",) * len(HEAD), *rows(samples)))
    return "\n".join(
        [
            "# What a request costs, and what a refusal costs",
            "",
            f"Made by `python -m bench.overhead` on {date}: {machine()}; everything on loopback.",
            INTRODUCTION,
            "![Processor time of each request](overhead.png)",
            "",
            *table,
            "",
            *(f"- {line}" for line in told),
            "",
        ]
    )


def plot(path: Path, samples: Sequence[Sample]) -> None:
    """A panel for each group: a dot for each round, a bar for the median."""
    import matplotlib  # takes a second

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(GROUPS), figsize=(17, 4.2), layout="constrained")
    for panel, group in zip(panels, GROUPS, strict=True):
        names = figures.contestants(samples, group)
        for place, who in enumerate(names):
            each = [sample.micros for sample in figures.of(samples, group, who)]
            middle = figures.micros(samples, group, who).median
            panel.bar(place, middle, width=0.6, color=COLOURS[who])
            panel.plot([place] * len(each), each, ".", color="#333333", markersize=4)
            panel.annotate(
                f"{middle:.1f}", (place, max(*each, middle)), (0, 4), textcoords="offset points", ha="center"
            )
        other = "HAProxy" if group in PASSED else FORBIDDEN_BY[group]
        panel.set(title=f"{WORDS[group]}\n{figures.ratio(samples, group, other).median:.2f} × {other}")
        panel.set_xticks(range(len(names)), names)
        panel.margins(y=0.12)
        panel.grid(axis="y", alpha=0.2)
    panels[0].set_ylabel("processor time of the proxy, µs each")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def write(directory: Path, samples: Sequence[Sample], told: Sequence[str], date: str) -> None:
    directory.mkdir(exist_ok=True)
    plot(directory / "overhead.png", samples)
    (directory / "overhead.md").write_text(markdown(samples, told, date))
