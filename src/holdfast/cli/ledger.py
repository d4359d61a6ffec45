"""``holdfast ledger``: a log of one's own: made, appended to, published, proved, served.

Looking at any log is in ``ledger_check``, private fields in ``ledger_reveal``."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Final

import click

from holdfast.cli.ledger_check import export, fsck, verify
from holdfast.cli.ledger_common import FOLDER, read_file, shows_errors
from holdfast.cli.ledger_reveal import reveal
from holdfast.ledger.disclosure import encode_disclosures
from holdfast.ledger.entry import SALT_BYTES, Disclosure, canonical, compose
from holdfast.ledger.errors import MalformedError
from holdfast.ledger.http_server import format_address, parse_address
from holdfast.ledger.log import Log, Prove
from holdfast.ledger.note import ED25519, KEY_BYTES, Ed25519Signer, Signature, SignerKey
from holdfast.ledger.posix import Directory
from holdfast.ledger.published import Published
from holdfast.ledger.serve import StaticMounts
from holdfast.ledger.serve import serve as serve_files
from holdfast.ledger.source import FolderSource
from holdfast.ledger.witness import Gathered, gather, parse_witness

STANDARD_INPUT: Final = "-"
_AFTER_INIT: Final = """\
{directory} is an empty log. Above is its verifier key: publish it where people look for it, and give it to
witnesses, and to edges as [ledger] key. The key that signs is {directory}/private/key: copy it to a safe
place off this machine. Whoever has it can sign another history; without it this one ends."""


@click.group()
def ledger() -> None:
    """A transparency log in the C2SP formats: keep one, prove what is in it, check anybody's."""


@ledger.command()
@click.argument("directory", type=FOLDER)
@click.argument("origin")
@shows_errors
def init(directory: Path, origin: str) -> None:
    """Make an empty log with a new key.

    DIRECTORY must be empty or not there. ORIGIN is the log's name for ever, and by convention its address
    without the scheme, such as example.org/log. Printed is the verifier key, which everybody needs who is
    to check the log.
    """
    key = SignerKey(origin, ED25519, secrets.token_bytes(KEY_BYTES))
    with Log.create(directory, Ed25519Signer(key), key):
        pass
    click.echo(str(key.verifier))
    click.echo(_AFTER_INIT.format(directory=directory), err=True)


@ledger.command()
@click.argument("directory", type=FOLDER)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--json",
    "is_json",
    is_flag=True,
    help="The files are JSON, to be appended in its canonical form. One with the fields kind, public and"
    " private becomes an entry that only commits to what is private; 'reveal' has it.",
)
@shows_errors
def append(directory: Path, files: tuple[str, ...], is_json: bool) -> None:
    """Append files to a log, an entry each.

    FILES are those to append to the log in DIRECTORY; '-' is standard input. Printed is the index of each.
    All are durable then, or none was appended; 'checkpoint' publishes them.
    """
    given = [(name, _read(name)) for name in files]
    entries, private = [], []
    for name, data in given:
        entry, disclosures = _entry_of_json(name, data) if is_json else (data, ())
        entries.append(entry)
        private.append(disclosures)
    storage = Directory(directory)
    with Log(storage) as log:
        for entry, disclosures in zip(entries, private, strict=True):
            if disclosures:
                storage.keep_disclosure(entry, encode_disclosures(disclosures))
        first = log.append(entries)
    for index in range(first, first + len(entries)):
        click.echo(index)


@ledger.command()
@click.argument("directory", type=FOLDER)
@click.option("--witness", "witnesses", multiple=True, metavar="URL=KEY", help="Ask this one to countersign.")
@click.option(
    "--quorum",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="So many must countersign, or nothing is published.",
)
@shows_errors
def checkpoint(directory: Path, witnesses: tuple[str, ...], quorum: int) -> None:
    """Publish what was appended, under a new checkpoint.

    It covers all entries of the log in DIRECTORY that are durable, and is signed with the log's key.
    Without new entries it is the same one, which more witnesses may countersign.
    """
    asked = [parse_witness(each) for each in witnesses]
    gathered: list[Gathered] = []

    def cosign(checkpoint: bytes, prove: Prove) -> tuple[Signature, ...]:
        gathered.append(gather(asked, checkpoint, prove, quorum))
        return gathered[0].signatures

    with Log.open(directory) as log:
        opened = log.publish(cosign if asked or quorum else None)
    for each in gathered:
        for witness, wrong in each.refusals:
            click.echo(f"not countersigned by {witness.key.name}: {wrong}", err=True)
    head = opened.checkpoint
    signed = f", countersigned by {len(gathered[0].signatures)} of {len(asked)}" if gathered else ""
    click.echo(f"{head.origin}: {head.size} entries, root {base64.b64encode(head.root).decode()}{signed}")


@ledger.command()
@click.argument("directory", type=FOLDER)
@click.argument("index", type=click.IntRange(0))
@shows_errors
def prove(directory: Path, index: int) -> None:
    """Write the proof that an entry is in a log.

    It is that of entry INDEX of the log in DIRECTORY, to keep as a .tlog-proof file. With the entry and the
    log's key it can be checked for ever and without the log: 'verify --proof'.
    """
    click.echo(Published(Directory(directory)).prove(index).encode(), nl=False)


@ledger.command()
@click.argument("directory", type=FOLDER)
@click.option("--listen", default="127.0.0.1:9465", show_default=True, help="Address and port.")
@shows_errors
def serve(directory: Path, listen: str) -> None:
    """Serve a log over HTTP.

    Served are the public files (checkpoint and tiles) of the log in DIRECTORY, or of an exported copy
    there. It is meant to stand behind a web server or an edge, which does TLS and caching. Ctrl-C ends it.
    """
    folder = FolderSource(directory).name
    server = serve_files(StaticMounts({"/": Path(folder)}), parse_address(listen))
    click.echo(f"serving {folder} at http://{format_address(server.address)}/checkpoint")
    server.run()


for _command in (verify, fsck, export, reveal):
    ledger.add_command(_command)


def _read(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    return read_file(Path(name))


def _entry_of_json(name: str, data: bytes) -> tuple[bytes, tuple[Disclosure, ...]]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        raise MalformedError(f"{name} is not JSON ({wrong})", "append it without --json, as it is") from wrong
    match value:
        case {"kind": str(kind), "public": dict(public), "private": dict(private)} if len(value) == 3:
            if not all(isinstance(each, str) for each in private.values()):
                raise MalformedError(f"a private field in {name} is not a text", "write it as a text")
            hidden = {
                field: Disclosure(field, text, secrets.token_bytes(SALT_BYTES))
                for field, text in private.items()
            }
            return compose(kind, int(time.time()), public, hidden).encode(), tuple(hidden.values())
    return canonical(value), ()
