"""``holdfast site``: what concerns one site and its origins."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, find_config, shows_mistakes
from holdfast.edge.check_origin import as_document, as_text
from holdfast.edge.origin_survey import read_site, survey


@click.group()
def site() -> None:
    """One site: whether the world can go round the edge to its origins, and how they tell."""


@site.command("check-origin")
@click.argument("name")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@shows_mistakes
def check_origin(name: str, config: Path | None, as_json: bool) -> None:
    """Say whether the origins of site NAME answer the world directly, past the edge.

    Run it on a machine that the origins' firewall does not know, for the edge itself is let in. All it needs
    there is the configuration file: no agent, no certificates, no keys. Each origin is asked once, for GET /
    of the site's first hostname, and the hostnames are looked up.

    Exit status 0 when no origin answers directly, 1 when one does, 2 when one cannot be asked from here.
    """
    report = asyncio.run(survey(read_site(find_config(config), name)))
    click.echo(json.dumps(as_document(report), indent=2) if as_json else as_text(report))
    sys.exit(report.exit_status)


@site.command()
@click.argument("name")
@click.option("--next", "following", is_flag=True, help="The one that comes after the next renewal.")
@click.option("--renew", is_flag=True, help="Sign with the next one from now on.")
@config_option
@shows_mistakes
def secret(name: str, following: bool, renew: bool, config: Path | None) -> None:
    """Show the key with which requests to the origins of site NAME are signed, in base64.

    To replace it without a gap: have the origins accept what --next shows, too; then --renew; then have them
    forget the former one.
    """
    click.echo(ask(config, "site_secret", name=name, next=following, renew=renew)["secret"])
