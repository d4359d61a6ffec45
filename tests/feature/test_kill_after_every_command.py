"""HAProxy, or the agent, dies after the first, the second, … command of a change: all converges still."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.render import Frame
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.model.enforcement import SiteScope
from tests.feature.lab import (
    Lab,
    echo_origin,
    enforcement,
    eventually,
    lab,
    released,
    site,
    write_certificate,
)

MOST_COMMANDS = 60


class Dead(BaseException):
    """The agent is no more: nothing in it may catch this."""


class Fuse(Runtime):
    """Performs commands one by one, and blows after so many."""

    left: int | None = None
    blow: Callable[[], None]

    async def change(self, texts: Sequence[str]) -> list[str]:
        answers: list[str] = []
        for text in texts:
            answers += await super().change([text])
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    self.left = None
                    self.blow()
        return answers


def fused(frame: Frame) -> Fuse:
    return Fuse(frame.change_socket, frame.scan_socket)


def states(directory: Path, port: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two states whose difference takes every kind of command."""
    one = str(write_certificate(directory / "one.pem", "a.test", "b.test"))
    two = str(write_certificate(directory / "two.pem", "a.test", "b.test"))
    tls = {"address": "127.0.0.1", "port": port, "scheme": "https", "server_name": "a.test", "ca": one}
    quiet = site("quiet", ["quiet.test"], port)
    before = [quiet, site("a", ["a.test"], port, certificate=one), site("gone", ["gone.test"], port)]
    limits = {"requests_per_second": 50, "origin_connections": 7}
    changed = site("a", ["a.test", "b.test"], port, certificate=two, limits=limits, allow=["127.0.0.9"])
    changed["origins"].append(tls)
    return before, [quiet, changed, site("new", ["new.test"], port)]


async def in_force(made: Lab, edge: Edge) -> None:
    """The second state, and the block, are soon what HAProxy holds and visitors see: it may have died with
    the last command, and is then just being started."""

    async def is_so() -> bool:
        with suppress(RuntimeLostError, httpx.TransportError):
            seen = [(await made.get(host)).status_code for host in ("quiet.test", "new.test", "gone.test")]
            return seen == [403, 200, 421] and not (await edge.reconciler.difference()).now
        return False

    await eventually(is_so, 15)


async def change(made: Lab, edge: Edge, after: list[dict[str, Any]]) -> None:
    await edge.block(released(enforcement(SiteScope("quiet"), id="D-1")))
    await edge.apply(made.configuration(after))


@pytest.mark.parametrize("victim", ["haproxy", "agent"])
async def test_any_death_in_mid_change_is_made_good(tmp_path: Path, victim: str) -> None:
    with echo_origin() as port:
        before, after = states(tmp_path, port)
        for number in range(1, MOST_COMMANDS):
            directory = tmp_path / str(number)
            directory.mkdir()
            async with lab(directory) as made:
                if await dies_after(number, made, before, after, victim):
                    return  # the change has no more commands than that
    raise AssertionError("the fuse always blew: there are more commands than were tried")


async def dies_after(
    number: int, made: Lab, before: list[dict[str, Any]], after: list[dict[str, Any]], victim: str
) -> bool:
    """One change with a death after ``number`` commands; whether the change was over before that."""
    async with Edge(made.configuration(before), runtime=fused) as edge:
        fuse = edge.runtime
        assert isinstance(fuse, Fuse)

        def kill_haproxy() -> None:
            for process in (edge.processes.worker, edge.processes.master):
                os.kill(process or 0, signal.SIGKILL)

        def die() -> None:
            raise Dead

        fuse.blow = kill_haproxy if victim == "haproxy" else die
        fuse.left = number
        changing = asyncio.create_task(change(made, edge, after))
        await asyncio.wait((changing, edge.crashed), return_when=asyncio.FIRST_COMPLETED, timeout=30)
        over = fuse.left is not None
        if victim == "haproxy" or over:
            await changing
            await in_force(made, edge)
            return over
        changing.cancel()
        with suppress(BaseException):
            await changing
    async with Edge(made.configuration(after)) as successor:
        if "D-1" not in successor.desired.enforcements:
            await successor.block(released(enforcement(SiteScope("quiet"), id="D-1")))
        await in_force(made, successor)
    return False
