"""``holdfast block``, ``unblock`` and ``blocks``: decisions of an operator, put in force at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.model.errors import error


@click.command()
@click.argument("target", required=False, default="")
@click.option("--customer", default="", help="Block every site of a customer instead.")
@click.option("--ground", required=True, help="Why, as visitors read it.")
@click.option("--by", required=True, help="Who decides, in which role; visitors do not see it.")
@click.option("--until", default="", help="When it ends, such as 2026-12-24T18:00:00Z; default: in 30 days.")
@click.option(
    "--legal-demand", "authority", default="", help="The authority that demands it; the answer is then 451."
)
@config_option
@shows_mistakes
def block(
    target: str, customer: str, ground: str, by: str, until: str, authority: str, config: Path | None
) -> None:
    """Block TARGET: a site's name, a hostname, or hostname/path."""
    fields = {"target": target, "customer": customer, "ground": ground, "by": by, "authority": authority}
    if until:
        fields["until"] = _moment(until)
    made = ask(config, "block", **fields)
    click.echo(
        f"{made['scope']} is blocked ({made['status']}) until {made['until'][:16]} UTC; decision {made['id']}"
    )
    click.echo(f"lift it with: holdfast unblock {made['id']}")


@click.command()
@click.argument("id")
@config_option
@shows_mistakes
def unblock(id: str, config: Path | None) -> None:
    """Lift the block of decision ID."""
    ask(config, "unblock", id=id)
    click.echo(f"decision {id} is lifted")


@click.command()
@config_option
@shows_mistakes
def blocks(config: Path | None) -> None:
    """List the blocks in force."""
    for each in ask(config, "blocks"):
        click.echo(
            f"{each['id']}  {each['status']}  {each['scope']}  until {each['until'][:16]} UTC"
            f"  by {each['by']}: {each['ground']}"
        )


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise error(f"{text!r} is no time", "write it like 2026-12-24T18:00:00Z", "--until") from None
    if moment.tzinfo is None:
        raise error(f"{text!r} does not say its time zone", "end it in Z for UTC", "--until")
    return moment.astimezone(UTC).isoformat()
