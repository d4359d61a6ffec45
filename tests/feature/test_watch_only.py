"""A site that only watches counts, by reason, what its limits would refuse, and refuses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.status import SiteRow, take_snapshot
from holdfast.model.enforcement import SiteScope
from tests.feature.clients import REFUSED, ban, spend, status, statuses
from tests.feature.lab import enforcement, released, running, site
from tests.feature.origins import origin
from tests.feature.provocations import PROVOCATIONS, Provocation


async def rows(edge: Edge) -> dict[str, SiteRow]:
    return {row.name: row for row in (await take_snapshot(edge)).sites}


@pytest.mark.parametrize("case", PROVOCATIONS.values(), ids=PROVOCATIONS)
async def test_what_one_site_refuses_another_only_counts(tmp_path: Path, case: Provocation) -> None:
    """Each under its reason; everybody is answered by the origin."""
    async with origin() as one:
        sites = [
            site("a", ["a.test"], one.port, limits=case.limits),
            site("b", ["b.test"], one.port, limits=case.limits, watch_only=True),
        ]
        async with running(tmp_path, sites) as (lab, edge):
            assert await case.provoke(lab, one, "a.test") == list(case.statuses)
            arrived = len(one.requests)
            assert await case.provoke(lab, one, "b.test") == [200] * len(case.statuses)
            assert len(one.requests) - arrived == arrived + len(case.statuses)
            seen, count = await rows(edge), {case.reason.name.lower(): len(case.statuses)}
            assert (seen["a"].refused, seen["a"].watched) == (count, {})
            assert (seen["b"].refused, seen["b"].watched) == ({}, count)
            assert (seen["a"].limited, seen["b"].limited) == (len(case.statuses), 0)


async def test_a_site_that_watches_can_refuse_at_any_moment(tmp_path: Path) -> None:
    """By a change at run time, and back; what was counted stays."""
    async with origin() as one, running(tmp_path) as (lab, edge):
        document = site("a", ["a.test"], one.port, limits={"requests_per_second": 1})
        await edge.put_site({**document, "watch_only": True})
        assert set(await statuses(lab, 13)) == {200}
        await edge.put_site(document)
        assert await statuses(lab, 2) == [429, 429]
        await edge.put_site({**document, "watch_only": True})
        assert await statuses(lab, 2) == [200, 200]
        row = (await rows(edge))["a"]
        assert (row.refused, row.watched) == ({"rate": 2}, {"rate": 5})


async def test_only_limits_are_watched(tmp_path: Path) -> None:
    """Blocks and bans are in force, and so are the limits of other sites."""
    async with origin() as one:
        sites = [
            site("a", ["a.test"], one.port, watch_only=True),
            site("b", ["b.test"], one.port, limits={"requests_per_second": 1}),
        ]
        async with running(tmp_path, sites) as (lab, edge):
            await spend(lab, host="b.test")
            await edge.ban(ban("127.0.0.9"))
            assert await status(lab, "127.0.0.9") == REFUSED
            assert await status(lab) == 200
            await edge.block(released(enforcement(SiteScope("a"))))
            assert await statuses(lab, 2) == [403, 403]
            row = (await rows(edge))["a"]
            assert (row.refused, row.watched, row.blocked) == ({"blocked": 2}, {}, 2)
