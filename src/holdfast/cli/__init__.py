"""The command line: one file for each noun, and nothing but words; the agent does the work."""

from __future__ import annotations

import click

from holdfast import __version__
from holdfast.cli.attack import attack, attacks, under_attack
from holdfast.cli.ban import ban, unban
from holdfast.cli.block import block, blocks, unblock
from holdfast.cli.doctor import doctor
from holdfast.cli.drill import drill
from holdfast.cli.edge import edge
from holdfast.cli.explain import explain
from holdfast.cli.grounds import grounds
from holdfast.cli.ledger import ledger
from holdfast.cli.mitigation import mitigation, mitigations
from holdfast.cli.replay import replay
from holdfast.cli.site import site
from holdfast.cli.status import status
from holdfast.cli.up import down, up
from holdfast.cli.witness import witness


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="holdfast")
def main() -> None:
    """Holdfast keeps websites reachable under attack, and makes every block accountable."""


for command in (
    *(up, down, status, doctor, block, unblock, blocks, grounds, ledger, witness, ban, unban, site, edge),
    *(attacks, attack, explain, under_attack, mitigations, mitigation, drill, replay),
):
    main.add_command(command)
