"""What every command shares: finding the configuration, asking the agent, and showing a mistake."""

from __future__ import annotations

import asyncio
import contextlib
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
LONGEST_ANSWER = 1 << 24

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
    path = agent_socket(config)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(os.fspath(path))
            connection.sendall(_request(do, fields))
            line = connection.makefile("rb").readline()
    except OSError as refused:
        raise _unheard(path, refused) from refused
    return _result(line)


async def ask_meanwhile(path: Path, do: str, **fields: Any) -> Any:
    """As ``ask``, while something else goes on. ``path``: of ``agent_socket``."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(os.fspath(path), limit=LONGEST_ANSWER)
            with contextlib.closing(writer):
                writer.write(_request(do, fields))
                line = await reader.readline()
    except (OSError, ValueError) as refused:
        raise _unheard(path, refused) from refused
    return _result(line)


def agent_socket(config: Path | None) -> Path:
    """Where the agent of this configuration listens. Raises HoldfastError."""
    configuration = read_configuration(find_config(config))
    root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
    return root / "agent.sock"


def _request(do: str, fields: dict[str, Any]) -> bytes:
    return json.dumps({"do": do, **fields}).encode() + b"\n"


def _unheard(path: Path, refused: Exception) -> HoldfastError:
    if isinstance(refused, PermissionError):
        return error(f"no permission to speak to the agent at {path}", "use the account that runs it (sudo)")
    return error(
        f"no agent runs here ({path}: {refused})",
        "start it with 'holdfast up', or try it with 'holdfast up --demo'",
    )


def _result(line: bytes) -> Any:
    if not line:
        raise error("the agent ended before it answered", "'holdfast status' tells whether it is back")
    answer = json.loads(line)
    if "mistakes" in answer:
        raise HoldfastError(*(Mistake(**each) for each in answer["mistakes"]))
    return answer["result"]
