"""The block page as people meet it: in Debian's Chromium, from a real edge, in their language, on a phone, by
keyboard, without JavaScript, in the dark. Screenshots are left in pytest's temporary directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from holdfast.edge.dataplane.page_words import WORDS
from holdfast.model.enforcement import SiteScope
from tests.browser.chromium import MARKS, Heard, colours, contrast, fits, focus, listening, luminance
from tests.feature.lab import Lab, enforcement, released, running, site, write_certificate

pytestmark = MARKS

GROUND = 'Terms of service, section 4 <script>document.title="owned"</script> & more'
LINKS = [
    "https://provider.example/",
    "https://provider.example/statements/D-1",
    "https://provider.example/ledger/D-1",
    "https://provider.example/appeal/D-1",
]
"""In the order in which they are reached."""


@dataclass
class Visit:
    """A browser at a blocked site, and everything that it complained about."""

    page: Page
    lab: Lab
    heard: Heard

    async def go(self, secure: bool) -> int:
        scheme, port = ("https", self.lab.https) if secure else ("http", self.lab.http)
        answer = await self.page.goto(f"{scheme}://a.test:{port}/some/page?x=1")
        assert answer is not None
        return answer.status


Visits = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def visit(chromium: Browser, tmp_path: Path) -> Visits:
    """``visit(...)`` as in ``blocked``, in this test's directory."""
    return partial(blocked, chromium, tmp_path)


@asynccontextmanager
async def blocked(
    chromium: Browser, directory: Path, *, secure: bool = False, authority: str = "", **options: Any
) -> AsyncIterator[Visit]:
    """Someone with ``options`` (of a browser's context) opens a page of a blocked site."""
    certificate = str(write_certificate(directory / "a.pem", "a.test"))
    now = datetime.now(UTC)
    block = enforcement(
        SiteScope("a"), id="D-1", ground=GROUND, since=now, until=now + timedelta(days=9), authority=authority
    )
    async with running(directory, [site("a", ["a.test"], 1, certificate=certificate)]) as (lab, edge):
        await edge.block(released(block))
        context = await chromium.new_context(ignore_https_errors=True, **options)
        page = await context.new_page()
        with listening(page) as heard:
            made = Visit(page, lab, heard)
            assert await made.go(secure) == (451 if authority else 403)
            await page.screenshot(path=directory / "page.png", full_page=True)
            yield made
        assert (directory / "page.png").stat().st_size > 5_000


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_it_is_read_in_the_visitors_language(visit: Visits, language: str, width: int) -> None:
    """All that it has to tell is there, on any screen, and what others wrote is only text."""
    region = {"en": "en-GB", "ar": "ar-EG"}[language]
    words = WORDS[language]
    async with visit(locale=region, viewport={"width": width, "height": 700}) as here:
        page = here.page
        root = page.locator("html")
        assert await root.get_attribute("lang") == language
        assert await root.get_attribute("dir") == words.direction
        assert await root.evaluate("each => getComputedStyle(each).direction") == words.direction
        assert await page.inner_text("h1") == words.heading[0]
        assert await page.title() == f"{words.heading[0]} (403)"
        body = await page.inner_text("body")
        for told in (GROUND, "D-1", "The Test Co-operative", words.since, words.until, words.everyone):
            assert told in body, told
        assert await fits(page)
        assert await page.evaluate("getComputedStyle(document.querySelector('main')).borderRadius") == "12px"


async def test_its_links_are_reached_by_keyboard(visit: Visits) -> None:
    """In order, each visibly focused and large enough; Enter follows."""
    async with visit(locale="en-GB") as here:
        page = here.page
        for link in LINKS:
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.href") == link
            assert await focus(page) == ["solid", "3px"]
        hrefs = await page.locator("a").evaluate_all("all => all.map(each => each.href)")
        assert hrefs == LINKS
        asked: list[str] = []
        await page.route("https://provider.example/**", lambda route: asked.append(route.request.url))
        await page.keyboard.press("Enter")
        for _ in range(100):
            if asked:
                break
            await page.wait_for_timeout(20)
        assert asked == [LINKS[-1]]
        await page.unroute("https://provider.example/**")
        here.heard.complaints.clear()  # the journey that the test has cut off


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_it_needs_no_javascript(visit: Visits, secure: bool) -> None:
    async with visit(secure=secure, locale="en-GB", java_script_enabled=False) as here:
        assert await here.page.inner_text("h1") == WORDS["en"].heading[0]
        links = here.page.locator("a")
        assert [await links.nth(index).get_attribute("href") for index in range(4)] == LINKS
        for index in range(4):
            assert await links.nth(index).is_visible()


async def test_it_names_who_demanded_a_legal_block(visit: Visits) -> None:
    async with visit(locale="de-AT", authority="Amtsgericht <b>X</b>") as here:
        assert await here.page.inner_text("h1") == WORDS["de"].heading[1]
        assert "Amtsgericht <b>X</b>" in await here.page.inner_text("dl")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_by_day_and_by_night(visit: Visits, scheme: Any) -> None:
    """Every text has a contrast of 4.5 : 1 at least (WCAG 2.2, 1.4.3)."""
    async with visit(locale="en-GB", color_scheme=scheme) as here:
        found = await colours(here.page, "h1, p, dt, dd, a, a b, a span, footer")
        assert len(found) > 15
        for ink, paper in found:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
            assert (luminance(paper) < luminance(ink)) == (scheme == "dark")
