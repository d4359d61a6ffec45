"""``holdfast witness``: countersigning the logs of others, and so making sure that each tells one story."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Final

import click

from holdfast.cli.ledger_common import FOLDER, shows_errors
from holdfast.ledger.http_server import format_address, parse_address
from holdfast.ledger.note import COSIGNATURE, KEY_BYTES, SignerKey, parse_verifier_key
from holdfast.ledger.witness_service import WitnessService, serve_witness
from holdfast.ledger.witness_store import WitnessStore

_AFTER_INIT: Final = """\
Above is the witness's verifier key. Next: 'holdfast witness add-log {directory} KEY' with the key of each log
that it is to watch, then 'holdfast witness serve {directory}'. Never run two copies of this directory: a
witness that forgets what it has signed is worth nothing."""


@click.group()
def witness() -> None:
    """Be a witness to the logs of others: countersign only what continues all that was seen before."""


@witness.command()
@click.argument("directory", type=FOLDER)
@click.argument("name")
@shows_errors
def init(directory: Path, name: str) -> None:
    """Make a witness with a new key.

    DIRECTORY must be empty or not there. NAME is its name for ever, and by convention its address without
    the scheme, such as witness.example.org. Printed is the verifier key, for those who keep logs and those
    who check them.
    """
    key = SignerKey(name, COSIGNATURE, secrets.token_bytes(KEY_BYTES))
    WitnessStore.create(directory, key)
    click.echo(str(key.verifier))
    click.echo(_AFTER_INIT.format(directory=directory), err=True)


@witness.command()
@click.argument("directory", type=FOLDER)
@shows_errors
def key(directory: Path) -> None:
    """Print a witness's verifier key."""
    click.echo(str(WitnessStore(directory).key))


@witness.command("add-log")
@click.argument("directory", type=FOLDER)
@click.argument("key")
@shows_errors
def add_log(directory: Path, key: str) -> None:
    """Let a witness watch one more log.

    KEY is the log's verifier key, name+hash+key. It counts from the next start of 'holdfast witness serve'.
    A log that has changed its key has two.
    """
    WitnessStore(directory).add_log(parse_verifier_key(key))


@witness.command()
@click.argument("directory", type=FOLDER)
@click.option("--listen", default="127.0.0.1:9466", show_default=True, help="Address and port.")
@shows_errors
def serve(directory: Path, listen: str) -> None:
    """Answer logs that ask to be countersigned.

    The witness in DIRECTORY answers POST /add-checkpoint (C2SP tlog-witness). It is meant to stand behind a
    web server or an edge, which does TLS. Two checkpoints of one size that a log has signed are refused,
    and kept in DIRECTORY/evidence. Ctrl-C ends it.
    """
    service = WitnessService(WitnessStore(directory), lambda: int(time.time()))
    server = serve_witness(service, parse_address(listen))
    logs = ", ".join(sorted(service.logs)) or "no log yet"
    click.echo(f"witness at http://{format_address(server.address)}, for {logs}")
    server.run()
