"""``holdfast ban`` and ``unban``: sources whose connections are refused for a while."""

from __future__ import annotations

import time
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes


@click.command()
@click.argument("source")
@click.option("--seconds", default=60, show_default=True, help="For how long; at most 60.")
@click.option("--keep", is_flag=True, help="Renew it until this command is ended.")
@config_option
@shows_mistakes
def ban(source: str, seconds: int, keep: bool, config: Path | None) -> None:
    """Refuse new connections from SOURCE, an address or network, unless a site allows or has cleared it.

    Others may share the address: a ban that nobody renews is over within a minute.
    """
    made = ask(config, "ban", source=source, seconds=seconds)
    click.echo(f"{made['source']} is banned until {made['until'][:19]} UTC")
    while keep:
        time.sleep(seconds / 2)
        ask(config, "ban", source=source, seconds=seconds)


@click.command()
@click.argument("source")
@config_option
@shows_mistakes
def unban(source: str, config: Path | None) -> None:
    """Lift the ban of SOURCE."""
    made = ask(config, "unban", source=source)
    click.echo(f"{made['source']} is not banned")
