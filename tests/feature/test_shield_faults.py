"""In the middle of a flood the agent or HAProxy dies, is reloaded or stands still: what is in force stays in
force, is taken over or ends by itself, and visitors are served on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.configuration import read_configuration
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.traffic.notes import Notes
from holdfast.shield import brain as brains
from holdfast.shield import response
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from tests.feature.flooding import (
    CALM_SECONDS,
    NO_ANSWER,
    SHOP,
    Stream,
    another,
    during,
    flooded,
    going_on,
    guarded,
    visitors,
)
from tests.feature.lab import eventually, site
from tests.feature.mortal import mortal
from tests.feature.test_cli import Shell, shell
from tests.feature.wire import connect

__all__ = ["shell"]  # a fixture
COLD_SECONDS = 1.5
AGENT = """
import sys
from datetime import timedelta
from holdfast.cli import main
from holdfast.shield import brain, response
brain.COLD_SECONDS = float(sys.argv[1])
response.LIFETIME, response.RENEWED_BEFORE = timedelta(seconds=int(sys.argv[2])), timedelta(seconds=2)
sys.argv[:] = sys.argv[3:]
main()
"""
"""An agent that soon knows a site's usual rate, and whose mitigations end after so many seconds."""
NAMED = b"User-Agent: floodtool/1.0"


@pytest.fixture(autouse=True)
def soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brains, "COLD_SECONDS", COLD_SECONDS)


def agent_of(shell: Shell, lifetime: int = 60) -> AbstractContextManager[subprocess.Popen[str]]:
    """In a process of its own."""
    return shell.up(sys.executable, "-c", AGENT, str(COLD_SECONDS), str(lifetime))


def brain_of(edge: Edge) -> SiteBrain:
    return edge.guard.brains["shop"]


def beginnings(edge: Edge) -> int:
    attack = brain_of(edge).attack
    return sum(note.kind == "begins" for note in attack.notes) if attack else 0


async def test_mitigations_outlive_a_killed_agent_and_end_by_haproxys_own_clock(shell: Shell) -> None:
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        with agent_of(shell, lifetime=4) as agent:
            async with flooded(shell.http) as (flood, people):
                await asyncio.sleep(1)
                agent.send_signal(signal.SIGKILL)
                killed = time.monotonic()
                assert await during(flood, 1.2) == {403}
                await eventually(lambda: flood.statuses[200] > flood.statuses[403], 15)
                assert time.monotonic() - killed > 2.0
                assert set(people.statuses) == {200}


async def test_the_next_agent_takes_the_attack_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same ids, same journal; it renews them, and sees the end."""
    monkeypatch.setattr(response, "RENEWED_BEFORE", timedelta(seconds=59))
    monkeypatch.setattr(brains, "HOLD_SECONDS", 1.0)
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        configuration = read_configuration(shell.directory / "holdfast.toml")
        with agent_of(shell) as agent:
            async with flooded(shell.http) as (flood, people):
                await asyncio.sleep(1)
                agent.send_signal(signal.SIGKILL)
                agent.wait(20)
                left = Notes(shell.directory / "state" / "shield").read_attacks()["shop"]
                before = flood.statuses.copy()
                async with Edge(configuration) as edge:
                    assert edge.starts == 0
                    brain = brain_of(edge)
                    assert brain.attack is not None
                    assert brain.attack.id == left["attack"]["id"]
                    assert [list(note) for note in brain.attack.notes] == left["attack"]["notes"]
                    ends = {each["id"]: datetime.fromtimestamp(each["until"]) for each in left["mitigations"]}
                    assert {each.id for each in edge.guard.mitigations()} == ends.keys()

                    def renewed() -> bool:
                        return all(
                            each.until.timestamp() > ends[each.id].timestamp()
                            for each in edge.guard.mitigations()
                        )

                    await eventually(renewed)
                    assert beginnings(edge) == 1
                    assert {each.id for each in edge.guard.mitigations()} == ends.keys()
                    assert set((flood.statuses - before).keys()) == {403}, "no gap"
                    flood.rate = 0
                    await eventually(lambda: brain.attack is None, 20)
                    (attack,) = await edge.guard.archivist.attacks()
                    assert (attack.id, attack.ended is None) == (left["attack"]["id"], False)
                    assert not edge.guard.mitigations()
                assert set(people.statuses) == {200}


async def test_haproxy_that_dies_in_an_attack_is_back_with_the_mitigations(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (made, edge, _), flooded(made.http) as (flood, people):
        await asyncio.sleep(0.5)
        before, ids = flood.statuses.copy(), {each.id for each in edge.guard.mitigations()}
        os.kill(edge.processes.master, signal.SIGKILL)
        await eventually(lambda: edge.starts == 2, 15)
        rendered = await asyncio.to_thread(Path(edge.places.map(Maps.SIGNATURES)).read_text)
        assert all(each in rendered for each in ids)
        assert await during(people, 1.5) == {200}
        assert set((flood.statuses - before).keys()) <= {403, NO_ANSWER}
        assert ids <= {each.id for each in edge.guard.mitigations()}
        assert beginnings(edge) == 1
        assert not edge.crashed.done()


async def test_counters_that_begin_anew_are_no_attack(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (made, edge, _), going_on(visitors(made.http)) as people:
        await asyncio.sleep(CALM_SECONDS)
        os.kill(edge.processes.master, signal.SIGKILL)
        await eventually(lambda: edge.starts == 2, 15)
        await edge.reload()
        assert await during(people, 2) == {200}
        assert (brain_of(edge).phase, edge.guard.mitigations()) == (Phase.CALM, [])
        assert brain_of(edge).sight.rate == pytest.approx(20, rel=0.7)


async def test_after_a_reload_in_an_attack_both_workers_hold_and_the_new_one_tells(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (made, edge, _), flooded(made.http) as (flood, people):
        async with connect(made.http, source="127.60.0.1") as old:
            assert (await old.get(b"/", SHOP, "Accept: */*")).status == 200
            before, read = flood.statuses.copy(), edge.guard.samples["read"]
            await edge.reload()
            assert edge.processes.leaving, "the old worker serves who is still connected to it"
            assert (await old.get(b"/?q=1", SHOP, NAMED.decode(), "Connection: close")).status == 403
        assert await during(flood, 1) == {403}
        assert edge.guard.samples["read"] > read + 200
        assert set((flood.statuses - before).keys()) == {403}
        assert beginnings(edge) == 1
        async with going_on(Stream(made.http, 400, another)) as other:
            await eventually(lambda: other.statuses[403] > 20, 8)
        assert set(people.statuses) == {200}


async def test_an_agent_that_stands_still_costs_samples_and_decides_again(shell: Shell) -> None:
    """In an attack, while another flood begins. More is told meanwhile than HAProxy keeps."""
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        with agent_of(shell) as agent:
            async with flooded(shell.http) as (flood, people):
                await asyncio.sleep(1)
                agent.send_signal(signal.SIGSTOP)
                async with going_on(Stream(shell.http, 400, another)) as other:
                    try:
                        assert await during(flood, 4) == {403}
                        assert set(other.statuses) == set(people.statuses) == {200}
                    finally:
                        agent.send_signal(signal.SIGCONT)
                    await eventually(lambda: other.statuses[403] > 50, 10)

                    async def is_held() -> bool:
                        return await during(other, 0.5) == await during(flood, 0.5) == {403}

                    await eventually(is_held, 10)  # two floods may take more than one decision
                assert set(people.statuses) == {200}
