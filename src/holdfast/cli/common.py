"""What every command shares: finding the configuration, asking the agent, and showing a mistake."""

from __future__ import annotations

import functools
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from holdfast.edge.configuration import read_configuration
from holdfast.edge.dataplane.disk import default_root
from holdfast.model.errors import HoldfastError, Mistake, error

P = ParamSpec("P")
R = TypeVar("R")

USUAL_PLACES = (Path("holdfast.toml"), Path("/etc/holdfast/holdfast.toml"), Path("var/demo/holdfast.toml"))
ANSWER_SECONDS = 150

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="HOLDFAST_CONFIG",
    help="Configuration file; default: ./holdfast.toml, then /etc/holdfast/holdfast.toml, then the demo's.",
)


def shows_mistakes(command: Callable[P, R]) -> Callable[P, R]:
    """The surface where the one error becomes words: a line a mistake, exit status 2."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HoldfastError as wrong:
            fail(wrong)

    return wrapped


def fail(wrong: HoldfastError) -> NoReturn:
    for mistake in wrong.mistakes:
        click.echo(f"error: {mistake}", err=True)
    sys.exit(2)


def find_config(given: Path | None) -> Path:
    """The configuration file to use. Raises HoldfastError where there is none."""
    if given is not None:
        return given
    for place in USUAL_PLACES:
        if place.exists():
            return place
    raise error(
        f"there is no {' and no '.join(str(place) for place in USUAL_PLACES)}",
        "write one (docs/reference/settings.md), name it with --config, or try 'holdfast up --demo'",
    )


def ask(config: Path | None, do: str, **fields: Any) -> Any:
    """Ask the running agent; returns its result. Raises HoldfastError with its mistakes."""
    configuration = read_configuration(find_config(config))
    root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
    path = root / "agent.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
            line = connection.makefile("rb").readline()
    except PermissionError as refused:
        raise error(
            f"no permission to speak to the agent at {path}", "use the account that runs it (sudo)"
        ) from refused
    except OSError as refused:
        raise error(f"no agent runs here ({path}: {refused})", "start it with 'holdfast up'") from refused
    if not line:
        raise error("the agent ended before it answered", "'holdfast status' tells whether it is back")
    answer = json.loads(line)
    if "mistakes" in answer:
        raise HoldfastError(*(Mistake(**each) for each in answer["mistakes"]))
    return answer["result"]
