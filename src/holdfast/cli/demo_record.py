"""The public record of the demonstration: a log with its key, and grounds in it, made at the first start."""

from __future__ import annotations

import secrets
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdfast.accountable.decide import decide_grounds, parse_person
from holdfast.accountable.drafts import Drafts
from holdfast.accountable.own_log import OwnLog, told
from holdfast.accountable.publish_grounds import in_use, replace_file
from holdfast.accountable.steps import Office
from holdfast.cli.block import salts
from holdfast.cli.office import Agent, now
from holdfast.ledger.errors import LedgerError
from holdfast.ledger.log import Log
from holdfast.ledger.note import ED25519, Ed25519Signer, SignerKey
from holdfast.model.grounds import parse_grounds
from holdfast.model.record import GROUNDS

ORIGIN: Final = "harbour.example/ledger"
SAMPLES: Final = ("grounds.toml", "statement.md", "facts.md")
DECIDES: Final = "Ada Example, duty officer"
APPROVES: Final = "Grace Example, head of operations"


def prepare_record(directory: Path, state: Path) -> str:
    """The log of the demonstration in ``directory``, with everything that a block needs; returns its verifier
    key. What is there from an earlier start stays. Raises HoldfastError."""
    for name in SAMPLES:
        if not (directory / name).exists():
            replace_file(directory / name, (files("holdfast.demo") / name).read_bytes())
    log = _log(directory / "ledger")
    drafts = Drafts(state / "decisions")
    office = Office(drafts, log, Agent(directory / "holdfast.toml"), lambda data: None, now)
    for draft in drafts.all():
        if draft.kind == GROUNDS and not draft.is_over:
            office.resume(GROUNDS, draft.id)
    if in_use(drafts, log) is None or log.end() == 0:  # somebody may have removed the log alone
        data = (directory / "grounds.toml").read_bytes()
        people = parse_person(DECIDES, ""), parse_person(APPROVES, "")
        office.begin(decide_grounds(parse_grounds(data), data.decode(), *people, now(), salts))
    return str(log.key)


def _log(directory: Path) -> OwnLog:
    try:
        if not (directory / "ledger.json").exists():
            shutil.rmtree(directory, ignore_errors=True)  # what an interrupted first start has left
            secret = SignerKey(ORIGIN, ED25519, secrets.token_bytes(32))
            Log.create(directory, Ed25519Signer(secret), secret).close()
        with Log.open(directory) as log:
            return OwnLog(directory, log.storage.key)
    except LedgerError as wrong:
        raise told(wrong) from wrong
