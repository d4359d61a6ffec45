"""When records are written, and from where they are read: what goes on, what has ended, what the disk would
not take."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from holdfast.edge.traffic import archivist as archivists
from holdfast.edge.traffic.archive import Archive, Item
from holdfast.edge.traffic.archivist import MOST_AT_ONCE, WRITE_SECONDS, Archivist
from holdfast.model.mitigation import Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.mitigation_record import WITHDRAWN
from holdfast.shield.phase import Event
from holdfast.shield.record import AFTER_SECONDS
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation
from tests.unit.shield.traffic import START


class Counted(Archive):
    """It counts how often it was written to."""

    writes = 0

    def put(self, items: Any) -> bool:
        self.writes += 1
        return super().put(items)


class Edge:
    """What the guard does of it: a few sites, their brains, and what is in force."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.archive = Counted(directory / "records.db")
        self.archivist = Archivist(self.archive)
        self.now = START
        self.brains = {name: SiteBrain(name, Baseline.new(START)) for name in names or ("shop",)}
        self.archivist.recall(START)

    async def look(self, *pushed: Mitigation, seconds: float = 0.1, written: bool = True) -> None:
        self.now += seconds
        for name, brain in self.brains.items():
            self.archivist.count(brain, Counts(self.now, seconds, 40), [])
            self.archivist.follow(self.now, brain, [each for each in pushed if each.site == name])
        self.archivist.keep(self.now, self.brains)
        if written:
            await self.settle()

    async def settle(self) -> None:
        task = self.archivist._task
        if task is not None:
            await task

    def attack(self, name: str = "shop", identifier: str = ATTACK) -> Attack:
        made = Attack(identifier, name, self.now, "why")
        self.brains[name].resume(made, self.now)
        return made

    def end(self, name: str = "shop") -> None:
        self.brains[name]._end(self.now, Event.ORDERED, "the flood has ended")

    async def close(self) -> None:
        await self.archivist.close(self.now)


async def test_calm_writes_nothing(tmp_path: Path) -> None:
    edge = Edge(tmp_path, "shop", "blog")
    for _ in range(200):
        await edge.look()
    await edge.close()
    assert edge.archive.writes == 0


async def test_an_attack_is_written_at_its_begin_now_and_then_and_at_its_end(tmp_path: Path) -> None:
    edge, made = Edge(tmp_path), mitigation()
    edge.attack()
    await edge.look(made)
    assert edge.archive.writes == 1
    assert edge.archive.attack(ATTACK) is not None
    for _ in range(round(WRITE_SECONDS * 10) - 2):
        await edge.look(made)
    assert edge.archive.writes == 1, "not each look"
    for _ in range(3):
        await edge.look(made)
    assert edge.archive.writes == 2
    second = replace(made, reason=f"{made.reason}; more", action=made.action.DENY)
    await edge.look(second)
    assert edge.archive.writes == 3, "a mitigation has changed"
    edge.end()
    await edge.look()
    assert edge.archive.writes == 4
    found, told = edge.archive.mitigation(FIRST), edge.archive.attack(ATTACK)
    assert found is not None
    assert told is not None
    assert [step["action"] for step in found["steps"]] == ["challenge", "deny", WITHDRAWN]
    assert told["attack"]["ended"] == edge.now - 0.1
    while edge.now < told["attack"]["ended"] + AFTER_SECONDS:
        await edge.look()
    await edge.look()
    writes = edge.archive.writes
    for _ in range(300):
        await edge.look()
    assert edge.archive.writes == writes, "it is complete"
    whole = edge.archive.attack(ATTACK)
    assert whole is not None
    assert sum(whole["course"]["requests"]) > sum(told["course"]["requests"])
    await edge.close()


async def test_what_goes_on_is_read_as_it_is_now(tmp_path: Path) -> None:
    """And not as it was written last."""
    edge, made = Edge(tmp_path), mitigation()
    attack = edge.attack()
    await edge.look(made)
    attack.peak = 777
    for _ in range(30):
        await edge.look(made)
    record, mitigated = await edge.archivist.attack(ATTACK), await edge.archivist.mitigation(FIRST)
    assert record is not None
    assert mitigated is not None
    assert (record.attack.peak, len(record.rows), mitigated.ended) == (777, 3, None)
    assert await edge.archivist.attacks() == [attack]
    assert await edge.archivist.attack("shop-another") is None
    assert await edge.archivist.mitigation(ATTACK) is None
    await edge.close()


async def test_the_next_agent_knows_all_of_it(tmp_path: Path) -> None:
    edge, made = Edge(tmp_path), mitigation()
    edge.attack()
    await edge.look(made)
    edge.end()
    await edge.look()
    edge.attack(identifier="shop-second")
    await edge.look(replace(made, id="shop-second-1", attack="shop-second"))
    await edge.close()
    after = Edge(tmp_path)
    after.now = edge.now + 60
    after.archivist.settle(after.brains, after.now)
    attacks = await after.archivist.attacks()
    assert [(each.id, each.ended is None) for each in attacks] == [(ATTACK, False), ("shop-second", False)]
    assert attacks[1].notes[-1].words == "no agent has seen its end"
    left = await after.archivist.mitigation("shop-second-1")
    assert left is not None
    assert left.steps[-1].reason == "no agent was there to renew it"
    await after.look()
    assert after.archive.unfinished() == ([], [])
    await after.close()


