"""The way through a challenge: wait, follow the link, come back with a clearance. What is not of this site's
making, not of this moment, or changed, leads nowhere; nothing leads to another host."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.timed_link import LINKS_PER_NETWORK
from tests.feature.clearances import (
    BROWSER,
    CONTINUE,
    WAIT,
    claims_of,
    coded,
    cookie,
    cookie_of,
    fresh,
    link_of,
    signed_link,
    target_of,
)
from tests.feature.clients import ask, status
from tests.feature.shielding import OTHER, SHOP, mitigation, sightless
from tests.feature.wire import Answer, connect, http2

PASSED, ASKED = 303, 403


@pytest.mark.parametrize("protocol", ["http/1.1", "tls", "h2"])
async def test_who_waits_comes_back_to_where_he_wanted_to_go(tmp_path: Path, protocol: str) -> None:
    async with sightless(tmp_path) as ground:

        async def get(path: str, *headers: tuple[str, str]) -> Answer:
            if protocol == "h2":
                async with http2(ground.lab.https, SHOP) as client:
                    return await client.get2(SHOP, path, ("accept", "text/html"), *headers)
            lines = [BROWSER, *(f"{name}: {value}" for name, value in headers)]
            return await ask(ground.lab, "127.0.0.1", SHOP, path, *lines, secure=protocol == "tls")

        await ground.put(mitigation())
        scheme = "http" if protocol == "http/1.1" else "https"
        asked = time.time()
        page = await get("/shelf/%41?q=1&r=%26")
        assert page.status == ASKED
        assert f'content="0; url={WAIT}"' in page.body.decode()
        link = link_of(await get(WAIT, ("referer", f"{scheme}://{SHOP}/shelf/%41?q=1&r=%26")))
        early = await get(link)
        assert (early.status, "set-cookie" in early.headers) == (ASKED, False)
        assert target_of(link_of(early)) == "/shelf/%41?q=1&r=%26", "still where he wanted to go"
        await asyncio.sleep(asked + 3.1 - time.time())
        answer = await get(link)
        assert (answer.status, answer.headers["location"]) == (
            PASSED,
            f"{scheme}://{SHOP}/shelf/%41?q=1&r=%26",
        )
        told = answer.headers["set-cookie"].split("; ")[1:]
        secure = [] if protocol == "http/1.1" else ["Secure"]
        assert told[:1] + told[2:] == ["Path=/", "HttpOnly", "SameSite=Lax", *secure]
        assert 3590 <= int(told[1].removeprefix("Max-Age=")) <= 3600 - 3
        claims = claims_of(cookie_of(answer))
        assert (claims["host"], claims["jti"] in link, claims["how"]) == (SHOP, True, "link")
        assert abs(claims["exp"] - asked - 3600) <= 2
        assert ground.origin.requests == []
        back = await get("/shelf/%41?q=1&r=%26", ("cookie", answer.headers["set-cookie"].partition(";")[0]))
        assert (back.status, len(ground.origin.requests)) == (200, 1)
        totals = await ground.totals()
        counted = [totals[f"gpc{int(each)}"] for each in (Verdict.CHALLENGED, Verdict.ASIDE, Verdict.EARNED)]
        assert counted == [1, 3, 1]
        assert [each.cleared for each in await ground.samples(2)] == [False, True], "no more than its pages"


@pytest.mark.parametrize(
    ("age", "expected"),
    [(-60, ASKED), (0, ASKED), (1.5, ASKED), (4, PASSED), (295, PASSED), (303, ASKED), (1e6, ASKED)],
)
async def test_a_link_has_its_time(tmp_path: Path, age: float, expected: int) -> None:
    """Older than three seconds, not older than five minutes."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.1", SHOP, await fresh(ground, age=age))
        assert (answer.status, "set-cookie" in answer.headers) == (expected, expected == PASSED)


