"""``holdfast drill``: a small flood of one's own, and what the shield makes of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from holdfast.cli.common import agent_socket, ask, ask_meanwhile, config_option, shows_mistakes
from holdfast.drill import words
from holdfast.drill.plan import Part, Plan, suited
from holdfast.drill.result import Progress, Run
from holdfast.drill.run import run
from holdfast.drill.target import Target, check_still, choose
from holdfast.drill.verdict import judge, seen_of
from holdfast.edge.attack_plot import Format, draw
from holdfast.edge.attack_sketch import sketch
from holdfast.edge.drill_facts import Usual, facts_of
from holdfast.model.errors import HoldfastError, error
from holdfast.shield.record import read_record

DIRECTORY: Final = Path("var/drill")
FORMS: Final[tuple[Format, ...]] = ("png", "svg")
INTERRUPTED: Final = 130
"""As shells have it for what Ctrl-C has ended."""


@click.command()
@click.argument("site", required=False, default="")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=DIRECTORY,
    show_default=True,
    help="Where the plot is written, as PNG and SVG.",
)
@config_option
@shows_mistakes
def drill(site: str, out: Path, config: Path | None) -> None:
    """Flood SITE on this machine for ten seconds, with visitors beside, and show what the shield does.

    SITE may be left out where one site alone lies on this machine. It must lie here entirely: a drill sends
    nothing to another machine, and refuses any other target. It takes half a minute; Ctrl-C stops it.

    Exit status 0 when the shield held: a mitigation was in force, and 95 of 100 visitors were served from
    the third second of the flood on; 1 when it did not; 2 for a mistake.
    """
    try:
        held = conduct(config, site, out, Plan())
    except KeyboardInterrupt:
        click.echo("stopped: nothing is sent any more")
        sys.exit(INTERRUPTED)
    sys.exit(0 if held else 1)


def conduct(config: Path | None, site: str, out: Path, plan: Plan) -> bool:
    """A whole drill; returns whether the shield held. Raises HoldfastError."""
    target = choose(facts_of(ask(config, "drill_target", site=site)), site)
    _make(out)
    usual = Usual(**ask(config, "drill_begin", site=target.site))
    try:
        plan = suited(plan, target.site, usual)
        click.echo(f"{words.announced(target, plan)}\n{words.HEAD}")
        done = asyncio.run(_run(agent_socket(config), target, plan))
    finally:
        attacks = ask(config, "drill_over", site=target.site)["attacks"]
    record = read_record(ask(config, "attack", id=attacks[0])) if attacks else None
    seen = seen_of(record) if record else None
    click.echo(f"\n{words.timeline(done, seen)}\n")
    if record is not None:
        click.echo(f"{sketch(record)}\n")
        for form in FORMS:
            click.echo(f"  {_write(out / f'{record.attack.id}.{form}', draw(record, form))}")
    verdict = judge(done, seen, watches=target.watches)
    click.echo(f"\n{verdict.why[0].upper()}{verdict.why[1:]}")
    if seen is not None:
        click.echo(f"\n{words.suggested(target, seen)}")
    return verdict.held


async def _run(path: Path, target: Target, plan: Plan) -> Run:
    async def look(passed: float) -> None:
        facts = facts_of(await ask_meanwhile(path, "drill_target", site=target.site))
        check_still(facts, target, is_calm=plan.part(passed) is Part.CALM)

    def tell(progress: Progress) -> None:
        click.echo(words.second(plan, progress))

    return await run(target, plan, look, tell)


def _make(directory: Path) -> None:
    """Now, rather than find out when the drill is over."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as refused:
        raise _unwritten(directory, refused) from refused


def _write(path: Path, picture: bytes) -> Path:
    try:
        path.touch(mode=0o600)
        path.write_bytes(picture)
    except OSError as refused:
        raise _unwritten(path, refused) from refused
    return path


def _unwritten(path: Path, refused: OSError) -> HoldfastError:
    return error(
        f"the plot cannot be written to {path} ({refused.strerror})", "name a directory of yours", "--out"
    )
