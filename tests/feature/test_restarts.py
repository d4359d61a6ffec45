"""HAProxy and the agent may end at any moment, in either order: the last state stays in force as long as
HAProxy lives, and whoever comes back brings everything in force again by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.commands import DelMap, SetMap
from holdfast.edge.dataplane.process import Master, alive
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.supervise import QUIET_SECONDS
from holdfast.model.ban import Ban
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.lab import Lab, echo_origin, enforcement, eventually, lab, released, site

BANNED = "127.0.0.66"
PATIENCE = 15.0


@dataclass
class House:
    """A lab with an origin, the sites of its file, and agents that come and go."""

    lab: Lab
    port: int
    other: int

    def configuration(self, *more: str) -> Configuration:
        """Site ``a`` is served, ``b`` and ``c`` are to be blocked; ``more`` are further sites."""
        return self.lab.configuration(
            [
                site(name, [f"{name}.test"], self.port, customer=f"of-{name}")
                for name in ("a", "b", "c", *more)
            ]
        )

    def agent(self, *more: str) -> Edge:
        return Edge(self.configuration(*more))

    async def in_force(self) -> bool:
        """Whether everything that ``furnish`` asked for is in force."""
        seen = [
            await self.lab.status("a.test"),
            await self.lab.status("a.test", "/evil/x"),
            await self.lab.status("b.test"),
            await self.lab.status("c.test"),
            await self.lab.status("a.test", source=BANNED),
        ]
        return seen == [200, 403, 403, 403, 0]

    async def converged(self, edge: Edge) -> None:
        await eventually(self.in_force, PATIENCE)
        assert (await edge.reconciler.difference()).now == []
        assert not edge.crashed.done()


async def furnish(edge: Edge) -> None:
    await edge.block(released(enforcement(SiteScope("b"))))
    await edge.block(released(enforcement(CustomerScope("of-c"))))
    await edge.block(released(enforcement(PathScope("a", "/evil/"))))
    await edge.ban(Ban(ip_network(BANNED), datetime.now(UTC) + timedelta(seconds=60)))


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    with echo_origin("one") as one, echo_origin("two") as two:
        async with lab(directory) as made:
            yield House(made, one, two)


def end(edge: Edge, which: str = "both") -> None:
    """SIGKILL what is named of HAProxy, and wait for nothing."""
    found = edge.processes
    assert found.worker is not None
    for pid, name in ((found.master, "master"), (found.worker, "worker")):
        if which in (name, "both"):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("which", ["both", "master", "worker"])
async def test_haproxy_alone_ends(tmp_path: Path, which: str) -> None:
    async with house(tmp_path) as home, home.agent() as edge:
        await furnish(edge)
        before = edge.processes
        end(edge, which)
        await eventually(lambda: edge.starts == 2, PATIENCE)
        await home.converged(edge)
        assert edge.processes.master != before.master
        await edge.put_site(site("new", ["new.test"], home.port))
        assert await home.lab.status("new.test") == 200, "changes go on"


async def test_what_is_asked_for_while_haproxy_is_gone_is_in_force_when_it_is_back(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.agent() as edge:
        await furnish(edge)
        end(edge)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                edge.block(released(enforcement(SiteScope("new")))),
                edge.put_site(site("new", ["new.test"], home.port)),
            )
        assert await home.lab.status("new.test") == 403
        await home.converged(edge)


async def test_the_agent_alone_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with home.agent() as edge:
            await furnish(edge)
            pid = edge.processes.master
        assert await home.in_force(), "the last state, with no agent"
        async with home.agent() as edge:
            assert (edge.starts, edge.reloads, edge.processes.master) == (0, 0, pid)
            await home.converged(edge)
            await edge.unban(ip_network(BANNED))
            assert await home.lab.status("a.test", source=BANNED) == 200, "what was adopted can be lifted"
            await asyncio.sleep(QUIET_SECONDS + 0.5)
            assert not edge.crashed.done(), "every part of the agent has had its turn"


@pytest.mark.parametrize("first", ["haproxy", "agent"])
async def test_both_end(tmp_path: Path, first: str) -> None:
    """With the last change just made: the files for the next start may not miss it."""
    async with house(tmp_path) as home:
        async with home.agent() as edge:
            await furnish(edge)
            await edge.put_site(site("late", ["late.test"], home.port))
            if first == "haproxy":
                end(edge)
        if first == "agent":
            assert await home.in_force()
            end(edge)
        await eventually(lambda: not alive(edge.processes.master))
        async with home.agent() as edge:
            assert edge.starts == 1
            await home.converged(edge)
            assert await home.lab.status("late.test") == 200


async def test_the_configuration_changes_while_the_agent_is_away(tmp_path: Path) -> None:
    """Sites come, go and move; a block that ends meanwhile has ended without it, and is tidied up."""
    async with house(tmp_path) as home:
        async with home.agent("gone") as edge:
            await furnish(edge)
            await edge.block(released(enforcement(SiteScope("gone"))))
            until = datetime.now(UTC) + timedelta(seconds=2)
            await edge.block(released(enforcement(HostScope("a.test"), until=until)))
            assert await home.lab.status("a.test") == 403
            number = edge.desired.ids["gone"]
        await eventually(home.in_force)  # HAProxy ends a block by its own clock, in whole seconds
        await eventually(lambda: datetime.now(UTC) > until)
        changed = home.lab.configuration(
            [
                site("a", ["a.test", "more.test"], home.other, customer="of-a"),
                site("b", ["b.test"], home.port, customer="of-b"),
                site("c", ["c.test"], home.port, customer="of-c"),
                site("new", ["gone.test"], home.port),
            ]
        )
        async with Edge(changed) as edge:
            assert (edge.starts, edge.reloads) == (0, 0)
            await home.converged(edge)
            answers = [await home.lab.get(host) for host in ("a.test", "more.test", "gone.test")]
            assert [each.json()["origin"] for each in answers] == ["two", "two", "one"]
            assert len(edge.desired.enforcements) == 4
        async with home.agent("gone") as edge:
            await home.converged(edge)
            assert edge.desired.ids["gone"] != number, "a number is never given again"
            assert await home.lab.status("gone.test") == 403, "its block stands"
            await eventually(lambda: _equal(edge), PATIENCE)


async def _equal(edge: Edge) -> bool:
    return not await edge.reconciler.difference()


async def test_a_second_agent_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.agent() as edge:
        await furnish(edge)
        with pytest.raises(HoldfastError, match=r"another agent already runs in .*; use 'holdfast status'"):
            await home.agent().__aenter__()
        await home.converged(edge)
        await edge.put_site(site("new", ["new.test"], home.port))
        assert await home.lab.status("new.test") == 200


async def test_somebody_elses_reload_is_noticed(tmp_path: Path) -> None:
    """The files that it reads are behind: changes of the last second are not in them."""
    async with house(tmp_path) as home, home.agent() as edge:
        await furnish(edge)
        before = edge.processes
        os.kill(before.master, signal.SIGUSR2)
        await eventually(lambda: edge.processes.worker not in (None, before.worker), PATIENCE)
        await home.converged(edge)
        assert (edge.starts, edge.reloads, edge.processes.master) == (1, 0, before.master)


async def test_haproxy_started_by_hand_on_old_files_is_brought_up_to_date(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with home.agent() as edge:
            await edge.put_site(site("old", ["old.test"], home.port))
        old = {path: path.read_bytes() for path in home.lab.run_dir.rglob("*") if path.is_file()}
        async with home.agent() as edge:
            await furnish(edge)
            await edge.remove_site("old")
        end(edge)
        await eventually(lambda: not alive(edge.processes.master))
        for path, content in old.items():
            path.write_bytes(content)
        await Master(home.lab.run_dir).start()
        assert (await home.lab.status("b.test"), await home.lab.status("old.test")) == (200, 200), "as of old"
        async with home.agent() as edge:
            assert edge.starts == 0
            blocked = [await home.lab.status("a.test", "/evil/x"), await home.lab.status("b.test")]
            assert (blocked, await home.lab.status("old.test")) == ([403, 403], 421)
            assert (await edge.reconciler.difference()).now == []


async def test_a_change_by_hand_is_shown_and_repaired_on_demand(tmp_path: Path) -> None:
    """Nothing tells the agent of it: it is never noticed until HAProxy is read for another reason."""
    async with house(tmp_path) as home, home.agent() as edge:
        await furnish(edge)
        sid = str(edge.desired.ids["b"])
        wanted = dict(edge.reconciler.wanted.maps)
        async with Runtime(
            edge.supervisor.frame.change_socket, edge.supervisor.frame.scan_socket
        ) as stranger:
            await stranger.change([DelMap("block_sites", sid).text(edge.places)])
            await stranger.change([SetMap("backends", sid, "slot40").text(edge.places)])
        assert await home.lab.status("b.test") == 503
        commands = (await edge.reconciler.difference()).now
        assert [each.text(edge.places).split()[2] for each in commands] == [
            edge.places.map("block_sites"),
            edge.places.map("backends"),
        ]
        edge.reconciler.distrust("a test")
        await home.converged(edge)
        assert edge.reconciler.wanted.maps == wanted


@pytest.mark.parametrize("hours", [2, -2], ids=["forward", "back"])
async def test_the_clock_is_stepped(tmp_path: Path, hours: int) -> None:
    """What ends by the new clock ends; what does not, stays."""
    step = timedelta()

    def clock() -> datetime:
        return datetime.now(UTC) + step

    async with house(tmp_path) as home, Edge(home.configuration(), clock=clock) as edge:
        await furnish(edge)
        await edge.block(released(enforcement(HostScope("more.test"), until=clock() + timedelta(days=1))))
        step = timedelta(hours=hours)
        if hours > 0:
            await eventually(lambda: len(edge.desired.enforcements) == 1 and not edge.desired.bans)
            await eventually(lambda: _lifted(home), PATIENCE)
        else:
            await asyncio.sleep(1.2)  # the clock is looked at every second
            assert await home.in_force()
        assert (await edge.reconciler.difference()).now == []


async def _lifted(home: House) -> bool:
    return [await home.lab.status("b.test"), await home.lab.status("a.test", source=BANNED)] == [200, 200]


@pytest.mark.parametrize("adopted", [True, False], ids=["adopting", "starting"])
async def test_what_has_ended_is_not_in_force_after_a_start(tmp_path: Path, adopted: bool) -> None:
    later: Callable[[], datetime] = lambda: datetime.now(UTC) + timedelta(hours=2)  # noqa: E731
    async with house(tmp_path) as home:
        async with home.agent() as edge:
            await furnish(edge)
        if not adopted:
            end(edge)
            await eventually(lambda: not alive(edge.processes.master))
        async with Edge(home.configuration(), clock=later) as edge:
            assert edge.starts == (0 if adopted else 1)
            assert await _lifted(home)
            assert not edge.desired.bans
            assert not edge.desired.enforcements
            assert (await edge.reconciler.difference()).now == []
