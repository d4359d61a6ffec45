"""Faults in the middle of a flood: the agent or HAProxy dies, reloads, stands still, has its clock set or its
notes broken. What stands stays in force, is taken over or ends by itself, and visitors are served on."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from holdfast.edge.agent import Edge
from holdfast.edge.configuration import read_configuration
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.traffic.notes import Notes
from holdfast.shield import brain as brains
from holdfast.shield import response
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from tests.feature.flooding import NO_ANSWER, SHOP, Stream, browser, going_on, visitor_source
from tests.feature.lab import Lab, eventually, lab, running, site
from tests.feature.mortal import Mortal, mortal
from tests.feature.test_cli import Shell, shell
from tests.feature.test_faults import fill, needs_root, small_memory
from tests.feature.wire import connect

__all__ = ["shell"]  # a fixture
CALM_SECONDS = 3.0
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


def visitors(port: int) -> Stream:
    return Stream(port, 20, browser, visitor_source)


@asynccontextmanager
async def flooded(port: int, rate: float = 300) -> AsyncIterator[tuple[Stream, Stream]]:
    """Visitors for a while, then a flood too, until something is done about it."""
    async with going_on(visitors(port)) as people:
        await asyncio.sleep(CALM_SECONDS)
        async with going_on(Stream(port, rate)) as flood:
            await eventually(lambda: flood.statuses[403] > 20, 8)
            yield flood, people


async def during(stream: Stream, seconds: float) -> set[int]:
    """The statuses of that time, but for what was under way when it began."""
    await asyncio.sleep(0.3)
    before = stream.statuses.copy()
    await asyncio.sleep(seconds)
    return set((stream.statuses - before).keys())


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[tuple[Lab, Edge, Mortal]]:
    async with (
        mortal() as origin,
        running(directory, [site("shop", [SHOP], origin.port)]) as (made, edge),
    ):
        yield made, edge, origin


def brain_of(edge: Edge) -> SiteBrain:
    return edge.guard.brains["shop"]


def beginnings(edge: Edge) -> int:
    attack = brain_of(edge).attack
    return sum(note.kind == "begins" for note in attack.notes) if attack else 0


async def test_mitigations_outlive_a_killed_agent_and_end_by_haproxys_own_clock(shell: Shell) -> None:
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        with agent_of(shell, lifetime=4) as agent:
            async with flooded(shell.http, 200) as (flood, people):
                await asyncio.sleep(1)
                agent.send_signal(signal.SIGKILL)
                killed = time.monotonic()
                assert await during(flood, 1.2) == {403}
                await eventually(lambda: flood.statuses[200] > flood.statuses[403], 15)
                assert time.monotonic() - killed > 2.0
                assert set(people.statuses) == {200}


async def test_the_next_agent_takes_the_attack_over(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
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
                    await eventually(lambda: edge.guard.past, 20)
                    assert [each.id for each in edge.guard.past] == [left["attack"]["id"]]
                    assert not edge.guard.mitigations()
                assert set(people.statuses) == {200}


async def test_haproxy_that_dies_in_an_attack_is_back_with_the_mitigations(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (made, edge, _), flooded(made.http) as (flood, people):
        await asyncio.sleep(0.5)
        before, ids = flood.statuses.copy(), {each.id for each in edge.guard.mitigations()}
        os.kill(edge.processes.master, signal.SIGKILL)
        await eventually(lambda: edge.starts == 2, 15)
        rendered = Path(edge.places.map(Maps.SIGNATURES)).read_text()
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
            before, read = flood.statuses.copy(), edge.guard._intake.counts["read"]
            await edge.reload()
            assert edge.processes.leaving, "the old worker serves who is still connected to it"
            assert (await old.get(b"/?q=1", SHOP, NAMED.decode(), "Connection: close")).status == 403
        assert await during(flood, 1) == {403}
        assert edge.guard._intake.counts["read"] > read + 200
        assert set((flood.statuses - before).keys()) == {403}
        assert beginnings(edge) == 1
        other = Stream(made.http, 200, lambda number: (f"POST /login?{number}", "User-Agent: other/2", "X-Y: 1"))
        async with going_on(other):
            await eventually(lambda: other.statuses[403] > 20, 8)
        assert set(people.statuses) == {200}


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
async def test_a_clock_that_is_set_in_calm_is_no_attack(tmp_path: Path, hours: int) -> None:
    async with guarded(tmp_path) as (made, edge, _), going_on(visitors(made.http)) as people:
        await asyncio.sleep(CALM_SECONDS)
        edge.guard._clock = lambda: time.time() + 3600 * hours
        assert await during(people, CALM_SECONDS) == {200}
        brain = brain_of(edge)
        assert (brain.phase, brain.attack, edge.guard.mitigations()) == (Phase.CALM, None, [])
        assert brain.baseline.expected(time.time(), 1.0).upper < 200
        assert not edge.crashed.done()


async def test_mitigations_end_although_the_clock_was_set_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brains, "HOLD_SECONDS", 1.0)
    async with guarded(tmp_path) as (made, edge, _), going_on(visitors(made.http)) as people:
        async with flooded(made.http):
            edge.guard._clock = lambda: time.time() + 3600
            await asyncio.sleep(1)
        await eventually(lambda: not edge.guard.mitigations(), 15)
        assert set(people.statuses) == {200}
        assert not edge.crashed.done()


async def test_an_agent_that_stands_still_costs_samples_and_decides_again(shell: Shell) -> None:
    """More is told meanwhile than HAProxy keeps of it."""
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        with agent_of(shell) as agent:
            async with going_on(visitors(shell.http)) as people:
                await asyncio.sleep(CALM_SECONDS)
                agent.send_signal(signal.SIGSTOP)
                async with going_on(Stream(shell.http, 600)) as flood:
                    try:
                        await asyncio.sleep(4)
                        assert set(flood.statuses) == set(people.statuses) == {200}
                    finally:
                        agent.send_signal(signal.SIGCONT)
                    await eventually(lambda: flood.statuses[403] > 100, 10)
                    assert await during(flood, 0.5) == {403}
            assert set(people.statuses) == {200}


def unlike(number: int) -> tuple[str, ...]:
    """No two alike, but for the order of their headers."""
    return f"GET /{number}/x?{number}=1", f"User-Agent: agent/{number}", f"Accept-Language: x{number}"


async def test_thousands_of_paths_and_agents_leave_little_in_haproxy(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (made, edge, _), going_on(visitors(made.http)) as people:
        await asyncio.sleep(CALM_SECONDS)
        async with going_on(Stream(made.http, 600, unlike)) as flood:
            await asyncio.sleep(5)
            assert flood.sent > 1500
        for name, most in ((Maps.SIGNATURES, response.MOST + 2), (Maps.FAMILIAR, 10), (Maps.FRIENDS, 0)):
            told = await edge.runtime.scan(f"show map {edge.places.map(name)}")
            assert len(told.split("\n")) - 2 <= most, told
        ticks = edge.guard.slowest_tick
        assert ticks < 0.5, "the flood is sent by this very process"
        assert not edge.crashed.done()
        assert set(people.statuses) == {200}


@needs_root
async def test_a_full_disk_stops_the_notes_and_not_the_shield(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with small_memory(tmp_path / "state" / "shield", 64) as full, capture_logs() as logs:
        fill(full)
        async with guarded(tmp_path) as (made, edge, _), flooded(made.http) as (flood, people):
            assert await during(flood, 1) == {403}
            assert set(people.statuses) == {200}
            assert not edge.crashed.done()
    assert "notes of the shield cannot be written" in {each["event"] for each in logs}


@pytest.mark.parametrize("content", [b"nonsense", gzip.compress(b'{"version": 1, "sites": {"shop": 5}}')])
async def test_broken_notes_do_not_stop_a_start(tmp_path: Path, content: bytes) -> None:
    directory = tmp_path / "state" / "shield"
    directory.mkdir(parents=True)
    for name in ("attacks", "site-shop", "switched"):
        (directory / f"{name}.json.gz").write_bytes(content)
    with capture_logs() as logs:
        async with guarded(tmp_path) as (made, edge, _), flooded(made.http) as (flood, people):
            assert await during(flood, 0.5) == {403}
            assert set(people.statuses) == {200}
            assert not edge.crashed.done()
    assert any("cannot be read" in each["event"] for each in logs)


async def test_claims_of_another_address_or_of_a_clearance_change_nothing(tmp_path: Path) -> None:
    """A client is who connects; the origin is told that, too."""
    token = "eyJhbGciOiJub25lIn0.eyJzaXRlIjoiMSIsImV4cCI6OTk5OTk5OTk5OX0."

    def claiming(number: int) -> tuple[str, ...]:
        line, agent = f"GET /?q{number}=1", "User-Agent: floodtool/1.0"
        forwarded = f"X-Forwarded-For: {visitor_source(number)}"
        return line, agent, forwarded, f"X-Real-IP: 127.0.0.1\r\nCookie: __holdfast={token}"

    async with guarded(tmp_path) as (made, edge, _), going_on(visitors(made.http)) as people:
        await asyncio.sleep(CALM_SECONDS)
        async with going_on(Stream(made.http, 300, claiming)) as flood:
            await eventually(lambda: flood.statuses[403] > 20, 8)
            assert await during(flood, 1) == {403}
            samples = [each for each in brain_of(edge)._samples if each.agent == "floodtool/1.0"]
            assert len(samples) > 100
            assert not any(each.client.startswith("127.50.") or each.cleared for each in samples)
        assert set(people.statuses) == {200}
        assert Counter(edge.desired.bans) == Counter()