async def test_a_link_that_was_changed_leads_nowhere(tmp_path: Path) -> None:
    """Nor one of another site, or that somebody else has made, or that lacks something."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        good = await fresh(ground)
        key, number = await ground.key(), str(int(time.time()) - 20)
        bad = [
            await fresh(ground, t=number),
            await fresh(ground, n="another"),
            await fresh(ground, w="Ly9ldmlsLmV4YW1wbGU"),
            await fresh(ground, s="0" * 32),
            await fresh(ground, s=""),
            signed_link(key, OTHER),
            signed_link((key[0], key[0])),
            signed_link((key[0], "")),
            signed_link((str(int(key[0]) - 1), key[1])),
            signed_link(("", key[1])),
            signed_link(("now", key[0])),
            *(good.replace(f"{name}=", f"x{name}=") for name in "ktnws"),
            *("&".join(part for part in good.split("&") if part[:2] != f"{name}=") for name in "tnws"),
            good.partition("?")[0],
            good[:-1] + ("0" if good[-1] != "0" else "1"),
            good[:-1],
            good + "0",
        ]
        for link in bad:
            answer = await ask(ground.lab, "127.0.0.1", SHOP, link)
            assert (answer.status, "set-cookie" in answer.headers) == (ASKED, False), link
        assert (await ask(ground.lab, "127.0.0.1", SHOP, good)).status == PASSED
        assert (await ask(ground.lab, "127.0.0.1", OTHER, good)).status == 200, "nobody is asked there"
        assert (await ground.totals())[f"gpc{int(Verdict.EARNED)}"] == 1


async def test_a_link_that_many_follow_is_one_clearance(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        link = await fresh(ground, number="just-one")
        answers = [await ask(ground.lab, f"127.0.{net}.1", SHOP, link) for net in range(5)]
        assert [claims_of(cookie_of(each))["jti"] for each in answers] == ["just-one"] * 5


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("http://shop.test/a?b=%26", "/a?b=%26"),
        ("https://shop.test/a", "/a"),
        ("http://shop.test//evil.example/x", "//evil.example/x"),
        ("http://shop.test/\\evil.example/", "/\\evil.example/"),
        ("http://shop.test/@evil.example/", "/@evil.example/"),
        ("http://shop.test/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b"),
        ("http://shop.test", "/"),
        ("http://shop.test?x", "/"),
        ("http://shop.test/a b", "/"),
        ("http://shop.test/\xc3\xa4", "/"),
        ("http://shop.test:81/a", "/"),
        ("http://shop.test@evil.example/a", "/"),
        ("http://evil.example/a", "/"),
        ("http://evil.example/http://shop.test/a", "/"),
        ("//shop.test/a", "/"),
        ("shop.test/a", "/"),
        ("/a", "/"),
        ("javascript:alert(1)//shop.test/a", "/"),
        ("http://shop.test/.well-known/holdfast/wait", "/"),
        ("", "/"),
    ],
)
async def test_no_link_leads_to_another_host(tmp_path: Path, said: str, expected: str) -> None:
    """It leads to the page that the browser says it comes from, at the host that was asked, or to its
    front."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        page = await ask(ground.lab, "127.0.0.1", SHOP, WAIT, BROWSER, f"Referer: {said}")
        back = target_of(link_of(page))
        assert back == expected
        answer = await ask(ground.lab, "127.0.0.1", SHOP, await fresh(ground, back=back))
        assert (answer.status, answer.headers["location"]) == (PASSED, f"http://{SHOP}{back}")
        place = urlsplit(answer.headers["location"])
        assert (place.scheme, place.netloc) == ("http", SHOP)


@pytest.mark.parametrize(("host", "expected"), [("shop.test:8080", PASSED), ("SHOP.test", PASSED)])
async def test_a_visitor_stays_at_his_port(tmp_path: Path, host: str, expected: int) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.1", host, await fresh(ground, back="/x"))
        assert (answer.status, answer.headers["location"]) == (expected, f"http://{host}/x")


async def test_what_a_network_may_earn(tmp_path: Path) -> None:
    """In ten minutes; links that are not good cost nothing."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())

        async def earned(network: int, times: int, **more: str) -> list[int]:
            async with connect(ground.lab.http, source=f"127.0.{network}.1") as wire:
                links = [await fresh(ground, **more) for _ in range(times)]
                return [(await wire.get(link.encode(), SHOP)).status for link in links]

        assert set(await earned(1, LINKS_PER_NETWORK, s="forged")) == {ASKED}
        assert await earned(1, LINKS_PER_NETWORK - 1) == [PASSED] * (LINKS_PER_NETWORK - 1)
        neighbour = await ask(ground.lab, "127.0.1.77", SHOP, await fresh(ground))
        assert neighbour.status == PASSED, "the last of the network"
        assert await earned(1, 3) == [ASKED] * 3
        assert await earned(2, 3) == [PASSED] * 3
        assert (await ground.totals())[f"gpc{int(Verdict.EARNED)}"] == LINKS_PER_NETWORK + 3


async def test_a_link_is_honoured_for_a_while_after_the_attack(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        link = await fresh(ground)
        await ground.put(lingers=True)
        assert await status(ground.lab, host=SHOP) == 200
        assert (await ask(ground.lab, "127.0.0.1", SHOP, link)).status == PASSED
        await ground.put(lingers=False)
        assert await status(ground.lab, host=SHOP, path=link) == 200
        assert ground.origin.requests[-1].target.decode() == link, "no longer ours"
        assert await ground.held("masks") == {}


@pytest.mark.parametrize(
    "back", ["@evil.example/", ".evil.example/", ":80@evil.example/", "/x\r\nSet-Cookie: a=b"], ids=repr
)
async def test_nobody_has_a_target_signed_that_he_made_up(tmp_path: Path, back: str) -> None:
    """The page that answers a bad link has a good one: not to where the bad one said."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        page = await ask(ground.lab, "127.0.0.1", SHOP, f"{CONTINUE}?w={coded(back.encode())}", BROWSER)
        assert target_of(link_of(page)) == "/"


async def test_who_is_cleared_goes_on_from_a_second_tab(tmp_path: Path) -> None:
    """Opened before he was cleared in the first; without another clearance."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        first = await ask(ground.lab, "127.0.0.1", SHOP, await fresh(ground, back="/a"))
        link = await fresh(ground, back="/b")
        second = await ask(ground.lab, "127.0.0.1", SHOP, link, cookie(cookie_of(first)))
        assert (second.status, second.headers.get("location")) == (303, f"http://{SHOP}/b")


async def test_who_is_allowed_by_now_goes_on(tmp_path: Path) -> None:
    async with sightless(tmp_path, allow=["127.0.0.7"]) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.7", SHOP, await fresh(ground, back="/a"))
        assert (answer.status, answer.headers.get("location")) == (303, f"http://{SHOP}/a")
