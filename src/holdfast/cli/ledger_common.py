"""What the commands about logs and witnesses share: options, keys, and how they show what is wrong."""

from __future__ import annotations

import base64
import functools
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn, ParamSpec, TypeVar

import click

from holdfast.ledger.errors import LedgerError, MalformedError, StorageError
from holdfast.ledger.note import VerifierKey, parse_verifier_key
from holdfast.ledger.posix import Directory
from holdfast.ledger.verify import Report

P = ParamSpec("P")
R = TypeVar("R")

PROGRESS_SECONDS: Final = 0.5
FOLDER = click.Path(path_type=Path)

key_option = click.option(
    "--key",
    metavar="KEY",
    help="The log's verifier key, name+hash+key; default: that of SOURCE, where it is a log's own directory.",
)


def shows_errors(command: Callable[P, R]) -> Callable[P, R]:
    """The surface where the ledger's errors become words: exit status 2."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except LedgerError as wrong:
            fail(wrong)

    return wrapped


def fail(wrong: LedgerError) -> NoReturn:
    click.echo(f"error: {wrong}", err=True)
    sys.exit(2)


def say_no(*problems: str) -> NoReturn:
    """The answer is no: a line for each thing that is wrong, exit status 1."""
    for problem in problems:
        click.echo(f"wrong: {problem}", err=True)
    sys.exit(1)


def find_key(given: str | None, source: str) -> VerifierKey:
    """The log's key. Raises LedgerError where it is not given and nothing here says it."""
    if given is not None:
        return parse_verifier_key(given)
    try:
        return Directory(Path(source)).key
    except StorageError:
        raise MalformedError(
            f"nobody has said whose log {source} is", "give its verifier key with --key name+hash+key"
        ) from None


def read_file(path: Path) -> bytes:
    """Raises LedgerError."""
    try:
        return path.read_bytes()
    except OSError as refused:
        raise StorageError(
            f"{path} cannot be read ({refused.strerror})", "check its name, and who may read it"
        ) from refused


def show_report(report: Report) -> None:
    """The checkpoint, and whose signatures it has."""
    head = report.checkpoint
    if head is None:
        return
    click.echo(f"log:       {head.origin}")
    click.echo(f"size:      {head.size}")
    click.echo(f"root:      {base64.b64encode(head.root).decode()}")
    for line in head.extensions:
        click.echo(f"says:      {shown(line)}")
    for signature in report.signatures:
        click.echo(f"signed:    {signature.name} ({signature.key_id.hex()})")
    for each in report.cosignatures:
        click.echo(f"cosigned:  {each.key.name} ({each.key.key_id.hex()}), {moment(each.time)}")
    for signature in report.unknown:
        click.echo(f"ignored:   {signature.name!r} ({signature.key_id.hex()}): its key was not given")


def shown(text: str) -> str:
    """Others' text, which cannot end its line or give a terminal commands: as it is, or quoted as JSON."""
    return text if text.isprintable() and not text.startswith('"') else json.dumps(text)


def moment(seconds: int) -> str:
    """Of a witness's clock, which may say anything."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"at the time {seconds}"


def watched() -> Callable[[int, int], None]:
    """Tells how far a check has come, where somebody looks on."""
    if not sys.stderr.isatty():
        return lambda done, size: None
    told = time.monotonic()

    def tell(done: int, size: int) -> None:
        nonlocal told
        now = time.monotonic()
        if done == size:
            click.echo("\r" + " " * 50 + "\r", nl=False, err=True)
        elif now - told > PROGRESS_SECONDS:
            told = now
            click.echo(f"\r{done / size:4.0%}, {done:,} of {size:,} entries ", nl=False, err=True)

    return tell
