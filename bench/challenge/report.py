"""Figures → a table for a terminal, and a page with a plot for ``bench/results``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.challenge import figures
from bench.challenge.figures import (
    BARE,
    BARE_TOOL,
    BOUNDED,
    CALM,
    CEILING,
    CLEARED,
    DEAD,
    DOCUMENT,
    FORGED,
    FULL,
    ISSUED,
    JUNK,
    LINK,
    PAGE,
    PROXIED,
    SAME_SIZE,
    SITES,
    SOLVED,
    STATES,
    Cost,
    Solves,
    Waits,
)
from bench.challenge.proofs import Library
from bench.figures import MOST_OTHERS
from bench.measure import percentile
from bench.overhead_figures import HAPROXY, HOLDFAST, NGINX, Spread
from bench.report import machine

HEAD: Final = ("answer", "by", "a core gives", "CPU-µs each", "quartiles", "× nginx's 403")
ORDER: Final = (
    (PAGE, HOLDFAST),
    (BARE, NGINX),
    (BARE_TOOL, NGINX),
    (SAME_SIZE, NGINX),
    (BARE, HAPROXY),
    (SAME_SIZE, HAPROXY),
    (FORGED, HOLDFAST),
    (DOCUMENT, HOLDFAST),
    (CEILING, HOLDFAST),
    (ISSUED, HOLDFAST),
    (LINK, HOLDFAST),
    (SOLVED, HOLDFAST),
    (JUNK, HOLDFAST),
    (CLEARED, HOLDFAST),
    (CALM, HOLDFAST),
    (PROXIED, HAPROXY),
)
WORDS: Final = {
    PAGE: "the page, as a browser asks for it",
    BARE: "403 with the program's own few words",
    BARE_TOOL: "the same under wrk, from one address",
    SAME_SIZE: "403 with a page of the same size",
    FORGED: "the page, to a forged clearance",
    DOCUMENT: "problem document, to programs",
    CEILING: "429, to a client beyond the ceiling",
    ISSUED: "a challenge of one's own (JSON)",
    LINK: "a timed link of one's own (page)",
    SOLVED: "a right solution, and its clearance",
    JUNK: "a wrong solution of the right shape",
    CLEARED: "request passed on, with a clearance",
    CALM: "request passed on, of a site not challenged",
    PROXIED: "request passed on, no rules",
}
PATH_HEAD: Final = ("the edge", "site", "p99, ms", "quartiles", "÷ calm", "quartiles")
STATE_WORDS: Final = {
    figures.CALM_STATE: "all is calm",
    BOUNDED: "some thousand solutions a second",
    FULL: "solutions at full speed",
    DEAD: "its agent is dead",
}
SITE_WORDS: Final = {
    figures.CLEARED_SITE: "challenged; visitor with a clearance",
    figures.CALM_SITE: "not challenged",
}
INTRODUCTION: Final = """
HAProxy makes the challenge and checks what is shown, so that no Python takes part: the proxy's processor time
is all there is. It has one core to itself; load, origin (nginx, 1 KB) and agent share the other one. Counted
is the time of the proxy's worker process, user and system, all its threads, divided by what it answered. All
take turns, in an order that changes from round to round; a ratio is taken in each round, and shown are
medians with quartiles.

The edge has 1,000 hostnames and one thread for traffic. Two of its sites have a mitigation that challenges
everybody. The shield decides nothing by itself meanwhile (its agent does not see the counters): one load
generator has one fingerprint. As many requests are sampled as it would choose at 40,000 a second.

Load comes from 512 addresses, each in a network of its own, on a kept-alive connection each, with the same
bytes for everybody: a single address would soon be beyond the ceiling for clients without a clearance. The
loop that sends it is the benchmark's own; nginx's 403 is measured under wrk, too. *nginx's 403* is its own
short page of that status, the cheapest refusal that it has.
"""
PATH_INTRODUCTION: Final = """
A thousand requests a second, half of them to each site, are timed from the sending to the last byte.
Solutions are sent in, half of them right and half of them wrong in the signature only. The process that sends
them and the agent take what others leave of their core: else visitors would wait for these, and not for the
proxy. The proxies, the origin and the visitors come before whatever else runs on the machine. *At full speed*
the proxy's only core is all used by them: nothing here can tell them from visitors before they are checked,
and what is asked meanwhile waits in line as under any flood. The agent is killed with SIGKILL: nothing of
Python is left.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """All of it."""

    costs: Sequence[Cost]
    waits: Sequence[Waits]
    sent: Mapping[str, Sequence[float]]
    """Solutions/s that were sent in, by state."""
    solves: Solves
    library: Library
    page: int
    """Bytes of the challenge's page."""
    others: float
    """Cores that others used meanwhile."""


def rows(costs: Sequence[Cost]) -> list[tuple[str, ...]]:
    """A row for each case, under ``HEAD``."""
    measured = {(each.name, each.who) for each in costs}
    return [_row(costs, name, who) for name, who in ORDER if (name, who) in measured]


