"""``holdfast ledger verify``, ``fsck`` and ``export``: any log, by anybody, from a folder or the web."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.ledger_common import (
    FOLDER,
    find_key,
    key_option,
    moment,
    read_file,
    say_no,
    show_report,
    shows_errors,
    watched,
)
from holdfast.ledger import export as exporting
from holdfast.ledger import fsck as checking
from holdfast.ledger import verify as verifying
from holdfast.ledger.errors import InconsistentError, MalformedError, UntrustedError
from holdfast.ledger.note import VerifierKey, parse_verifier_key
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.ledger.source import open_source
from holdfast.ledger.witness import check_is_witness

witness_option = click.option(
    "--witness", "witnesses", multiple=True, metavar="KEY", help="A witness's verifier key, name+hash+key."
)
quorum_option = click.option(
    "--quorum",
    type=click.IntRange(0),
    help="So many of the witnesses must have countersigned; default: all that are given.",
)


@click.command()
@click.argument("source", required=False)
@key_option
@witness_option
@quorum_option
@click.option(
    "--proof", type=FOLDER, metavar="FILE", help="Check this .tlog-proof instead of a log; needs --entry."
)
@click.option("--entry", type=FOLDER, metavar="FILE", help="The entry that the proof is of.")
@shows_errors
def verify(
    source: str | None,
    key: str | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    proof: Path | None,
    entry: Path | None,
) -> None:
    """Check a log's signed checkpoint, or a proof.

    Of the log at SOURCE, a web address or a folder, the signatures are checked, and that the tree that is
    served there has the signed root. With --proof it is checked offline that an entry is in a log.

    Exit status 0 when all is right; 1 when something is wrong with the log or the proof, a line for each
    thing; 2 when it could not be checked.
    """
    if (source is None) == (proof is None) or (proof is None) != (entry is None):
        raise MalformedError("it is not said what to check", "name a log, or give --proof and --entry")
    known = [_witness_key(each) for each in witnesses]
    wanted = len(known) if quorum is None else quorum
    if proof is not None and entry is not None:
        _verify_offline(proof, entry, find_key(key, str(proof)), known, wanted)
    elif source is not None:
        log = find_key(key, source)
        report = verifying.verify(open_source(source), log, known, wanted)
        show_report(report)
        if report.problems:
            say_no(*report.problems)


def _verify_offline(
    proof: Path, entry: Path, log: VerifierKey, witnesses: list[VerifierKey], quorum: int
) -> None:
    data, content = read_file(proof), read_file(entry)
    try:
        parsed = parse_proof(data)
        opened = verify_proof(content, parsed, log, witnesses, quorum)
    except (MalformedError, UntrustedError, InconsistentError) as wrong:
        say_no(f"{proof}: {wrong}")
    head = opened.checkpoint
    click.echo(f"{entry} is entry {parsed.index} of {head.origin}, which had {head.size} entries then")
    for each in opened.cosignatures:
        click.echo(f"countersigned by {each.key.name}, {moment(each.time)}")


@click.command()
@click.argument("source")
@key_option
@witness_option
@quorum_option
@click.option(
    "--pruned-below",
    type=click.IntRange(0),
    default=0,
    metavar="INDEX",
    help="Entries below it need not be there: the log says that it has pruned them.",
)
@click.option(
    "--without-entries",
    is_flag=True,
    help="The log serves entries in a form of its own: check the hashes alone.",
)
@shows_errors
def fsck(
    source: str,
    key: str | None,
    witnesses: tuple[str, ...],
    quorum: int | None,
    pruned_below: int,
    without_entries: bool,
) -> None:
    """Check every entry and every tile of a log.

    SOURCE is a web address or a folder.

    Exit status 0 when all is right; 1 when something is wrong, a line for each thing: where, and what; 2
    when the log could not be read to its end.
    """
    known = [_witness_key(each) for each in witnesses]
    report = checking.fsck(
        open_source(source),
        find_key(key, source),
        watched(),
        witnesses=known,
        quorum=len(known) if quorum is None else quorum,
        pruned_below=pruned_below,
        has_entries=not without_entries,
    )
    _conclude(report, "all entries and tiles are right")


@click.command()
@click.argument("source")
@click.argument("folder", type=FOLDER)
@key_option
@shows_errors
def export(source: str, folder: Path, key: str | None) -> None:
    """Copy a whole log to a folder.

    The log at SOURCE, a web address or a folder, is copied to FOLDER, which must be empty or not there, and
    from which any web server can serve it. All of it is checked, as 'fsck' does, on the way and once more
    when it is there. Exit status 1 when something is wrong with the log: then FOLDER has no checkpoint, and
    is no copy.
    """
    report = exporting.export(open_source(source), find_key(key, source), folder, watched())
    _conclude(report, f"{folder} is a whole copy")


def _conclude(report: verifying.Report, good: str) -> None:
    show_report(report)
    if report.problems:
        say_no(*report.problems)
    click.echo(good)


def _witness_key(text: str) -> VerifierKey:
    key = parse_verifier_key(text)
    check_is_witness(key)
    return key
