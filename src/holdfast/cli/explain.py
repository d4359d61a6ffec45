"""``holdfast explain``: what an id leads to."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.common import ask, config_option, shows_mistakes
from holdfast.edge.explain import explanation_as_text, read_explanation


@click.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="For programs; times in unix seconds.")
@config_option
@shows_mistakes
def explain(id: str, as_json: bool, config: Path | None) -> None:
    """Explain ID: the rule behind a refusal, its reason, who made it, until when, and what can be done.

    ID is what a refused visitor has seen on the page or in the header X-Holdfast-Id; or the id of a
    mitigation, an attack or a block. Records are kept for 30 days after their end.
    """
    answer = ask(config, "explain", id=id)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(explanation_as_text(read_explanation(answer)))
