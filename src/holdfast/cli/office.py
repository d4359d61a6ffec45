"""What commands that decide share: this machine's office, and the agent as the edge that it speaks to."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from holdfast.accountable.draft import Draft, Step
from holdfast.accountable.drafts import Drafts
from holdfast.accountable.own_log import OwnLog
from holdfast.accountable.publish_grounds import replace_file
from holdfast.accountable.steps import NOTED, Office, Watch
from holdfast.cli.common import ask
from holdfast.edge.configuration import Configuration
from holdfast.model.enforcement import dump_enforcement
from holdfast.model.errors import error

SET_UP = "set [ledger] directory, key and grounds as docs/operate/blocks.md shows"


class Agent:
    """The agent of this machine, as ``accountable.steps.Edge``."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def enforce(self, draft: Draft) -> None:
        if draft.enforcement is None:
            raise error(f"{draft.id} is no block", "go on with a block", "id")
        ask(
            self._config,
            "enforce",
            enforcement=dump_enforcement(draft.enforcement),
            entry=base64.b64encode(draft.entry).decode(),
            proof=draft.proof,
            statement=draft.document,
        )

    def lift(self, identifier: str) -> None:
        ask(self._config, "unblock", id=identifier)

    def blocks(self) -> Mapping[str, bool]:
        return {each["id"]: each["in_force"] for each in ask(self._config, "blocks")}


def now() -> datetime:
    return datetime.now(UTC)


def drafts_of(configuration: Configuration) -> Drafts:
    """The decisions that were made on this machine."""
    return Drafts(configuration.path.parent / configuration.edge.state_dir / "decisions")


def log_of(configuration: Configuration) -> OwnLog:
    """The log that this machine keeps. Raises HoldfastError where none is configured."""
    ledger, trust = configuration.ledger, configuration.ledger.trust
    if ledger.directory is None or trust.log is None:
        raise error("this machine keeps no log, and nothing is blocked without a record", SET_UP, "ledger")
    return OwnLog(ledger.directory, trust.log, ledger.witnesses, trust.witnesses, trust.quorum)


def grounds_of(configuration: Configuration) -> Path:
    """The grounds file. Raises HoldfastError where none is configured."""
    if configuration.ledger.grounds is None:
        raise error("there is no grounds file, and nothing is blocked without a ground", SET_UP, "ledger")
    return configuration.ledger.grounds


def office_of(configuration: Configuration, watch: Watch | None = None) -> Office:
    """Decides for this machine; says each step, if nobody else watches. Raises HoldfastError where no log is
    configured."""

    def use_grounds(data: bytes) -> None:
        replace_file(grounds_of(configuration), data)

    return Office(
        drafts_of(configuration),
        log_of(configuration),
        Agent(configuration.path),
        use_grounds,
        now,
        watch or _say,
    )


def _say(moment: str, draft: Draft) -> None:
    words: dict[Step, Callable[[], str]] = {
        Step.RECORDED: lambda: f"recorded: entry {draft.index} of the log",
        Step.PUBLISHED: lambda: "published, with a proof",
        Step.LIFTED: lambda: "lifted",
    }
    if moment == NOTED and draft.step in words:
        click.echo(words[draft.step]())
