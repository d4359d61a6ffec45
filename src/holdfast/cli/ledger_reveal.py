"""``holdfast ledger reveal``: private fields of an entry, for an auditor, and the auditor's check."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.ledger_common import FOLDER, read_file, say_no, shown, shows_errors
from holdfast.ledger.disclosure import choose, encode_disclosures, parse_disclosures
from holdfast.ledger.entry import check_disclosure, parse_entry
from holdfast.ledger.errors import InconsistentError, MalformedError
from holdfast.ledger.posix import Directory
from holdfast.ledger.published import Published


@click.command()
@click.argument("directory", type=FOLDER, required=False)
@click.argument("index", type=click.IntRange(0), required=False)
@click.argument("fields", nargs=-1)
@click.option("--check", type=FOLDER, metavar="FILE", help="Check this file instead; needs --entry.")
@click.option("--entry", type=FOLDER, metavar="FILE", help="The entry that it is to belong to.")
@shows_errors
def reveal(
    directory: Path | None, index: int | None, fields: tuple[str, ...], check: Path | None, entry: Path | None
) -> None:
    """Write an entry's private fields, or check them.

    The FIELDS of entry INDEX of the log in DIRECTORY are written with the salts that prove them. Other
    fields of the entry stay as secret as they were. Who is given the file checks it with --check: printed
    is what each field says when it is what the entry has committed to, and the exit status is 1 when it is
    not. That the entry itself is in the log is for 'verify --proof' to say.
    """
    if check is not None and entry is not None and directory is None:
        _check(check, entry)
    elif directory is not None and index is not None and fields and check is None and entry is None:
        storage = Directory(directory)
        held = parse_disclosures(storage.disclosure(Published(storage).entry(index)))
        click.echo(encode_disclosures(choose(held, fields)), nl=False)
    else:
        raise MalformedError(
            "it is not said what to reveal, or what to check",
            "give a log's directory, an index and names of fields; or --check FILE --entry FILE",
        )


def _check(file: Path, entry: Path) -> None:
    disclosures, content = parse_disclosures(read_file(file)), parse_entry(read_file(entry))
    if not disclosures:
        say_no(f"{file}: it reveals nothing")
    try:
        for each in disclosures:
            check_disclosure(content, each)
    except InconsistentError as wrong:
        say_no(f"{file}: {wrong}")
    for each in disclosures:
        click.echo(f"{shown(each.field)}: {shown(each.value)}")
