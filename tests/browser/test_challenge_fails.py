"""What may go wrong on a challenge's page, in Debian's Chromium at a real edge: nothing is tried for ever,
the visitor is told, and there is a way on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Route

from holdfast.edge.dataplane.challenge_page import CONTINUE, WAIT
from holdfast.edge.dataplane.challenge_words import WORDS
from tests.browser.chromium import MARKS, focus, listening, without_cookies
from tests.browser.conftest import Picture, Visits
from tests.browser.shop import ASKED_FOR, AWAY, SOLVED, Shop, Visitor
from tests.feature.clearances import Asked, made, signed_link

pytestmark = MARKS
SAYS = WORDS["en"]
UNSOLVABLE = Asked("salt?expires=1&", "0" * 64, 500, "")


@pytest.mark.parametrize("path", [ASKED_FOR, AWAY], ids=["to the page", "on to another host"])
async def test_what_no_number_solves_is_given_up(visit: Visits, picture: Picture, path: str) -> None:
    """The workers end, and the button leads on: by keyboard, to a page that waits as it does without
    JavaScript."""
    async with visit() as visitor:
        page = visitor.page
        await visitor.is_asked(UNSOLVABLE, times=2)
        await visitor.go(path)
        await visitor.meets("failed")
        assert await visitor.said() == SAYS.failed
        assert page.workers == []
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == SAYS.button
        assert await focus(page) == ["solid", "3px"]
        await picture(page, "challenge-failed")
        await page.keyboard.press("Enter")
        await visitor.meets("waiting")
        assert await visitor.said() == SAYS.waits
        assert page.workers == []
        await visitor.passes("/there" if path == AWAY else path)


async def test_a_page_that_lay_open_gets_another_challenge(visit: Visits) -> None:
    """What it was asked has come to its end."""
    async with visit() as visitor:
        before = await visitor.shop.earned()
        await visitor.is_asked(made(await visitor.shop.ground.key(), seconds=-1))
        await visitor.go()
        await visitor.passes()
        assert visitor.heard.documents == [403, 403, 200]
        assert await visitor.shop.earned() == before + 1


@pytest.mark.parametrize(("status", "state"), [(403, "failed"), (204, "cookies")])
async def test_nothing_is_tried_for_ever(visit: Visits, picture: Picture, status: int, state: str) -> None:
    """Neither where every solution is refused, nor where the browser takes one and loses the cookie. Pressing
    the button tries anew."""
    async with visit() as visitor:
        await visitor.page.route(SOLVED, lambda route: route.fulfill(status=status))
        await visitor.go()
        await visitor.meets(state)
        assert await visitor.said() == getattr(SAYS, state)
        await picture(visitor.page, f"challenge-{state}")
        await asyncio.sleep(0.5)
        assert visitor.heard.documents == [403] * 4
        await visitor.page.unroute(SOLVED)
        await visitor.page.click("button:visible")
        await visitor.passes()


async def test_a_browser_that_takes_no_cookies_is_told(visit: Visits, one_shop: Shop, tmp_path: Path) -> None:
    """At once, and nothing is solved in vain."""
    async with without_cookies(tmp_path / "profile", locale="en-GB") as context:
        with listening(context.pages[0]) as heard:
            visitor = Visitor(one_shop, context.pages[0], heard)
            await visitor.go()
            await visitor.meets("cookies")
            assert await visitor.said() == SAYS.cookies
            assert heard.documents == [403]
            assert [url for url in heard.urls if SOLVED.search(url)] == []
            await visitor.page.click("button:visible")
            await visitor.page.wait_for_url(f"**{WAIT}?")
            await visitor.meets("cookies")
            assert heard.documents == [403, 403]


async def test_an_edge_out_of_reach_is_asked_again(visit: Visits) -> None:
    """After a moment, and soon enough that nothing has to be pressed."""
    async with visit() as visitor:
        tried: asyncio.Queue[str] = asyncio.Queue()

        async def lose(route: Route) -> None:
            await route.abort("connectionreset")
            tried.put_nowait(route.request.url)

        await visitor.page.route(SOLVED, lose, times=2)
        await visitor.page.clock.install()
        await visitor.go()
        for _ in range(2):
            await tried.get()
            await visitor.page.clock.run_for(2_500)
        await visitor.passes()
        assert visitor.heard.documents == [403, 200]
        visitor.heard.complaints.clear()  # of what the test has cut off


async def test_who_waits_for_long_is_told_and_has_a_choice(visit: Visits, picture: Picture) -> None:
    async with visit() as visitor:
        await visitor.page.clock.install()
        await visitor.nothing_is_solved()
        await visitor.go()
        await visitor.meets("working")
        assert await visitor.page.locator("button:visible").count() == 0
        await visitor.page.clock.run_for(5_100)
        await visitor.meets("longer")
        assert await visitor.said() == SAYS.longer
        await picture(visitor.page, "challenge-longer")
        await visitor.page.click("button:visible")
        visitor.heard.complaints.clear()  # of what the test has cut off
        await visitor.page.unroute(SOLVED)
        await visitor.passes()


@pytest.mark.parametrize("genuine", [True, False])
async def test_an_old_link_leads_on(visit: Visits, genuine: bool) -> None:
    """One that was kept, to where it led; what somebody else has made up, to the front page."""
    async with visit() as visitor:
        kid, text = await visitor.shop.ground.key()
        link = signed_link((kid, text if genuine else "0" * 64), age=4_000, back="/kept?x=1")
        assert link.startswith(CONTINUE)
        await visitor.go(link)
        await visitor.passes("/kept?x=1" if genuine else "/")
        assert [each[1] for each in visitor.shop.asked] == ["/kept?x=1" if genuine else "/"]


async def test_without_its_script_the_page_is_there_all_the_same(visit: Visits, picture: Picture) -> None:
    """In all languages, after a moment in which it could have come."""
    async with visit() as visitor:
        await visitor.page.route("**/challenge-*.js", lambda route: route.abort())
        await visitor.go()
        await visitor.page.wait_for_selector("button:visible", timeout=3_000)
        assert await visitor.page.locator("h1:visible").all_inner_texts() == [
            words.heading for words in WORDS.values()
        ]
        await picture(visitor.page, "challenge-without-script")
        await visitor.page.unroute("**/challenge-*.js")
        visitor.heard.complaints.clear()  # of what the test has cut off
        await visitor.page.click("button >> nth=0")
        await visitor.passes()
