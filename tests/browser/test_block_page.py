"""The block page as people meet it: in Debian's Chromium, from a real edge, in their language, on a phone, by
keyboard, without JavaScript, in the dark. Screenshots are left in pytest's temporary directory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from holdfast.edge.dataplane.page_words import WORDS
from holdfast.model.enforcement import SiteScope
from tests.feature.lab import Lab, enforcement, running, site, write_certificate

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not Path("/usr/bin/chromium").exists(), reason="needs Debian's chromium"),
]

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP a.test 127.0.0.1",
)
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
    status: int = 0
    complaints: list[str] = field(default_factory=list)

    async def go(self, secure: bool) -> None:
        scheme, port = ("https", self.lab.https) if secure else ("http", self.lab.http)
        answer = await self.page.goto(f"{scheme}://a.test:{port}/some/page?x=1")
        assert answer is not None
        self.status = answer.status

    def heard(self, kind: str, text: str) -> None:
        # Chromium reports the status of the page itself as an error.
        if kind in ("error", "warning") and not re.search(
            r"the server responded with a status of 4\d\d", text
        ):
            self.complaints.append(text)


Visits = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all; each visitor has a context of their own."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=ARGUMENTS
        )
        yield started
        await started.close()


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
        await edge.block(block)
        context = await chromium.new_context(ignore_https_errors=True, **options)
        made = Visit(await context.new_page(), lab)
        made.page.on("console", lambda message: made.heard(message.type, message.text))
        made.page.on("pageerror", lambda problem: made.complaints.append(str(problem)))
        made.page.on("requestfailed", lambda request: made.complaints.append(request.url))
        await made.go(secure)
        assert made.status == (451 if authority else 403)
        await made.page.screenshot(path=directory / "page.png", full_page=True)
        yield made
        assert made.complaints == []
        assert (directory / "page.png").stat().st_size > 5_000


async def fits(page: Page) -> bool:
    """Nothing has to be scrolled sideways, and nothing sticks out."""
    return bool(
        await page.evaluate(
            """() => {
                const root = document.documentElement;
                const outside = [...document.querySelectorAll("body *")].filter(each => {
                    const box = each.getBoundingClientRect();
                    return box.width && (box.left < -1 || box.right > root.clientWidth + 1);
                });
                return root.scrollWidth <= root.clientWidth && outside.length === 0;
            }"""
        )
    )


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
            style = await page.evaluate(
                "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
                "(getComputedStyle(document.activeElement))"
            )
            assert style == ["solid", "3px"]
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
        here.complaints.clear()  # the journey that the test has cut off


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
        colours = await here.page.evaluate(
            """() => {
                const numbers = text => text.match(/[\\d.]+/g).map(Number);
                const behind = each => {
                    const colour = numbers(getComputedStyle(each).backgroundColor);
                    return colour[3] === 0 ? behind(each.parentElement) : colour;
                };
                return [...document.querySelectorAll("h1, p, dt, dd, a, a b, a span, footer")]
                    .map(each => [numbers(getComputedStyle(each).color), behind(each)]);
            }"""
        )
        assert len(colours) > 15
        for ink, paper in colours:
            assert contrast(ink, paper) >= 4.5, (ink, paper)
            assert (luminance(paper) < luminance(ink)) == (scheme == "dark")


def luminance(colour: list[float]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [part / 255 for part in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
