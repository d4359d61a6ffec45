"""``holdfast block``, ``unblock`` and ``blocks``: decisions of an operator, on the public record before they
are in force. What may be decided, and in which order it is done, is in ``accountable``."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from holdfast.accountable.decide import (
    LONGEST_FACTS,
    LONGEST_STATEMENT,
    Asked,
    decide_block,
    decide_lift,
    parse_person,
)
from holdfast.accountable.draft import Draft, Step
from holdfast.accountable.publish_grounds import citable
from holdfast.accountable.steps import go_on, pending, standing
from holdfast.cli.common import ask, config_option, find_config, shows_mistakes
from holdfast.cli.office import drafts_of, grounds_of, log_of, now, office_of
from holdfast.edge.configuration import Configuration, read_configuration
from holdfast.edge.dataplane.pages import BlockNotice
from holdfast.ledger.entry import SALT_BYTES
from holdfast.model.enforcement import Enforcement, Scope, parse_scope
from holdfast.model.errors import HoldfastError, Mistake, error
from holdfast.model.grounds import Grounds, admit, measure_of
from holdfast.model.record import BLOCK, LIFT

salts = partial(secrets.token_bytes, SALT_BYTES)
file_option = partial(click.option, type=click.Path(path_type=Path), metavar="FILE")

_NEEDED = {
    "until": "say when it ends, such as 2026-12-24T18:00:00Z",
    "by": "say who decides, as 'NAME, ROLE'",
    "approved_by": "say who else has read and approved it, as 'NAME, ROLE'",
    "statement": "name the file with the public statement (Markdown)",
    "facts": "name the file with what it rests on; it stays private",
}


@click.command()
@click.argument("target", required=False, default="")
@click.option("--customer", default="", help="Block every site of a customer instead.")
@click.option("--ground", default="", help="Why: the name of a ground; 'holdfast grounds' lists them.")
@click.option("--clause", default="", help="The number of that ground's clause.")
@file_option("--facts", help="What it rests on. Private: the record holds a commitment to it.")
@file_option("--statement", help="What visitors are told, in Markdown. Public.")
@click.option("--until", default="", help="When it ends, such as 2026-12-24T18:00:00Z.")
@click.option("--by", default="", help="Who decides, as 'NAME, ROLE'; only the role becomes public.")
@click.option("--approved-by", default="", help="Who else has approved it, in the same form.")
@click.option(
    "--legal-demand", "authority", default="", help="The authority that demands it; the answer is then 451."
)
@click.option("--resume", default="", metavar="ID", help="Go on with a decision that was interrupted.")
@config_option
@shows_mistakes
def block(target: str, customer: str, resume: str, config: Path | None, **given: Any) -> None:
    """Block TARGET: a site's name, a hostname, or hostname/path.

    It is recorded and published first, and then put in force with the proof of that. What lacks a ground, a
    second person or a statement is refused, and nothing is done.
    """
    configuration = read_configuration(find_config(config))
    office = office_of(configuration)
    if resume:
        _alone("--resume", target, customer, *given.values())
        done = office.resume(BLOCK, resume)
    else:
        done = office.begin(decided(configuration, target, customer, given))
    made = _enforcement(done)
    click.echo(f"{made.scope} is blocked ({made.status}) until {made.until:%Y-%m-%d %H:%M} UTC")
    if link := configuration.provider.statement.replace("{id}", made.id):
        click.echo(f"statement: {link}{' on the blocked hostname itself' if link.startswith('/') else ''}")
    click.echo(f"lift it with: holdfast unblock {made.id} --by 'NAME, ROLE' --reason TEXT")


@click.command()
@click.argument("id", required=False, default="")
@click.option("--by", default="", help="Who decides, as 'NAME, ROLE'; only the role becomes public.")
@click.option("--reason", default="", help="Why it is lifted; it becomes public.")
@click.option("--resume", default="", metavar="ID", help="Go on with a lift that was interrupted.")
@config_option
@shows_mistakes
def unblock(id: str, by: str, reason: str, resume: str, config: Path | None) -> None:
    """Lift the block of decision ID at once, and then put that on record.

    A decision that was never recorded is dropped, and leaves no trace in public.
    """
    configuration = read_configuration(find_config(config))
    office = office_of(configuration)
    if resume:
        _alone("--resume", id, by, reason)
        office.resume(LIFT, resume)
    else:
        if not id:
            raise error("say which block to lift", "'holdfast blocks' lists them", "ID")
        lift = decide_lift(id, parse_person(by, "--by"), reason, now(), salts)
        if office.lift(lift).step is Step.WITHDRAWN:
            click.echo(f"decision {id} is withdrawn: it had not been recorded, and was never in force")
            return
    click.echo(f"decision {id or resume} is lifted, and on the public record")


@click.command()
@config_option
@shows_mistakes
def blocks(config: Path | None) -> None:
    """List the blocks in force, those whose proof fails, and decisions that wait for somebody to go on."""
    drafts = drafts_of(read_configuration(find_config(config)))
    try:
        rows = ask(config, "blocks")
    except HoldfastError:
        _list_pending(pending(drafts.all(), None, now()))
        raise
    for each in rows:
        if each["in_force"]:
            click.echo(
                f"{each['id']}  {each['status']}  {each['scope']}  until {each['until'][:16]} UTC"
                f"  entry {each['index']}  by {each['by']}: {each['ground']}"
            )
        else:
            click.echo(f"{each['id']}  not in force  {each['scope']}  {each['why']}")
    _list_pending(pending(drafts.all(), {each["id"] for each in rows if each["in_force"]}, now()))


def _list_pending(drafts: list[Draft]) -> None:
    for each in drafts:
        click.echo(f"{each.id}  pending  {standing(each)}; {go_on(each)}")


def decided(configuration: Configuration, target: str, customer: str, given: dict[str, Any]) -> Draft:
    """A decision that may be recorded: everything that can be wrong with it has been looked at."""
    path = grounds_of(configuration)
    found = ask(configuration.path, "scope", target=target, customer=customer)
    scope = parse_scope(found["scope"])
    grounds = citable(path, drafts_of(configuration), log_of(configuration))
    _check_all_given(given, scope, grounds)
    asked = Asked(
        scope=scope,
        hostnames=tuple(found["hostnames"]),
        ground=given["ground"],
        clause=given["clause"],
        until=_moment(given["until"]),
        by=parse_person(given["by"], "--by"),
        approved_by=parse_person(given["approved_by"], "--approved-by"),
        statement=_text(given["statement"], LONGEST_STATEMENT, "--statement"),
        facts=_text(given["facts"], LONGEST_FACTS, "--facts"),
        authority=given["authority"],
    )
    identifier = f"{now():%Y%m%d}-{secrets.token_hex(4)}"
    draft = decide_block(asked, grounds, identifier, now(), salts)
    _check_fits(configuration, _enforcement(draft))
    return draft


def _check_all_given(given: dict[str, Any], scope: Scope, grounds: Grounds) -> None:
    lacking = [
        Mistake(f"--{name.replace('_', '-')}", "this is missing", remedy)
        for name, remedy in _NEEDED.items()
        if not given[name]
    ]
    if not given["ground"] or not given["clause"]:
        try:
            admit(grounds, given["clause"], given["ground"], measure_of(scope), timedelta(), "")
        except HoldfastError as refused:
            lacking = [*refused.mistakes, *lacking]
    if lacking:
        raise HoldfastError(*lacking)


def _check_fits(configuration: Configuration, enforcement: Enforcement) -> None:
    """What the block page cannot hold is refused before it is on record. Raises HoldfastError."""
    provider = configuration.provider
    links = {name: getattr(provider, name) for name in ("statement", "record", "appeal")}
    BlockNotice(
        id=enforcement.id,
        status=enforcement.status,
        provider=provider.name,
        provider_url=provider.url,
        ground=enforcement.ground,
        since=enforcement.since,
        until=enforcement.until,
        authority=enforcement.authority,
        **{name: link.replace("{id}", enforcement.id) for name, link in links.items()},
    )


def _enforcement(draft: Draft) -> Enforcement:
    if draft.enforcement is None:
        raise error(f"{draft.id} is no block", "'holdfast blocks' lists them", "ID")
    return draft.enforcement


def _alone(option: str, *others: object) -> None:
    if any(others):
        raise error("what was decided stands", f"give {option} alone, or decide anew without it", option)


def _text(path: Path, longest: int, place: str) -> str:
    """A text file, up to a byte more than it may be long."""
    try:
        with path.open("rb") as file:
            return file.read(longest + 1).decode()
    except OSError as refused:
        raise error(f"cannot read {path} ({refused.strerror})", "name a text file", place) from refused
    except UnicodeDecodeError:
        raise error(f"{path} is not UTF-8", f"save it as UTF-8 of at most {longest} bytes", place) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise error(f"{text!r} is no time", "write it like 2026-12-24T18:00:00Z", "--until") from None
    raise error(f"{text!r} does not say its time zone", "end it in Z for UTC", "--until")
