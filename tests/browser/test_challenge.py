"""The ways through a challenge, in Debian's Chromium at a real edge: with JavaScript and without, wherever
the visitor comes from and whatever he sent; and what the clearance is worth that he gets."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from holdfast.edge.dataplane.challenge_page import WAIT
from holdfast.edge.dataplane.challenge_words import WORDS
from tests.browser.chromium import MARKS, focus
from tests.browser.conftest import Picture, Visits
from tests.browser.moving import moving
from tests.browser.shop import ASKED_FOR, shop, visiting
from tests.feature.clearances import cookie, token
from tests.feature.clients import ask
from tests.feature.shielding import OTHER, SHOP

pytestmark = MARKS


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_browser_passes_by_itself(visit: Visits, secure: bool) -> None:
    """To just the page that was asked for, with one clearance, which no script sees; asking nobody else."""
    async with visit() as visitor:
        before, began = await visitor.shop.earned(), time.time()
        await visitor.go(f"{ASKED_FOR}#part", secure=secure)
        await visitor.passes()
        assert visitor.page.url == visitor.shop.url(f"{ASKED_FOR}#part", secure=secure)
        assert visitor.heard.documents == [403, 200]
        assert visitor.shop.asked == [("GET", ASKED_FOR, "")]
        assert await visitor.shop.earned() == before + 1
        (kept,) = await visitor.clearances()
        assert (kept["httpOnly"], kept["sameSite"], kept["secure"]) == (True, "Lax", secure)
        assert (kept["domain"], kept["path"]) == (SHOP, "/")
        assert began + 3000 < kept["expires"] < time.time() + 3601
        assert visitor.heard.hosts == {SHOP}
        protocol = await visitor.page.evaluate(
            "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        )
        assert protocol == ("h2" if secure else "http/1.1")
        assert visitor.page.workers == []
        assert await visitor.page.evaluate("history.length") == 2, "the empty page, and this one"


async def test_it_takes_little_time(visit: Visits, record_property: Any) -> None:
    seconds = []
    for _ in range(6):
        async with visit() as visitor:
            began = time.monotonic()
            await visitor.go()
            await visitor.passes()
            seconds.append(time.monotonic() - began)
    record_property("seconds", [round(each, 2) for each in sorted(seconds)])
    assert statistics.median(seconds) < 3


async def test_it_hashes_right(visit: Visits) -> None:
    """However long the salt is, and wherever in SHA-256's blocks the number comes to lie."""
    asked = []
    for length in range(140):
        number = 10 ** (length % 7) + length
        salt = "é" + "x" * length
        goal = hashlib.sha256(f"{salt}{number}".encode()).hexdigest()
        asked.append([salt, goal, max(0, number - 5), 1, number + 5])
    asked.append(["salt", "0" * 64, 0, 1, 50])
    async with visit() as visitor:
        await visitor.nothing_is_solved()
        await visitor.go()
        found = await visitor.page.evaluate(
            """async asked => {
                const worker = new Worker(document.scripts[0].src), found = [];
                for (const each of asked) {
                    worker.postMessage(each);
                    found.push(await new Promise(is => { worker.onmessage = ({data}) => is(data); }));
                }
                return found;
            }""",
            asked,
        )
    assert found == [10 ** (length % 7) + length for length in range(140)] + [-1]


async def test_without_javascript_the_page_goes_on_by_itself(visit: Visits, picture: Picture) -> None:
    async with visit(java_script_enabled=False) as visitor:
        began = time.monotonic()
        await visitor.go()
        await visitor.page.wait_for_url(f"**{WAIT}")
        assert await visitor.page.locator("button:visible").count() == 5
        await picture(visitor.page, "challenge-without-javascript")
        await visitor.passes()
        assert 2.5 < time.monotonic() - began < 8
        assert visitor.page.url == visitor.shop.url()
        assert visitor.heard.hosts == {SHOP}
        assert len(await visitor.clearances()) == 1


async def test_without_javascript_the_button_goes_on(visit: Visits) -> None:
    """By keyboard, in a browser that lets no page go on by itself. Too early it asks for patience, and has
    not forgotten what was asked for."""
    async with visit(java_script_enabled=False) as visitor:
        await visitor.patient()
        await visitor.go()
        for seconds, statuses in ((0.0, [403]), (0.0, [403]), (3.2, [303, 200])):
            await asyncio.sleep(seconds)
            await visitor.page.keyboard.press("Tab")
            assert await visitor.page.evaluate("document.activeElement.textContent") == "Continue"
            assert await focus(visitor.page) == ["solid", "3px"]
            visitor.heard.documents.clear()
            async with visitor.page.expect_navigation():
                await visitor.page.keyboard.press("Enter")
            assert visitor.heard.documents == statuses
        await visitor.passes()
        assert visitor.page.url == visitor.shop.url()


@pytest.mark.parametrize("when", ["afterwards", "in the middle"])
async def test_a_change_of_address_changes_nothing(visit: Visits, when: str) -> None:
    async with (
        moving("127.0.7.1") as address,
        visit(proxy={"server": address.proxy}) as visitor,
    ):
        if when == "in the middle":
            # Not waited for: the browser's request has arrived, and the answer comes to the new address.
            await visitor.page.route("**/solved?*", lambda route: _moved(address, route))
        await visitor.go()
        await visitor.passes()
        if when == "afterwards":
            address.move("127.0.8.1")
            visitor.heard.complaints.clear()
            await visitor.go("/second")
            await visitor.passes("/second")
        assert visitor.heard.documents.count(403) == 1
        assert len(await visitor.clearances()) == 1


