"""``holdfast mitigations`` and ``mitigation``: what the shield has in force, and a person's word on it."""

from __future__ import annotations

import getpass
import json
import os
import re
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.edge.shield_status import MitigationRow, mitigations_as_text
from holdfast.model.errors import error
from holdfast.model.mitigation import Action

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

by_option = click.option("--by", default="", help="Who decides; default: your account's name.")


@click.command()
@click.argument("site", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="For programs; with the evidence.")
@config_option
@shows_mistakes
def mitigations(site: str, as_json: bool, config: Path | None) -> None:
    """List what is in force against floods, at SITE or at all sites: what it matches, why, until when.

    Those that the shield made end by themselves; it renews them while they are needed.
    """
    answer = ask(config, "mitigations", site=site)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(mitigations_as_text(MitigationRow(**row) for row in answer))


@click.group()
def mitigation() -> None:
    """One mitigation: undo, forbid or pin it, or add one; permit what was forbidden."""


@mitigation.command()
@click.argument("id")
@config_option
@shows_mistakes
def undo(id: str, config: Path | None) -> None:
    """Withdraw mitigation ID. The shield does not use the same again in this attack."""
    ask(config, "undo_mitigation", id=id)
    click.echo(f"{id} is withdrawn")


@mitigation.command()
@click.argument("id")
@config_option
@shows_mistakes
def forbid(id: str, config: Path | None) -> None:
    """Withdraw mitigation ID. The shield never uses the same again at its site, until 'permit'."""
    ask(config, "undo_mitigation", id=id, forbid=True)
    click.echo(f"{id} is withdrawn; the same is never used again at its site, until 'permit'")


@mitigation.command()
@click.argument("site")
@config_option
@shows_mistakes
def permit(site: str, config: Path | None) -> None:
    """Take back all that was forbidden at SITE: the shield may use it again."""
    click.echo(permitted(site, ask(config, "permit_mitigations", site=site)["permitted"]))


@mitigation.command()
@click.argument("id")
@click.option(
    "--for", "span", default="1h", show_default=True, help="How long, such as 30s, 15m, 1h; at most 7d."
)
@by_option
@config_option
@shows_mistakes
def pin(id: str, span: str, by: str, config: Path | None) -> None:
    """Keep mitigation ID as it is until its end, whatever the flood does."""
    made = ask(config, "pin_mitigation", id=id, seconds=seconds_of(span), by=by or account())
    click.echo(f"{id} stays until {made['until'][:19]} UTC")


@mitigation.command()
@click.argument("site")
@click.option(
    "--action", required=True, type=click.Choice([each.value for each in Action]), help="What is done."
)
@click.option(
    "--for", "span", default="15m", show_default=True, help="How long, such as 30s, 15m, 1h; at most 7d."
)
@click.option("--reason", required=True, help="Why, for those who look at it later.")
@by_option
@config_option
@shows_mistakes
def add(site: str, action: str, span: str, reason: str, by: str, config: Path | None) -> None:
    """Observe, limit or challenge all requests to SITE for a while.

    To refuse all of them is a block: 'holdfast block'.
    """
    made = ask(
        config,
        "add_mitigation",
        site=site,
        action=action,
        seconds=seconds_of(span),
        by=by or account(),
        reason=reason,
    )
    click.echo(f"{made['id']} is in force until {made['until'][:19]} UTC")
    if made["watches"]:
        click.echo(f"{site} is only watched (watch_only, or [edge] shield): requests are counted, no more")
    click.echo(f"end it with: holdfast mitigation undo {made['id']}")


def permitted(site: str, count: int) -> str:
    """What came of it, in words."""
    if not count:
        return f"nothing was forbidden at {site}"
    return f"{count} forbidden mitigation{'s' if count > 1 else ''} of {site} may be used again"


def seconds_of(text: str) -> int:
    """``90s``, ``15m``, ``1h``, ``7d`` → seconds. Raises HoldfastError."""
    found = re.fullmatch(r"(\d{1,7})([smhd])", text.strip())
    if found is None:
        raise error(f"{text!r} is no span of time", "write it like 30s, 15m, 1h or 2d", "--for")
    return int(found[1]) * SECONDS[found[2]]


def account() -> str:
    """Of the person at the keyboard: who uses sudo is not root."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
