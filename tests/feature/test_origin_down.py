"""Origins that die, stay silent or come back: what visitors see, how soon it is over, and that nothing is
sent twice. An origin that never answers at all is given up after two minutes, which no test waits for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.origin_page import WORDS
from holdfast.edge.status import take_snapshot
from tests.feature.lab import Lab, eventually, free_ports, running, site
from tests.feature.mortal import mortal
from tests.feature.visitors import visiting
from tests.feature.wire import Answer, connect


async def get(lab: Lab, path: str = "/", method: str = "GET") -> Answer:
    async with connect(lab.http) as wire:
        return await wire.get(path.encode(), "a.test", "Content-Length: 0", method=method)


async def origins_up(edge: Edge) -> int:
    return (await take_snapshot(edge)).sites[0].origins_up


def is_the_page(answer: Answer) -> bool:
    """Whether it helps a visitor: in every language, and nothing that a cache would keep."""
    text = answer.body.decode()
    return (
        answer.headers["content-type"] == "text/html; charset=utf-8"
        and answer.headers["cache-control"] == "no-store"
        and 1 <= int(answer.headers["retry-after"]) <= 60
        and all(f'lang="{language}"' in text and heading in text for language, (heading, _) in WORDS.items())
    )


async def test_an_origin_that_refuses_connections(tmp_path: Path) -> None:
    """Before its health check has failed, and after."""
    (nobody,) = free_ports(1)
    async with running(tmp_path, [site("a", ["a.test"], nobody)]) as (lab, edge):
        first = await get(lab)
        assert (first.status, is_the_page(first)) == (503, True)
        await eventually(lambda: _is_up(edge, 0))
        later = await get(lab)
        assert (later.status, is_the_page(later)) == (503, True)


async def _is_up(edge: Edge, count: int) -> bool:
    return await origins_up(edge) == count


async def test_an_origin_that_closes_without_an_answer(tmp_path: Path) -> None:
    async with mortal(silent=True) as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        for method in ("GET", "POST"):
            answer = await get(lab, f"/{method}", method)
            assert (answer.status, is_the_page(answer)) == (502, True)
        assert one.seen == ["/GET", "/POST"]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_what_has_reached_an_origin_is_not_sent_again(tmp_path: Path, method: str) -> None:
    """Nobody can know what it has done with it: not to the same origin and not to the other one."""
    async with (
        mortal("silent", silent=True) as silent,
        mortal("other") as other,
        running(tmp_path, [site("a", ["a.test"], silent.port, other.port)]) as (lab, _),
    ):
        answers = {f"/{number}": await get(lab, f"/{number}", method) for number in range(20)}
        assert sorted(silent.seen + other.seen) == sorted(answers), "each of them once"
        assert {path for path, answer in answers.items() if answer.status == 502} == set(silent.seen)
        assert {path for path, answer in answers.items() if answer.status == 200} == set(other.seen)
        assert len(silent.seen) >= 3, "or this would prove nothing"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_what_cannot_reach_one_origin_is_sent_to_the_other(tmp_path: Path, method: str) -> None:
    (nobody,) = free_ports(1)
    async with (
        mortal("other") as other,
        running(tmp_path, [site("a", ["a.test"], nobody, other.port)]) as (lab, _),
    ):
        paths = [f"/{number}" for number in range(20)]
        assert [(await get(lab, path, method)).status for path in paths] == [200] * 20
        assert other.seen == paths


async def test_an_origin_that_dies_and_comes_back_under_traffic(tmp_path: Path) -> None:
    """With two origins: what was under way is lost, and nothing else, as a connection that is refused leads
    to the other one at once. The one that has died is left out, and used again, within a few seconds."""
    async with mortal("one") as one, mortal("two") as two:
        document = site("a", ["a.test"], one.port, two.port)
        async with running(tmp_path, [document]) as (lab, edge):
            async with visiting(lab, ["a.test"]) as visits:
                await asyncio.sleep(1)
                assert {bool(one.seen), bool(two.seen)} == {True}
                await one.die()
                died = time.monotonic()
                await eventually(lambda: _is_up(edge, 1), 10)
                out = time.monotonic() - died
                await asyncio.sleep(1)
                one.seen.clear()
                await one.live()
                lived = time.monotonic()
                await eventually(lambda: bool(one.seen), 10)
                back = time.monotonic() - lived
                await asyncio.sleep(1)
            failed = [status for status in visits["a.test"].statuses if status != 200]
            assert len(failed) <= 2, failed
            assert visits["a.test"].p95 < 0.5, visits["a.test"].seconds
            assert out < 5
            assert back < 5


async def test_the_only_origin_comes_back(tmp_path: Path) -> None:
    async with mortal() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, edge):
        assert (await get(lab)).status == 200
        await one.die()
        async with visiting(lab, ["a.test"]) as visits:
            await eventually(lambda: _is_up(edge, 0), 10)
            await one.live()
            lived = time.monotonic()
            await eventually(lambda: _is_up(edge, 1), 10)
            back = time.monotonic() - lived
            visits["a.test"].statuses.clear()
            await asyncio.sleep(0.5)
        assert set(visits["a.test"].statuses) == {200}
        assert back < 5, back
