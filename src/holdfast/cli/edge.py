"""``holdfast edge``: what concerns the node as such."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes


@click.group()
def edge() -> None:
    """This node: compare, apply the configuration, reload."""


@edge.command()
@config_option
@shows_mistakes
def diff(config: Path | None) -> None:
    """Show what HAProxy holds that differs from what it should. Exit status 1 when something does."""
    answer = ask(config, "diff")
    for line in answer["now"]:
        click.echo(f"missing  {line}")
    for line in answer["later"]:
        click.echo(f"left over  {line}")
    if not answer["now"]:
        left = f"; {len(answer['later'])} left-overs will be swept up" if answer["later"] else ""
        click.echo(f"HAProxy holds what it should{left}")
    sys.exit(1 if answer["now"] else 0)


@edge.command()
@config_option
@shows_mistakes
def apply(config: Path | None) -> None:
    """Read the configuration file again and bring what changed in force, without a reload if possible."""
    answer = ask(config, "apply")
    click.echo(f"{answer['changed']} sites added or changed, {answer['removed']} removed")
    if answer["withheld"]:
        click.echo(f"{answer['withheld']} blocks are not in force, for want of a proof: 'holdfast blocks'")


@edge.command()
@config_option
@shows_mistakes
def reload(config: Path | None) -> None:
    """Start a new HAProxy worker (after an upgrade of HAProxy, say) without a failed request."""
    ask(config, "reload")
    click.echo("HAProxy runs on a new worker")
