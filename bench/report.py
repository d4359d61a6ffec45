"""Figures → a table and sentences, for a terminal and for ``bench/results``."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.figures import MOST_OTHERS, Size, verdicts
from bench.kinds import KINDS
from bench.measure import percentile
from holdfast.edge.machine import haproxy_binary, haproxy_version

HEAD = (
    "hostnames",
    "change",
    "n",
    "p50",
    "p99",
    "max",
    "answer p50",
    "answer p99",
    "look p50",
    "look p99",
    "looks",
)

INTRODUCTION = """
A change is *in force* when the agent has answered and a client has seen it: a request on a kept-alive
connection, a new TLS handshake (certificate), or a new connection from the banned address. p50, p99 and max
are the milliseconds from the API call until then; *answer* is the agent's answer alone; *look* is what the
client's look takes when nothing changes, just before each change; *looks* is the most looks that any change
needed after the answer (1: the answer never came too early). Each edge holds some hostnames more than said:
those of the benchmark's own sites, which are added, blocked, limited and removed.
"""


def machine() -> str:
    """On what this runs."""
    version = ".".join(str(part) for part in haproxy_version(haproxy_binary()))
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, Linux {platform.release()}, Python {platform.python_version()}, HAProxy {version}"


def rows(sizes: Sequence[Size]) -> list[tuple[str, ...]]:
    """A row for each size and kind, under ``HEAD``."""
    return [_row(size, kind) for size in sizes for kind in KINDS]


def _row(size: Size, kind: str) -> tuple[str, ...]:
    timings = size.of(kind)
    shown = [timing.in_force for timing in timings]
    answered = [timing.answered for timing in timings]
    floor = [timing.floor for timing in timings]
    figures = [
        *(percentile(shown, share) for share in (0.5, 0.99, 1.0)),
        *(percentile(answered, share) for share in (0.5, 0.99)),
        *(percentile(floor, share) for share in (0.5, 0.99)),
    ]
    looks = max(timing.looks for timing in timings)
    cells = (f"{each:.2f}" for each in figures)
    return (f"{size.hostnames:,}", kind, str(len(timings)), *cells, str(looks))


def conditions(size: Size) -> str:
    """Under what the changes of a size were made."""
    start, memory, visits = size.start, size.memory, size.visits
    rest = size.cores("family") - size.cores("haproxy") - size.cores("agent")
    adoption = "" if size.adoption is None else f"; a new agent beside it after {size.adoption:.2f} s"
    scans = (f"{name} {count} times, at most {longest} ms" for name, (count, longest) in size.scans.items())
    return f"""\
{size.hostnames:,} hostnames on {size.sites:,} sites, {size.tls_sites:,} of them with TLS origins
  start    serves after {start.served:.2f} s, {start.since_haproxy:.2f} s of them since HAProxy's start;
           takes changes after {start.ready:.2f} s{adoption}
  memory   agent {start.memory.agent:.0f} + HAProxy {start.memory.haproxy:.0f} MiB after the start,
           {memory.agent:.0f} (peak {memory.agent_peak:.0f}) + {memory.haproxy:.0f} MiB after the changes
  load     {visits.rate:,.0f} requests/s, {visits.rate / size.most_rate:.0%} of the {size.most_rate:,.0f} \
that it carries here at most; {visits.failed} of {visits.requests:,} failed
  cores    {size.cores("machine"):.2f} of {os.cpu_count()} in use: HAProxy {size.cores("haproxy"):.2f}, \
agent {size.cores("agent"):.2f}, visitors, origin and clients {rest:.2f}, others {size.others:.2f}
  scans    {"; ".join(scans)}
  reloads  {size.reloads}"""


def terminal(sizes: Sequence[Size]) -> str:
    """Everything, for a terminal."""
    lines = [HEAD, *rows(sizes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    table = [
        "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    told = [f"{'met   ' if each.met else 'MISSED'} {each.target}: {each.seen}" for each in verdicts(sizes)]
    return "\n".join([*table, "", *(conditions(size) for size in sizes), "", *disturbed(sizes), *told])


def disturbed(sizes: Sequence[Size]) -> list[str]:
    """A note where the figures are not those of the edge alone."""
    if max(size.others for size in sizes) <= MOST_OTHERS:
        return []
    return [
        "Note: others used this machine meanwhile (see *cores*); what waits for a core waits longer then."
    ]


def markdown(sizes: Sequence[Size], date: str, plot: str) -> str:
    """Everything, for a reader of the repository."""
    table = (f"| {' | '.join(line)} |" for line in (HEAD, ("---",) * len(HEAD), *rows(sizes)))
    told = (
        f"| {each.target} | {each.seen} | {'met' if each.met else '**missed**'} |" for each in verdicts(sizes)
    )
    return "\n".join(
        [
            "# From the API call to in force",
            "",
            f"Made by `python -m bench.change` on {date}: {machine()}; everything on loopback.",
            INTRODUCTION,
            f"![Distribution of the time to in force]({plot})",
            "",
            *disturbed(sizes),
            "",
            "| target | seen | |",
            "|---|---|---|",
            *told,
            "",
            *table,
            "",
            "```",
            *(conditions(size) for size in sizes),
            "```",
            "",
        ]
    )


def write(directory: Path, sizes: Sequence[Size], date: str) -> None:
    """The results of a full run: the table and the plot."""
    from bench.plot import plot  # matplotlib takes a second to import

    directory.mkdir(exist_ok=True)
    plot(directory / "change.png", sizes)
    (directory / "change.md").write_text(markdown(sizes, date, "change.png"))
