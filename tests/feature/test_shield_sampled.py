"""Of which requests the shield is told: of one in so many, of refused ones, of such that are no site's."""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.model.enforcement import SiteScope
from holdfast.model.mitigation import Action
from tests.feature.clearances import cookie, token
from tests.feature.clients import ask
from tests.feature.lab import enforcement, eventually, released
from tests.feature.load import ANY_RATE, wrk
from tests.feature.shielding import SHOP, mitigation, sightless


async def test_one_of_a_hundred(tmp_path: Path) -> None:
    """Each stands for a hundred then; the other site is sampled whole."""
    async with sightless(tmp_path, ANY_RATE) as ground:
        sampling = ground.edge.desired.shielded.put_sampling({"shop": 100})
        await ground.edge.reconciler.settle(sampling)
        async with wrk(ground.lab.http, SHOP) as load:
            await eventually(lambda: len(ground.origin.requests) > 6_000, 30)
        await ask(ground.lab, host="other.test")
        await asyncio.sleep(1.5)  # the first of them take a second
        samples = ground.edge.guard._intake.take()
        weights = {each.weight for each in samples if each.site == ground.sid()}
        assert weights == {100.0}
        assert [each.weight for each in samples if each.site != ground.sid()] == [1.0]
        requests = (await ground.totals())["http_req_cnt"]
        # A binomial variable: ten standard deviations are more than the machine's life will show.
        deviation = 100 * (requests * 0.01 * 0.99) ** 0.5
        told = sum(each.weight for each in samples) - 1
        assert abs(told - requests) < 6 * deviation, (told, requests, load)


async def test_what_is_refused_is_told(tmp_path: Path) -> None:
    """The block page, a client's limit, a full queue, a challenge, and what the shield does not concern."""
    limits = {"requests_per_second": 1, "burst": 2, "origin_connections": 1, "queue": 0, "body_bytes": 9}
    async with sightless(tmp_path, limits) as ground:

        async def told(
            source: str, path: str = "/", *lines: str, method: str = "GET"
        ) -> tuple[int, str, bool]:
            status = (await ask(ground.lab, source, SHOP, path, *lines, method=method)).status
            sample = await ground.sample()
            assert sample.status == status
            return status, sample.verdict, sample.reached_origin

        assert await told("127.0.0.9") == (200, "", True), "the first samples take a second"
        assert [await told("127.0.0.1") for _ in range(3)] == [(200, "", True)] * 2 + [(429, "", False)]
        assert await told("127.0.0.2", "/", "Content-Length: 10", method="POST") == (413, "", False)
        held = asyncio.ensure_future(ask(ground.lab, "127.0.0.3", SHOP, "/?held=1"))
        await eventually(lambda: ground.origin.open == 1)
        assert await told("127.0.0.4") == (503, "", False)
        ground.origin.release.set()
        await held
        await ground.sample()
        await ground.put(mitigation(name="m-5"))
        assert await told("127.0.0.5") == (403, "m-5", False)
        value = token(await ground.key())
        assert await told("127.0.0.5", "/", cookie(value)) == (200, "m-5", True)
        await ground.put(mitigation(Action.DENY, name="m-6"))
        assert await told("127.0.0.6") == (403, "m-6", False)
        await ground.put()
        await ground.edge.block(released(enforcement(SiteScope("shop"))))
        assert await told("127.0.0.7") == (403, "", False)


async def test_what_is_no_request_for_a_site(tmp_path: Path) -> None:
    """An unknown host is told under no site's name; what cannot be read is counted."""
    async with sightless(tmp_path) as ground:
        assert (await ask(ground.lab, host="unknown.test", path="/x")).status == 421
        sample = await ground.sample()
        assert (sample.site, sample.status, sample.path, sample.weight) == ("-", 421, "/x", 1)
        await ground.edge.reconciler.settle(ground.edge.desired.shielded.put_sampling({"-": 1}))
        for _ in range(20):
            assert (await ask(ground.lab, host="unknown.test")).status == 421
        for _ in range(3):
            assert (await ask(ground.lab, host=SHOP, path="/a b")).status == 400
        counts = ground.edge.guard.samples
        await eventually(lambda: counts["malformed"] == 3)
        assert len(ground.edge.guard._intake.take()) <= 1, "each has a chance of one in ten thousand"
