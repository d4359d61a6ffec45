"""``holdfast attacks`` and ``under-attack``: the incidents, and the owner's switch."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.edge.shield_status import AttackRow, attacks_as_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs; with each attack's journal.")
@config_option
@shows_mistakes
def attacks(as_json: bool, config: Path | None) -> None:
    """List the attacks since the agent's start, the newest last; those that go on come at the end."""
    answer = ask(config, "attacks")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(attacks_as_text(AttackRow(**row) for row in answer))


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
