"""Figures → a table and sentences, for a terminal and for ``bench/results``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.report import machine
from bench.soak.bulk import SHARE
from bench.soak.result import Result

HEAD = ("", "second quarter", "last quarter", "growth", "allowed", "slope by the hour", "")

INTRODUCTION = """
Every request has an outcome. One that failed is *explained* only by a rule that was written down before
(`bench/soak/verdicts.py`): it was, or may have been, under a block, at a site that was not there, or from a
banned source while it was under way. Reloads, restarts of the agent and load explain nothing. Memory and
descriptors are flat when the median of the last quarter exceeds that of the second by no more than is
allowed; the first quarter is warm-up. The slope is that within the life of a process (`bench/soak/flat.py`
says why).
"""


def rows(result: Result) -> Iterator[tuple[str, ...]]:
    """A row for each series, under ``HEAD``."""
    for each in result.flatness:
        unit = f" {each.unit}".rstrip()
        slope = "" if each.slope is None else f"{each.slope:+.1f}{unit}"
        figures = (f"{value:.1f}{unit}" for value in (each.early, each.late, each.growth, each.allowed))
        yield (each.name, *figures, slope, "flat" if each.flat else "**grows**")


def sentences(result: Result) -> Iterator[str]:
    """What was done, and what came of it."""
    ledger, minutes = result.ledger, (result.end - result.begin) / 60
    changes = ", ".join(f"{count} {name}" for name, count in sorted(result.changes.items()))
    restarts = ", ".join(f"{name}: {count}" for name, count in result.restarts.items())
    yield (
        f"{minutes:.1f} minutes, {ledger.total:,} requests, {result.rate:,.0f} a second; the bulk was set to"
        f" {SHARE:.0%} of the {result.most_rate:,.0f} a second that it got here at most"
    )
    yield f"requests   {_counts(ledger.requests)}"
    yield f"changes    {changes}"
    yield f"upheavals  {result.reloads} reloads; {restarts}; {result.workers} workers of HAProxy"
    yield f"hostile    {_counts(ledger.hostile)}"
    yield f"explained  {_counts(ledger.explained) or 'none'}"
    yield f"UNEXPLAINED FAILURES {ledger.unexplained}"
    for failure in ledger.failures:
        meanwhile = "; ".join(failure.meanwhile) or "nothing"
        when = f"at {failure.at:.3f} s for {failure.lasted:.3f} s"
        yield f"  {when}: {failure.kind}, {failure.what}: {failure.why} [meanwhile: {meanwhile}]"
    yield from (f"FAULT {fault}" for fault in result.faults)
    yield "PASSED" if result.passed else "FAILED"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))


def terminal(result: Result) -> str:
    """Everything, for a terminal."""
    lines = [HEAD, *rows(result)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join([*table, "", *sentences(result)])


def markdown(result: Result, date: str, plot: str) -> str:
    """Everything, for a reader of the repository."""
    table = (f"| {' | '.join(line)} |" for line in (HEAD, ("---",) * len(HEAD), *rows(result)))
    return "\n".join(
        [
            "# The soak",
            "",
            f"Made by `python -m bench.soak` on {date}: {machine()}; everything on loopback.",
            INTRODUCTION,
            f"![Memory, descriptors and rate over time]({plot})",
            "",
            *table,
            "",
            "```",
            *sentences(result),
            "```",
            "",
        ]
    )


def write(directory: Path, result: Result, date: str) -> None:
    """The results of a full run: the table and the plot."""
    from bench.soak.plot import plot  # matplotlib takes a second to import

    directory.mkdir(exist_ok=True)
    plot(directory / "soak.png", result)
    (directory / "soak.md").write_text(markdown(result, date, "soak.png"))
