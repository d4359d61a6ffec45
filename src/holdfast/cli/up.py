"""``holdfast up`` and ``down``: the agent's process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import structlog

from holdfast.cli.common import ask, config_option, fail, find_config, shows_mistakes
from holdfast.cli.demo import PORT, demonstration, introduction
from holdfast.edge.admin import Admin
from holdfast.edge.agent import Edge
from holdfast.edge.configuration import Configuration, read_configuration
from holdfast.edge.metrics import serve_metrics
from holdfast.edge.public_side import PublicSide
from holdfast.model.errors import HoldfastError

log = structlog.get_logger()


@click.command()
@config_option
@click.option("--demo", is_flag=True, help="Protect a small demonstration site on this machine.")
@click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(1024, 60000),
    help="HTTP port of the demonstration; HTTPS and metrics lie a fixed distance above it.",
)
@shows_mistakes
def up(config: Path | None, demo: bool, port: int) -> None:
    """Run this machine as an edge. Ctrl-C ends it; SIGHUP applies the file; SIGUSR1 ends the agent alone."""
    _log_to_stderr()
    with demonstration(port) if demo else _given(config) as path:
        configuration = read_configuration(path)
        words = introduction(port) if demo else _greeting(configuration)
        try:
            sys.exit(asyncio.run(_run(configuration, words)))
        except HoldfastError as wrong:
            fail(wrong)


@click.command()
@config_option
@shows_mistakes
def down(config: Path | None) -> None:
    """End the edge that runs here: the agent and HAProxy."""
    ask(config, "stop")
    click.echo("the edge is stopping")


@contextlib.contextmanager
def _given(config: Path | None) -> Iterator[Path]:
    yield find_config(config)


async def _run(configuration: Configuration, words: str) -> int:
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[bool] = loop.create_future()

    def end(with_haproxy: bool) -> None:
        if not ending.done():
            ending.set_result(with_haproxy)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, True)
    loop.add_signal_handler(signal.SIGUSR1, end, False)
    async with Edge(configuration, public=PublicSide(configuration)) as edge:
        loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(_apply(edge)))
        metrics = serve_metrics(edge, configuration.edge.metrics)
        admin = Admin(edge, lambda: end(True))
        await admin.serve()
        click.echo(words)
        if count := len(edge.desired.enforcements):
            click.echo(f"  Blocks in force from before: {count}; 'holdfast blocks' lists them.\n")
        await asyncio.wait((ending, edge.crashed), return_when=asyncio.FIRST_COMPLETED)
        await admin.close()
        metrics.shutdown()
        if edge.crashed.done():
            return 1
        if ending.result():
            click.echo("stopping: open connections get five seconds")
            await edge.stop()
    return 0


async def _apply(edge: Edge) -> None:
    try:
        log.info("applied the configuration", **await edge.apply())
    except HoldfastError as wrong:
        log.error("the configuration has mistakes; the former one stays in force", mistakes=str(wrong))


def _greeting(configuration: Configuration) -> str:
    binds = ", ".join(str(listener) for listener in configuration.listeners)
    sites = len(configuration.sites)
    what = "1 site" if sites == 1 else f"{sites} sites"
    return f"Holdfast protects {what} at {binds}. Try 'holdfast status'; Ctrl-C ends it."


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
