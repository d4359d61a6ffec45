"""A command that decides and is killed at a moment of its own: ``dying.py CONFIG KIND MOMENT STEP [ID]``.

It does what ``holdfast block`` and ``holdfast unblock`` do, and sends itself SIGKILL at the moment that
``accountable.steps`` tells of. Run in a process of its own by ``test_accountable_block``.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.accountable.decide import Person, decide_lift
from holdfast.accountable.draft import Draft
from holdfast.cli.block import decided
from holdfast.cli.office import office_of
from holdfast.edge.configuration import read_configuration


def given(directory: Path = Path()) -> dict[str, Any]:
    """What ``holdfast block`` is given beside what is to be blocked; files are those of ``directory``."""
    return {
        "ground": "threat to life",
        "clause": "4.2",
        "until": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "by": "Ada Example, duty officer",
        "approved_by": "Grace Example, head of operations",
        "statement": directory / "statement.md",
        "facts": directory / "facts.md",
        "authority": "",
    }


def main(config: str, kind: str, moment: str, step: str, identifier: str = "") -> None:
    """Decide, and die."""

    def watch(now: str, draft: Draft) -> None:
        if (now, draft.step) == (moment, step):
            os.kill(os.getpid(), signal.SIGKILL)

    configuration = read_configuration(Path(config))
    office = office_of(configuration, watch)
    if kind == "block":
        office.begin(decided(configuration, "a", "", given()))
    else:
        person = Person("Ada Example", "duty officer")
        office.lift(
            decide_lift(identifier, person, "It is gone.", datetime.now(UTC), lambda: secrets.token_bytes(32))
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
