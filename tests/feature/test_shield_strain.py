"""What an attacker, a clock or a disk may do to the shield of a running edge: visitors are served on, floods
are held, and nothing grows without end."""

from __future__ import annotations

import asyncio
import gzip
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.picture import Maps
from holdfast.shield import brain as brains
from holdfast.shield import response
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from tests.feature.flooding import (
    CALM_SECONDS,
    Stream,
    during,
    flooded,
    going_on,
    guarded,
    unlike,
    visitor_source,
    visitors,
)
from tests.feature.lab import eventually
from tests.feature.test_faults import fill, needs_root, small_memory


@pytest.fixture(autouse=True)
def soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's first seconds say nothing; here they are fewer."""
    monkeypatch.setattr(brains, "COLD_SECONDS", 1.5)


def brain_of(edge: Edge) -> SiteBrain:
    return edge.guard.brains["shop"]


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
    async with guarded(tmp_path) as (made, edge, _):
        async with flooded(made.http) as (flood, people):
            edge.guard._clock = lambda: time.time() + 3600
            await asyncio.sleep(1)
            flood.rate = 0
            await eventually(lambda: not edge.guard.mitigations(), 15)
            assert set(people.statuses) == {200}
        assert not edge.crashed.done()


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
        async with going_on(Stream(made.http, 400, claiming)) as flood:
            await eventually(lambda: flood.statuses[403] > 20, 8)
            assert await during(flood, 1) == {403}
            samples = [each for each in brain_of(edge)._samples if each.agent == "floodtool/1.0"]
            assert len(samples) > 100
            assert not any(each.client.startswith("127.50.") or each.cleared for each in samples)
        assert set(people.statuses) == {200}
        assert not edge.desired.bans