async def test_the_switch_is_on_record_over_restarts(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"features": (), "values": (), "attack": "", "author": "owner", "pinned": True}
    switch = mitigation(id="shop-under-attack", **whole)
    actions = []
    for _ in range(2):
        edge = Edge(tmp_path)
        await edge.look(switch)
        await edge.look()
        await edge.close()
        found = await Edge(tmp_path).archivist.mitigation("shop-under-attack")
        assert found is not None
        actions.append([step.action for step in found.steps])
    assert actions == [["challenge", WITHDRAWN], ["challenge", WITHDRAWN] * 2]


async def test_what_the_disk_does_not_take_is_held_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "records.db").mkdir()
    edge, made = Edge(tmp_path), mitigation()
    edge.attack()
    with capture_logs() as logs:
        await edge.look(made)
        edge.end()
        await edge.look()
        assert [each.id for each in await edge.archivist.attacks()] == [ATTACK]
        while edge.now < START + AFTER_SECONDS + 2:
            await edge.look(seconds=0.5)
        assert [each.id for each in await edge.archivist.attacks()] == [ATTACK], (
            "complete, and only in memory"
        )
        record, mitigated = await edge.archivist.attack(ATTACK), await edge.archivist.mitigation(FIRST)
    assert record is not None
    assert mitigated is not None
    assert {each["log_level"] for each in logs} == {"error"}
    (tmp_path / "records.db").rmdir()
    for _ in range(3):
        await edge.look(seconds=WRITE_SECONDS / 2)
    assert edge.archive.attack(ATTACK) is not None
    assert edge.archive.mitigation(FIRST) is not None
    assert edge.archivist._left == {}
    await edge.close()


async def test_of_what_the_disk_does_not_take_the_oldest_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archivists, "MOST_LEFT", 3)
    (tmp_path / "records.db").mkdir()
    edge = Edge(tmp_path)
    with capture_logs():
        for number in range(5):
            await edge.look(mitigation(id=f"m-{number}", attack="", author="Ada"))
            await edge.look()
        found = [await edge.archivist.mitigation(f"m-{number}") for number in range(5)]
        await edge.close()
    assert [each is None for each in found] == [True, True, False, False, False]


async def test_many_sites_take_turns(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(3 * MOST_AT_ONCE)]
    edge = Edge(tmp_path, *names)
    for name in names:
        edge.attack(name, f"{name}-A")
    sizes: list[int] = []
    put = edge.archive.put

    def counted(items: list[Item]) -> bool:
        sizes.append(len(items))
        return put(items)

    edge.archive.put = counted  # type: ignore[method-assign]
    for _ in range(4):
        await edge.look()
    assert sizes == [MOST_AT_ONCE] * 3
    assert len(edge.archive.attacks()) == len(names)
    await edge.close()


async def test_a_site_that_goes_is_let_go(tmp_path: Path) -> None:
    edge = Edge(tmp_path, "shop", "blog")
    edge.attack("blog", "blog-A")
    pushed = mitigation(id="blog-A-1", site="blog", attack="blog-A")
    await edge.look(pushed)
    del edge.brains["blog"]
    await edge.look()
    await edge.look()
    (attack,) = await edge.archivist.attacks()
    assert (attack.ended is None, attack.notes[-1].words) == (False, "the site was removed")
    found = await edge.archivist.mitigation("blog-A-1")
    assert found is not None
    assert found.steps[-1].reason == "the site was removed"
    assert list(edge.archivist._sites) == ["shop"]
    await edge.close()


async def test_nobody_waits_for_the_disk(tmp_path: Path) -> None:
    """While it is slow, looks go on, and nothing else is written."""
    edge, release = Edge(tmp_path), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(items: list[Item]) -> bool:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return Counted.put(edge.archive, items)

    edge.archive.put = slow  # type: ignore[method-assign]
    edge.attack()
    for _ in range(50):
        await edge.look(mitigation(), written=False)
        await asyncio.sleep(0)
    assert edge.archive.writes == 0
    release.set()
    await edge.settle()
    assert edge.archive.writes == 1
    await edge.close()
    assert edge.archive.attack(ATTACK) is not None


async def test_a_record_of_another_version_is_left_out(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.attack()
    await edge.look(mitigation(until=datetime.fromtimestamp(START, UTC) + timedelta(hours=1)))
    document = edge.archive.attack(ATTACK)
    assert document is not None
    edge.archive.put([Item(True, ATTACK, "shop", START, None, {**document, "version": 2})])
    with capture_logs() as logs:
        after = Edge(tmp_path)
        assert await after.archivist.attack(ATTACK) is None
    assert {each["event"] for each in logs} == {"a record of an attack cannot be read and is left out"}
    await edge.close()
