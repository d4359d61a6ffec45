"""Keys of challenges and clearances change each day, and edges of one secret share them: nobody is locked
out, in the middle of a challenge, after it, on another edge, or when an agent comes back after days.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.picture import Maps
from tests.feature.clearances import ASK, asked_by, cookie, cookie_of, link_of, made, token
from tests.feature.clearances import WAIT as WAITS
from tests.feature.clients import ask
from tests.feature.lab import Lab, eventually, lab, running, site
from tests.feature.origins import Origin, origin
from tests.feature.shielding import SHOP, Ground

PASSED, ASKED = 204, 403


@dataclass
class Clock:
    """An agent's, which a test sets forward. HAProxy goes by the machine's."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def switched(directory: Path, clock: Clock, made_lab: Lab, one: Origin) -> AsyncIterator[Ground]:
    """An edge whose site challenges everybody as its owner says."""
    sites = [site("shop", [SHOP], one.port, under_attack=True)]
    async with Edge(made_lab.configuration(sites), clock=clock) as edge:
        yield Ground(made_lab, edge, one)


async def challenged(ground: Ground) -> bool:
    return (await ask(ground.lab, "127.0.0.1", SHOP, "/")).status == ASKED


@pytest.mark.parametrize("days", [1, 4])
async def test_a_day_begins_in_the_middle_of_a_challenge(tmp_path: Path, days: int) -> None:
    """What yesterday's key has signed, today's edge honours; what is new is signed with today's. After days
    without an agent, too: HAProxy has gone on with the key that it had."""
    clock = Clock()
    async with origin() as one, lab(tmp_path) as made_lab:
        async with switched(tmp_path, clock, made_lab, one) as ground:
            await eventually(lambda: challenged(ground))
            before, _ = await ground.key()
            asked = asked_by(await ask(ground.lab, "127.0.0.1", SHOP, ASK))
            early = await ask(ground.lab, "127.0.0.1", SHOP, made(await ground.key(), 5).shown(5))
            if days == 1:
                clock.ahead = timedelta(days=1)
                await eventually(lambda: renewed(ground, before))
                await solved(ground, asked.shown(), cookie_of(early), before)
        if days > 1:
            clock.ahead = timedelta(days=days)
            async with switched(tmp_path, clock, made_lab, one) as ground:
                await eventually(lambda: renewed(ground, before))
                await solved(ground, asked.shown(), cookie_of(early), before)


async def renewed(ground: Ground, before: str) -> bool:
    return (await ground.held(Maps.KEY_IDS))["now"].partition("|")[0] != before


async def solved(ground: Ground, path: str, early: str, before: str) -> None:
    """The solution of before earns something, what was earned before is worth something, and what is asked
    now is signed with another key."""
    answer = await ask(ground.lab, "127.0.0.1", SHOP, path)
    assert answer.status == PASSED
    for value in (early, cookie_of(answer)):
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == 200
    now = asked_by(await ask(ground.lab, "127.0.0.1", SHOP, ASK))
    assert f"&k={before}&" not in now.salt
    link = link_of(await ask(ground.lab, "127.0.0.1", SHOP, WAITS, "Accept: text/html"))
    assert f"k={before}&" not in link


async def test_a_key_of_long_ago_is_none(tmp_path: Path) -> None:
    clock = Clock()
    async with (
        origin() as one,
        lab(tmp_path) as made_lab,
        switched(tmp_path, clock, made_lab, one) as ground,
    ):
        await eventually(lambda: challenged(ground))
        old = await ground.key()
        value = token(old)
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == 200
        for days in (1, 2):
            clock.ahead = timedelta(days=days)
            before, _ = await ground.key()
            await eventually(lambda before=before: renewed(ground, before))  # type: ignore[misc]
        assert old[0] not in await ground.held(Maps.KEYS)
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == ASKED
        assert (await ask(ground.lab, "127.0.0.1", SHOP, made(old).shown(7))).status == ASKED


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=20), timedelta(hours=-20)], ids=str)
async def test_edges_of_one_secret_are_one(tmp_path: Path, ahead: timedelta) -> None:
    """Whatever the day is by their clocks: what one has asked is solved at the other, shown at both it is the
    same clearance, and the clearance counts at both. An edge of another secret takes nothing."""
    clocks = (Clock(), Clock(ahead), Clock())
    directories = [tmp_path / name for name in ("one", "two", "other")]
    for each in directories:
        each.mkdir()
    async with (
        origin() as one,
        lab(directories[0]) as first,
        lab(directories[1]) as second,
        switched(directories[0], clocks[0], first, one) as a,
    ):
        shutil.copytree(directories[0] / "state", directories[1] / "state", dirs_exist_ok=True)
        for left in (directories[1] / "state").glob("edge.db*"):
            left.unlink()  # another edge, with numbers of its own
        async with (
            switched(directories[1], clocks[1], second, one) as b,
            running(directories[2], [site("shop", [SHOP], one.port, under_attack=True)]) as (_, other),
        ):
            c = Ground(_, other, one)
            for node in (a, b, c):
                await eventually(lambda node=node: challenged(node))  # type: ignore[misc]
            path = asked_by(await ask(a.lab, "127.0.0.1", SHOP, ASK)).shown()
            answers = [await ask(each.lab, "127.0.0.1", SHOP, path) for each in (b, a, c)]
            assert [each.status for each in answers] == [PASSED, PASSED, ASKED]
            values = {cookie_of(each) for each in answers[:2]}
            assert len(values) == 1
            line = cookie(values.pop())
            seen = [(await ask(each.lab, "127.0.0.1", SHOP, "/", line)).status for each in (a, b, c)]
            assert seen == [200, 200, ASKED]
