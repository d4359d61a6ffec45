"""``holdfast doctor``: is this machine fit to be an edge, and if not, what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from holdfast.cli.common import config_option, find_config, shows_mistakes
from holdfast.edge.configuration import read_configuration
from holdfast.edge.doctor import Severity, examine


@click.command()
@config_option
@shows_mistakes
def doctor(config: Path | None) -> None:
    """Check HAProxy, kernel limits, ports, clock and permissions. Exit status 1 when something is wrong."""
    findings = examine(read_configuration(find_config(config)))
    for each in findings:
        click.echo(f"{each.severity.value:<5} {each.subject}: {each.words}")
        if each.remedy:
            click.echo(f"      → {each.remedy}")
    sys.exit(1 if any(each.severity is Severity.WRONG for each in findings) else 0)
