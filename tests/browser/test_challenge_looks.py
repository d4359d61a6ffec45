"""What a challenge's page looks like to people, in Debian's Chromium at a real edge: in their language, on a
telephone, by day and by night, read aloud."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

from holdfast.edge.dataplane.challenge_words import WORDS
from tests.browser.chromium import MARKS, colours, contrast, fits, luminance
from tests.browser.conftest import Picture, Visits
from tests.feature.clearances import Asked
from tests.feature.shielding import SHOP

pytestmark = MARKS
REGIONS = {"en": "en-GB", "de": "de-AT", "fr": "fr-CA", "es": "es-MX", "ar": "ar-EG"}

COOKIES_LOST = "sessionStorage.holdfast = JSON.stringify(Array(3).fill(['cookies', Date.now()]))"


@pytest.mark.parametrize("language", REGIONS)
async def test_it_is_read_in_the_visitors_language(visit: Visits, picture: Picture, language: str) -> None:
    """And in no other; on any screen nothing sticks out."""
    words = WORDS[language]
    async with visit(locale=REGIONS[language]) as visitor:
        page = visitor.page
        await visitor.nothing_is_solved()
        await visitor.go()
        await visitor.meets("working")
        root = page.locator("html")
        assert await root.get_attribute("lang") == language
        assert await root.get_attribute("dir") == words.direction
        assert await page.title() == words.heading
        await page.wait_for_function("() => document.querySelector('.id').textContent")
        told = [line for line in (await page.inner_text("main")).split("\n") if line]
        assert told[:-1] == [SHOP, words.heading, words.why, words.works]
        assert told[-1].startswith("m-1.")
        for width in (1280, 375):
            await page.set_viewport_size({"width": width, "height": 700})
            assert await fits(page)
            await picture(page, f"challenge-{language}-{width}")


async def test_a_language_that_it_does_not_speak_is_english(visit: Visits) -> None:
    async with visit(locale="is-IS") as visitor:
        await visitor.nothing_is_solved()
        await visitor.go()
        await visitor.meets("working")
        assert await visitor.page.locator("h1:visible").all_inner_texts() == [WORDS["en"].heading]


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_axe_finds_nothing(visit: Visits, picture: Picture, language: str) -> None:
    """With all its rules, by day and by night, in each state that the page can be in; every text has a
    contrast of 4.5 : 1 at least (WCAG 2.2, 1.4.3); and on a telephone nothing sticks out."""

    async def look(state: str) -> None:
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            await page.emulate_media(color_scheme=scheme)
            found = await Axe().run(page)
            assert found.violations_count == 0, (state, scheme, found.generate_report())
            shown = await colours(page, "h1, p, button")
            assert len(shown) > 3
            for ink, paper in shown:
                assert contrast(ink, paper) >= 4.5, (state, scheme, ink, paper)
            assert (luminance(shown[0][1]) < luminance(shown[0][0])) == (scheme == "dark")
            await picture(page, f"challenge-{language}-375-{scheme}-{state}")
        assert await fits(page), state

    phone = {"width": 375, "height": 700}
    async with visit(locale=REGIONS[language], viewport=phone) as visitor:
        page = visitor.page
        await visitor.nothing_is_solved()
        await visitor.go()
        await visitor.meets("working")
        await look("working")
        await visitor.is_asked(Asked("salt", "0" * 64, 10, ""))
        await page.reload()
        await visitor.meets("failed")
        await look("failed")
        await page.evaluate(COOKIES_LOST)
        await page.reload()
        await visitor.meets("cookies")
        await look("cookies")
        await page.route("**/challenge-*.js", lambda route: route.abort())
        await page.reload()
        await page.wait_for_selector("button:visible", timeout=3_000)
        await look("without-script")
        visitor.heard.complaints.clear()  # of what the test has cut off


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_nothing_moves_where_that_is_not_wanted(visit: Visits, motion: Any) -> None:
    async with visit(reduced_motion=motion) as visitor:
        await visitor.nothing_is_solved()
        await visitor.go()
        await visitor.meets("working")
        moving = await visitor.page.evaluate("document.getAnimations().map(each => each.animationName)")
        assert moving == ([] if motion == "reduce" else ["pass"])
