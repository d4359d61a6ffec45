"""``holdfast ban`` and ``unban``: sources whose connections are refused for a while."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes


@click.command()
@click.argument("source")
@click.option("--seconds", default=60, show_default=True, help="For how long; at most a day.")
@config_option
@shows_mistakes
def ban(source: str, seconds: int, config: Path | None) -> None:
    """Refuse new connections from SOURCE, an address or network, unless a site allows it."""
    made = ask(config, "ban", source=source, seconds=seconds)
    click.echo(f"{made['source']} is banned until {made['until'][:19]} UTC")


@click.command()
@click.argument("source")
@config_option
@shows_mistakes
def unban(source: str, config: Path | None) -> None:
    """Lift the ban of SOURCE."""
    made = ask(config, "unban", source=source)
    click.echo(f"{made['source']} is not banned")
