"""Figures → a table for a terminal, and a page with a plot for ``bench/results``."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.ledger.figures import Stage, durable, milliseconds, over_disk, rate, verdicts

HEAD = (
    "entries",
    "one at a time /s",
    "p99, ms",
    "÷ disk's sync",
    "each published /s",
    "batched /s",
    "batched, published /s",
    "proof, ms",
    "p99",
    "consistency, ms",
    "fsck, s",
    "memory, MiB",
)

INTRODUCTION = """
Every append here is durable when it returns: the journal is synced once for each call. *one at a time*: one
entry a call, not published yet; *÷ disk's sync* is its median over the median of the disk's own (as many
bytes written behind a file and synced, in turn with the appends), the median of all rounds. *each published*:
one entry and a checkpoint of it, which syncs two files of the tree, the memory of what was signed, the
checkpoint, and their folders, in that order. *batched*: a thousand entries a call; *batched, published*: with
a checkpoint after each ten calls, so that all of them are in the tree and servable.

*proof* is an inclusion proof of a random entry, held against the signed root before it is given out;
*consistency* one from a random size. *fsck* reads and hashes every entry and every tile again. *memory* is
the most that the process ever held: it has filled the log (without syncs), checked it, and measured all of
this. Each size is a log and a process of its own. For appends they take turns, as the disk is not equally
fast all the time; they begin at that size, and in batches add twenty thousand a round.
"""


def machine(place: Path) -> str:
    """On what this runs, and on what file system the log lies."""
    cores, system = len(os.sched_getaffinity(0)), platform.release()
    return f"{cores} cores, Linux {system}, Python {platform.python_version()}, {file_system(place)}"


def file_system(place: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    within = [(len(mount[1]), mount[2]) for mount in mounts if place.is_relative_to(mount[1])]
    return max(within)[1]


def rows(stages: Sequence[Stage]) -> list[tuple[str, ...]]:
    """A row for each size, under ``HEAD``."""
    return [
        (
            f"{stage.size:,}",
            *_appends(stage),
            f"{milliseconds(stage.reads.proofs):.2f}",
            f"{milliseconds(stage.reads.proofs, 0.99):.2f}",
            f"{milliseconds(stage.reads.consistency):.2f}",
            "" if stage.reads.fsck is None else f"{stage.reads.fsck:.2f}",
            f"{stage.memory / 2**20:.0f}",
        )
        for stage in stages
    ]


def _appends(stage: Stage) -> tuple[str, ...]:
    if not stage.appends:
        return ("in memory", *[""] * 5)
    return (
        f"{rate(stage.single):,.0f}",
        f"{milliseconds(stage.single, 0.99):.1f}",
        f"{over_disk(stage):.2f}",
        f"{rate(stage.published):,.0f}",
        f"{stage.batched:,.0f}",
        f"{stage.batched_published:,.0f}",
    )


def conditions(stages: Sequence[Stage], load: float) -> list[str]:
    """What one must know to read the figures."""
    syncs = ", ".join(f"{rate(stage.synced):,.0f}" for stage in durable(stages))
    filled = ", ".join(f"{stage.reads.loaded:,.0f}" for stage in stages)
    told = [
        f"The disk alone syncs {syncs} times a second while each size is measured.",
        f"Filled without syncs: {filled} entries a second.",
    ]
    if load > 1:
        told.append(f"Others kept {load:.1f} processes running when this began: not a quiet machine.")
    return told


def terminal(stages: Sequence[Stage], load: float) -> str:
    lines = [HEAD, *rows(stages)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    told = (f"{'met   ' if each.met else 'MISSED'} {each.target}: {each.seen}" for each in verdicts(stages))
    return "\n".join([*table, "", *conditions(stages, load), "", *told])


def markdown(stages: Sequence[Stage], load: float, date: str, machine: str) -> str:
    """The page."""
    table = (f"| {' | '.join(line)} |" for line in (HEAD, ("---:",) * len(HEAD), *rows(stages)))
    told = (
        f"| {each.target} | {each.seen} | {'met' if each.met else '**missed**'} |"
        for each in verdicts(stages)
    )
    return "\n".join(
        [
            "# What it costs to record, to prove and to check",
            "",
            f"Made by `python -m bench.ledger` on {date}: {machine}.",
            INTRODUCTION,
            "![Appends, proofs, and whole checks by the size of the log](ledger.png)",
            "",
            "| target | seen | |",
            "|---|---|---|",
            *told,
            "",
            *table,
            "",
            *(f"- {line}" for line in conditions(stages, load)),
            "",
        ]
    )


def write(directory: Path, stages: Sequence[Stage], load: float, date: str, machine: str) -> None:
    """The results of a full run: the table and the plot."""
    from bench.ledger.plot import plot  # matplotlib takes a second to import

    directory.mkdir(exist_ok=True)
    plot(directory / "ledger.png", stages)
    (directory / "ledger.md").write_text(markdown(stages, load, date, machine))