async def _moved(address: Any, route: Any) -> None:
    address.move("127.0.8.1")
    await route.continue_()


@pytest.mark.parametrize("whose", ["another host's", "ended", "forged", "good"])
async def test_with_a_cookie_that_is_worth_nothing_one_passes_anew(visit: Visits, whose: str) -> None:
    """Nothing is said of it. A good one is not asked for another."""
    async with visit() as visitor:
        kid, text = await visitor.shop.ground.key()
        value = {
            "another host's": token((kid, text), OTHER),
            "ended": token((kid, text), seconds=-1),
            "forged": token((kid, "0" * 64)),
            "good": token((kid, text)),
        }[whose]
        await visitor.context.add_cookies(
            [{"name": "__holdfast", "value": value, "domain": SHOP, "path": "/", "httpOnly": True}]
        )
        before = await visitor.shop.earned()
        await visitor.go()
        await visitor.passes()
        challenged = 0 if whose == "good" else 1
        assert visitor.heard.documents == [403] * challenged + [200]
        assert await visitor.shop.earned() == before + challenged
        (kept,) = await visitor.clearances()
        assert (kept["value"] == value) == (whose == "good")


async def test_a_clearance_that_500_share_is_worth_one(chromium: Browser, tmp_path: Path) -> None:
    """From as many addresses, together within one client's limit; who has his own is not touched."""
    async with shop(tmp_path, {"requests_per_second": 1, "burst": 30}) as one:
        await one.challenge()
        async with visiting(chromium, one) as visitor, visiting(chromium, one) as other:
            for each in (visitor, other):
                await each.go()
                await each.passes()
            (shared,) = await visitor.clearances()
            line = cookie(shared["value"])
            sources = [f"127.1.{number // 250}.{1 + number % 250}" for number in range(500)]
            seen = [(await ask(one.ground.lab, source, SHOP, "/", line)).status for source in sources]
            assert set(seen) == {200, 429}
            assert 20 <= seen.count(200) <= 40, "the burst, and what comes in while they ask"
            await other.go("/second")
            await other.passes("/second")


async def test_what_was_sent_is_sent_again(visit: Visits) -> None:
    """A form that met the beginning of an attack: it arrives, once."""
    async with visit() as visitor:
        await visitor.shop.open()
        await visitor.go("/form")
        await visitor.shop.challenge()
        await visitor.page.click("button")
        await visitor.passes("/order")
        assert visitor.heard.documents == [200, 403, 200]
        assert visitor.shop.asked == [("GET", "/form", ""), ("POST", "/order", "what=tea")]
        await visitor.page.go_back()
        await visitor.passes("/form")


async def test_without_javascript_the_page_says_what_did_not_arrive(visit: Visits, picture: Picture) -> None:
    async with visit(java_script_enabled=False) as visitor:
        await visitor.shop.open()
        await visitor.go("/form")
        await visitor.shop.challenge()
        await visitor.page.click("button")
        await visitor.page.wait_for_url(f"**{WAIT}?sent=1")
        added = await visitor.page.locator("[role=status]").evaluate_all(
            "all => all.map(each => getComputedStyle(each, '::after').content)"
        )
        assert added == [f'" {words.sent}"' for words in WORDS.values()]
        await picture(visitor.page, "challenge-sent-without-javascript")
        await visitor.passes("/order")
        assert [each[:2] for each in visitor.shop.asked] == [("GET", "/form"), ("GET", "/order")]


async def test_two_tabs_pass_at_once(visit: Visits) -> None:
    async with visit() as visitor:
        before = await visitor.shop.earned()
        second = await visitor.context.new_page()
        await asyncio.gather(visitor.go(), second.goto(visitor.shop.url("/second")))
        await visitor.passes()
        assert await second.locator("#shop").inner_text() == "/second"
        assert await visitor.shop.earned() - before in (1, 2)
        assert len(await visitor.clearances()) == 1


async def test_back_leads_past_the_challenge(visit: Visits) -> None:
    async with visit() as visitor:
        await visitor.shop.open()
        await visitor.go("/first")
        await visitor.shop.challenge()
        await visitor.page.click("a")
        await visitor.passes("/second")
        await visitor.page.go_back()
        await visitor.passes("/first")
        await visitor.page.go_forward()
        await visitor.passes("/second")
        assert visitor.heard.documents.count(403) == 1


async def test_without_javascript_back_leads_past_the_challenge(visit: Visits) -> None:
    async with visit(java_script_enabled=False) as visitor:
        await visitor.shop.open()
        await visitor.go("/first")
        await visitor.shop.challenge()
        await visitor.page.click("a")
        await visitor.passes("/second")
        visitor.heard.documents.clear()
        await visitor.page.go_back()
        await visitor.passes("/second")
        await visitor.page.go_back()
        await visitor.passes("/first")
        assert 403 not in visitor.heard.documents
