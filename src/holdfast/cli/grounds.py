"""``holdfast grounds``: for what may be blocked at all, and putting that on the public record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from holdfast.accountable.decide import decide_grounds, parse_person
from holdfast.accountable.publish_grounds import in_use, read_file
from holdfast.cli.block import salts
from holdfast.cli.common import config_option, find_config, shows_mistakes
from holdfast.cli.office import drafts_of, grounds_of, log_of, now, office_of
from holdfast.edge.configuration import read_configuration
from holdfast.edge.words import filled
from holdfast.model.errors import error
from holdfast.model.grounds import Grounds, Measure, parse_grounds
from holdfast.model.record import GROUNDS


@click.group(invoke_without_command=True)
@config_option
@click.pass_context
@shows_mistakes
def grounds(context: click.Context, config: Path | None) -> None:
    """Show the grounds that a block may cite, and whether they are on the public record."""
    if context.invoked_subcommand is not None:
        return
    configuration = read_configuration(find_config(config))
    path = grounds_of(configuration)
    data = read_file(path)
    used = in_use(drafts_of(configuration), log_of(configuration))
    click.echo(_as_text(parse_grounds(data, str(path))))
    if used is not None and used.document.encode() == data:
        click.echo(f"\non the public record: entry {used.index}")
    else:
        click.echo("\nnot on the public record, and so not to be cited: 'holdfast grounds publish'")


@grounds.command()
@click.argument("file", type=click.Path(path_type=Path))
@shows_mistakes
def check(file: Path) -> None:
    """Say whether FILE is a grounds file, and what is wrong with it if not. Nothing is changed."""
    click.echo(_as_text(parse_grounds(read_file(file), str(file))))


@grounds.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--by", default="", help="Who decides, as 'NAME, ROLE'; only the role becomes public.")
@click.option("--approved-by", default="", help="Who else has approved it, in the same form.")
@click.option("--resume", default="", metavar="ID", help="Go on with a publication that was interrupted.")
@config_option
@shows_mistakes
def publish(file: Path | None, by: str, approved_by: str, resume: str, config: Path | None) -> None:
    """Put FILE on the public record, and then in the place of the grounds file of the configuration.

    Without FILE: the grounds file of the configuration as it is. From then on it can be cited, and what was
    there before cannot.
    """
    configuration = read_configuration(find_config(config))
    office = office_of(configuration)
    if resume:
        if file or by or approved_by:
            raise error("what was decided stands", "give --resume alone, or decide anew", "--resume")
        done = office.resume(GROUNDS, resume)
    else:
        path = file or grounds_of(configuration)
        data = read_file(path)
        read = parse_grounds(data, str(path))
        used = in_use(drafts_of(configuration), log_of(configuration))
        if used is not None and used.document.encode() == data == read_file(grounds_of(configuration)):
            click.echo(f"grounds {read.version} are on the public record already: entry {used.index}")
            return
        people = parse_person(by, "--by"), parse_person(approved_by, "--approved-by")
        done = office.begin(decide_grounds(read, data.decode(), *people, now(), salts))
    version = parse_grounds(done.document.encode()).version
    click.echo(f"grounds {version} are in use; 'holdfast edge apply' shows them to the public")


def _as_text(made: Grounds) -> str:
    return "\n".join([f"grounds {made.version}, {made.hash}", *_lines(made)])


def _lines(made: Grounds) -> Iterator[str]:
    for each in made:
        yield f"\n  {each.clause}  {each.name}"
        yield from filled("", each.text, indent=4, hang=8)
        admits = ", ".join(measure for measure in Measure if measure in each.measures)
        demand = "; needs a legal demand" if each.legal_demand else ""
        yield f"        admits {admits}; at most {each.max_days} days{demand}"
