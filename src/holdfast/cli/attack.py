"""``holdfast attacks``, ``attack`` and ``under-attack``: the incidents, one of them, the owner's switch."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.cli.picture import check_place, write_picture
from holdfast.edge.attack_plot import Format
from holdfast.edge.attack_sketch import sketch
from holdfast.edge.attack_words import attack_as_text
from holdfast.edge.shield_status import AttackRow, attacks_as_text
from holdfast.shield.record import read_record


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs; with each attack's journal.")
@config_option
@shows_mistakes
def attacks(as_json: bool, config: Path | None) -> None:
    """List the attacks of the last 30 days, the newest last; also those that go on."""
    answer = ask(config, "attacks")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(attacks_as_text(AttackRow(**row) for row in answer))


@click.group()
def attack() -> None:
    """One attack: what happened, in words and drawn."""


@attack.command()
@click.argument("id")
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: the whole record; times in unix seconds."
)
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw it there, as a picture.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw it there, to any scale.")
@config_option
@shows_mistakes
def show(id: str, as_json: bool, png: Path | None, svg: Path | None, config: Path | None) -> None:
    """Tell the story of attack ID: what confirmed it, what was done and when, whom that touched, and what
    reached the origin.

    ID may be the beginning of one, or 'last'.
    """
    given: tuple[tuple[Path | None, Format], ...] = (png, "png"), (svg, "svg")
    wanted = [(path, form) for path, form in given if path is not None]
    for path, form in wanted:
        check_place(path, form)
    document = ask(config, "attack", id=id)
    record = read_record(document)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(attack_as_text(record))
        click.echo(f"\n{sketch(record)}" if record.rows else "\nIts course is not known.")
    for path, form in wanted:
        write_picture(record, path, form)
        click.echo(f"\ndrawn: {path}", err=as_json)
    if not wanted and not as_json:
        click.echo(f"\ndraw it with: holdfast attack show {record.attack.id} --png {record.attack.id}.png")


@click.command("under-attack")
@click.argument("site")
@click.argument("state", type=click.Choice(["on", "off"]))
@config_option
@shows_mistakes
def under_attack(site: str, state: str, config: Path | None) -> None:
    """Turn the switch of SITE on or off. While it is on, every visitor waits a moment, once an hour.

    It is kept when the agent is started again.
    """
    made = ask(config, "under_attack", site=site, on=state == "on")
    if not made["on"]:
        click.echo(f"{site} is as usual: the shield decides by itself")
    elif made["watches"]:
        click.echo(
            f"{site} is switched, but only watched (watch_only or [edge] shield): nobody is challenged"
        )
    else:
        click.echo(f"{site} challenges every visitor; end it with: holdfast under-attack {site} off")