def _row(costs: Sequence[Cost], name: str, who: str) -> tuple[str, ...]:
    micros = figures.micros(costs, name, who)
    times = figures.times(costs, name, BARE, NGINX).median if who == HOLDFAST else None
    return (
        WORDS[name],
        who,
        f"{figures.per_core(costs, name, who).median:,.0f}",
        f"{micros.median:.1f}",
        _quartiles(micros, 1),
        "" if times is None else f"{times:.2f}",
    )


def path_rows(waits: Sequence[Waits]) -> list[tuple[str, ...]]:
    """A row for each state and site, under ``PATH_HEAD``."""
    return [_path_row(waits, site, state) for state in STATES for site in SITES]


def _path_row(waits: Sequence[Waits], site: str, state: str) -> tuple[str, ...]:
    middle, ratio = figures.middle_p99(waits, site, state), figures.path_ratio(waits, site, state)
    shown = ("", "") if state == figures.CALM_STATE else (f"{ratio.median:.2f}", _quartiles(ratio, 2))
    return (STATE_WORDS[state], SITE_WORDS[site], f"{middle.median:.2f}", _quartiles(middle, 2), *shown)


def _quartiles(spread: Spread, digits: int) -> str:
    return f"{spread.low:.{digits}f} to {spread.high:.{digits}f}"


def told(measured: Measured) -> list[str]:
    """What else is to be known."""
    costs, library = measured.costs, measured.library
    elsewhere = [1 - each.carried / each.cpu for each in costs if each.who == HOLDFAST and each.name == PAGE]
    busy = (
        ": not a quiet machine, where ratios suffer less than times" if measured.others > MOST_OTHERS else ""
    )
    lines = [
        f"{len(figures.of(costs, PAGE))} rounds; the page has {measured.page:,} bytes.",
        _target(
            "the page over nginx's 403", figures.times(costs, PAGE, BARE, NGINX).median, figures.MOST_TIMES
        ),
        f"the page over nginx's 403 of the same size:"
        f" {figures.times(costs, PAGE, SAME_SIZE, NGINX).median:.2f}; over HAProxy's 403 of the same size:"
        f" {figures.times(costs, PAGE, SAME_SIZE, HAPROXY).median:.2f}.",
        f"Of the page's time {percentile(elsewhere, 0.5):.0%} is that of threads that carry no traffic.",
        f"ALTCHA's library in Python, on the same core: {library.issue:.1f} µs to issue a challenge,"
        f" {library.verify:.1f} µs to verify a solution, without a server around it.",
        *_solving("the easiest proof", measured.solves.easiest, figures.MOST_SOLVE_SECONDS),
        *_solving("the hardest proof (8 times as hard)", measured.solves.hardest, None),
        _target(
            "p99 with the agent dead over that in calm, the worse site",
            figures.worse(measured.waits, DEAD).median,
            figures.MOST_RATIO,
        ),
        _target(
            f"p99 with {percentile(measured.sent[BOUNDED], 0.5):,.0f} solutions a second over that in calm,"
            " the worse site",
            figures.worse(measured.waits, BOUNDED).median,
            figures.MOST_RATIO,
        ),
        f"At full speed {percentile(measured.sent[FULL], 0.5):,.0f} solutions a second were checked.",
        f"Others used {measured.others:.2f} cores of this machine while costs were measured{busy}.",
    ]
    return lines


def _target(what: str, figure: float, most: float) -> str:
    return f"{what}: {figure:.2f}; the target is at most {most:g}: {'met' if figure <= most else 'missed'}."


def _solving(what: str, seconds: Sequence[float], most: float | None) -> list[str]:
    if not seconds:
        return []
    middle, late = percentile(seconds, 0.5), percentile(seconds, 0.95)
    words = f"Chromium, {what}, navigation to the site's own page: p50 {middle:.2f} s, p95 {late:.2f} s"
    if most is None:
        return [f"{words}; {len(seconds)} times."]
    met = "met" if late <= most else "missed"
    return [f"{words}; {len(seconds)} times; the target is at most {most:g} s at p95: {met}."]


def terminal(measured: Measured) -> str:
    tables = [_aligned(HEAD, rows(measured.costs)), _aligned(PATH_HEAD, path_rows(measured.waits))]
    return "\n\n".join([*tables, "\n".join(told(measured))])


def _aligned(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    every = [head, *lines]
    widths = [max(len(line[column]) for line in every) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in every
    )


def markdown(measured: Measured, date: str) -> str:
    """The page."""
    return "\n".join(
        [
            "# What a challenge costs, and how long it takes",
            "",
            f"Made by `python -m bench.challenge` on {date}: {machine()}; everything on loopback.",
            INTRODUCTION,
            "![The cost of each answer; waiting in a browser; the path of requests](challenge.png)",
            "",
            *_table(HEAD, rows(measured.costs)),
            "",
            "## The path of requests",
            PATH_INTRODUCTION,
            *_table(PATH_HEAD, path_rows(measured.waits)),
            "",
            "## In figures",
            "",
            *(f"- {line}" for line in told(measured)),
            "",
        ]
    )


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines)]


def write(directory: Path, measured: Measured, date: str) -> None:
    from bench.challenge.plot import plot  # takes a second

    directory.mkdir(exist_ok=True)
    plot(directory / "challenge.png", measured)
    (directory / "challenge.md").write_text(markdown(measured, date))
