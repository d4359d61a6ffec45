"""``holdfast replay``: an access log through the shield's brain, and what it would have done."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from holdfast.cli.common import shows_mistakes
from holdfast.cli.picture import check_place, write_picture
from holdfast.edge.attack_plot import Format
from holdfast.model.errors import error
from holdfast.replay.document import document
from holdfast.replay.flood import Mixture
from holdfast.replay.reading import STANDARD_INPUT, LogFile
from holdfast.replay.report import report
from holdfast.replay.run import SEED, Result, Source, replay_log

PROGRESS_LINES = 20_000
PROGRESS_SECONDS = 0.5


@click.command()
@click.argument("log")
@click.option("--learn", metavar="FILE", help="A calm log of an earlier time, to learn from first.")
@click.option("--site", default="site", show_default=True, help="What the report calls the site.")
@click.option(
    "--with-flood",
    is_flag=True,
    help="Generate two floods into the log, to see them named: no request is sent.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs; times in unix seconds.")
@click.option(
    "--png",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the largest attack there, as a picture.",
)
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the largest attack there, to any scale.",
)
@shows_mistakes
def replay(
    log: str,
    learn: str | None,
    site: str,
    with_flood: bool,
    as_json: bool,
    png: Path | None,
    svg: Path | None,
) -> None:
    """Tell what the shield would have done with LOG: an access log in the combined format, also packed
    (gzip, bzip2, xz); '-' for standard input.

    It goes through the same brain that an edge has, from nothing learned, and faster than it was written.
    Nothing is sent and nothing is kept.
    """
    given: tuple[tuple[Path | None, Format], ...] = (png, "png"), (svg, "svg")
    wanted = [(path, form) for path, form in given if path is not None]
    for path, form in wanted:
        check_place(path, form)
    result, seconds, damage = _replayed(log, learn, site, with_flood=with_flood)
    if as_json:
        click.echo(json.dumps(document(result, seconds, damage), indent=2))
    else:
        click.echo(report(result, seconds, damage))
    records = result.replay.records
    if wanted and not records:
        click.echo("\nthere is no attack to draw", err=as_json)
        return
    for path, form in wanted:
        write_picture(max(records, key=lambda each: each.attack.peak), path, form)
        click.echo(f"\ndrawn: {path}", err=as_json)


def _replayed(log: str, learn: str | None, site: str, *, with_flood: bool) -> tuple[Result, float, str]:
    """What was found, the seconds that it took, and why the log could not be read to its end."""
    began = time.perf_counter()
    mixture = _mixture(log) if with_flood else None
    with LogFile(log) as file:
        source = Source(file.name, _watched(file, began))
        if learn is None:
            result = replay_log(source, site, None, mixture)
        else:
            with LogFile(learn) as calm:
                result = replay_log(source, site, Source(calm.name, _watched(calm, began)), mixture)
                if calm.damage:
                    raise error(
                        f"it cannot be read to its end ({calm.damage})", "give one that is whole", calm.name
                    )
        return result, time.perf_counter() - began, file.damage


def _mixture(log: str) -> Mixture:
    if log == STANDARD_INPUT:
        raise error(
            "the floods begin at a share of the lines, and nobody knows how many come of standard input",
            "name a file",
            "--with-flood",
        )
    with LogFile(log) as file:
        return Mixture(file.count(), np.random.default_rng(SEED))


def _watched(file: LogFile, began: float) -> Iterator[str]:
    """Its lines; where somebody looks on, how far they have come."""
    if not sys.stderr.isatty():
        yield from file.lines()
        return
    told = began
    for number, line in enumerate(file.lines(), 1):
        if number % PROGRESS_LINES == 0 and (now := time.perf_counter()) - told > PROGRESS_SECONDS:
            told = now
            share = "" if file.share is None else f"{file.share:4.0%}, "
            click.echo(
                f"\r{share}{number:,} lines, {number / (now - began):,.0f} lines/s ", nl=False, err=True
            )
        yield line
    if told != began:
        click.echo("\r" + " " * 60 + "\r", nl=False, err=True)
