"""``holdfast status``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.edge.status import SiteRow, Snapshot, as_table


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shows_mistakes
def status(config: Path | None, as_json: bool) -> None:
    """Show sites, traffic, what was refused, and the state of origins."""
    answer = ask(config, "status")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    sites = [SiteRow(**row) for row in answer.pop("sites")]
    click.echo(as_table(Snapshot(sites=sites, **answer)))
