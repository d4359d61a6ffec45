"""The statement on a block as people meet it, in Debian's Chromium at a real edge: from the block page, in
their language, on a telephone, by day and by night, by keyboard, without JavaScript, with hostile words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, Response

import holdfast.demo
from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.own_path import PUBLIC_PATH
from holdfast.edge.dataplane.page_words import WORDS
from holdfast.edge.public_words import PUBLIC_WORDS
from holdfast.ledger.entry import parse_entry
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.model.enforcement import Enforcement, PathScope, SiteScope
from holdfast.model.record import content_hash, parse_block
from tests.browser.chromium import MARKS, Heard, colours, contrast, fits, focus, listening, luminance
from tests.browser.conftest import Picture
from tests.feature.lab import echo_origin, enforcement, released, site
from tests.feature.public_lab import PROVIDER, PublicLab, public_lab
from tests.feature.recorded import LOG

pytestmark = MARKS
REGIONS = {"en": "en-GB", "de": "de-AT", "fr": "fr-CA", "es": "es-MX", "ar": "ar-EG"}
STATEMENT = (Path(holdfast.demo.__file__).parent / "statement.md").read_text()
HOSTILE = """\
# <script>document.title="owned"</script>

<img src=x onerror="document.title='owned'"> ![a picture](https://tracker.example/pixel.png)
[a link](javascript:document.title='owned') [another](https://elsewhere.example/?q="><script>)

| a | very | wide | table |
|---|:----:|-----:|-------|
| xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | x | x | x |

```
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
```

###### deep

1. لماذا حُجب هذا الموقع
   - > quoted </article></main><h1>owned</h1>
"""
ARABIC = "# لماذا حُجب هذا الموقع\n\nنُشرت **عناوين منازل** ثلاثة أشخاص. `D-1` رقم القرار.\n\n- أولًا\n- ثانيًا\n"


@dataclass
class Blocked:
    """An edge with three blocks: of a site, hostile words and Arabic ones for parts of another."""

    here: PublicLab
    edge: Edge
    gazette: Enforcement
    hostile: Enforcement
    arabic: Enforcement


@dataclass
class Visit:
    page: Page
    heard: Heard
    blocked: Blocked

    def url(self, path: str, host: str = "gazette.test") -> str:
        return f"http://{host}:{self.blocked.here.lab.http}{path}"

    async def go(self, block: Enforcement, host: str = "gazette.test") -> None:
        answer = await self.page.goto(self.url(f"{PUBLIC_PATH}statements/{block.id}", host))
        assert answer is not None
        assert answer.status == 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def blocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Blocked]:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    ground = "Clause 4.2, threat to life: It calls for violence against people who can be recognised."
    times = {"since": now, "until": now + timedelta(days=7), "ground": ground}
    gazette = enforcement(SiteScope("gazette"), id="20261127-7c1e04d2", **times)
    hostile = enforcement(PathScope("shop", "/hostile/"), id="H-1", authority="A Court <b>X</b>", **times)
    arabic = enforcement(PathScope("shop", "/arabic/"), id="A-1", **times)
    with echo_origin() as port:
        sites = [
            site("gazette", ["gazette.test", "www.gazette.test"], port),
            site("shop", ["shop.test"], port),
        ]
        provider = replace(PROVIDER, name="Harbour Collective")
        directory = tmp_path_factory.mktemp("statement")
        async with public_lab(directory, sites, provider) as here, here.edge() as edge:
            for block, statement in ((gazette, STATEMENT), (hostile, HOSTILE), (arabic, ARABIC)):
                await edge.block(released(block, statement=statement))
            await here.served()
            yield Blocked(here, edge, gazette, hostile, arabic)


Visits = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def visit(chromium: Browser, blocked: Blocked) -> Visits:
    """``visit(...)`` as in ``visiting``."""
    return partial(visiting, chromium, blocked)


@asynccontextmanager
async def visiting(chromium: Browser, blocked: Blocked, **options: Any) -> AsyncIterator[Visit]:
    """Someone with ``options`` (of a browser's context), who must hear of nobody but the edge."""
    context = await chromium.new_context(**options)
    page = await context.new_page()
    with listening(page) as heard:
        yield Visit(page, heard, blocked)
    assert heard.hosts <= {"gazette.test", "shop.test"}
    await context.close()


async def follow(page: Page, link: str) -> Response:
    """Click, and be there."""
    async with page.expect_navigation() as led:
        await page.click(link)
    response = await led.value
    assert response is not None
    return response


async def test_from_the_block_page_to_a_proof_that_holds(visit: Visits, picture: Picture) -> None:
    """A visitor reads why, keeps proof, entry and statement, and needs nothing but the log's key to check."""
    async with visit(locale="en-GB", viewport={"width": 1280, "height": 800}) as here:
        page = here.page
        answer = await page.goto(here.url("/news/today"))
        assert answer is not None
        assert answer.status == 403
        await follow(page, f"text={WORDS['en'].statement[0]}")
        assert page.url == here.url(f"{PUBLIC_PATH}statements/{here.blocked.gazette.id}")
        assert await page.inner_text("h1") == "Block of the site gazette"
        assert "the home addresses of three court clerks" in await page.inner_text("article")
        await picture(page, "statement-en-1280")
        kept: dict[str, bytes] = {}
        for label in ("proof", "entry_file", "raw"):
            response = await follow(page, f"nav a:has-text('{getattr(PUBLIC_WORDS['en'], label)[1]}')")
            kept[label] = await response.body()
            await page.go_back()
        proof = parse_proof(kept["proof"])
        verify_proof(kept["entry_file"], proof, LOG.key)
        record = parse_block(parse_entry(kept["entry_file"]).public)
        assert record.statement_hash == content_hash(kept["raw"])
        assert f"entry {proof.index} of a public log" in await page.inner_text("main")
        assert str(LOG.key) in await page.inner_text("pre")
        await follow(page, f"text={PUBLIC_WORDS['en'].blocks[0]}")
        assert await page.inner_text("h1") == PUBLIC_WORDS["en"].index
        assert await page.locator("li a").count() == 3
        await follow(page, f"text={PUBLIC_WORDS['en'].grounds[0]}")
        assert "threat to life" in await page.inner_text("main")


async def test_the_record_of_a_block_page_leads_to_the_proof(visit: Visits) -> None:
    async with visit(locale="en-GB", viewport={"width": 375, "height": 700}) as here:
        await here.page.goto(here.url("/"))
        await follow(here.page, f"nav a:has-text('{WORDS['en'].record[0]}')")
        heading = here.page.locator("#record")
        await heading.wait_for()
        box = await heading.bounding_box()
        assert box is not None
        assert -1 <= box["y"] < 700


@pytest.mark.parametrize("language", REGIONS)
async def test_it_is_read_in_the_visitors_language(visit: Visits, picture: Picture, language: str) -> None:
    """And any other can be chosen; on any screen nothing sticks out."""
    async with visit(locale=REGIONS[language]) as here:
        await here.go(here.blocked.gazette)
        page, words = here.page, PUBLIC_WORDS[language]
        root = page.locator("html")
        assert await root.get_attribute("lang") == language
        assert await root.evaluate("each => getComputedStyle(each).direction") == WORDS[language].direction
        # The statement's own words stay as they are, and read from left to right.
        assert await page.evaluate("getComputedStyle(document.querySelector('article')).direction") == "ltr"
        assert words.check in await page.inner_text("main")
        for width in (1280, 375):
            await page.set_viewport_size({"width": width, "height": 700})
            assert await fits(page)
            await picture(page, f"statement-{language}-{width}")
        other = "en" if language != "en" else "ar"
        await follow(page, f".tongues a[lang={other}]")
        for link in (PUBLIC_WORDS[other].blocks, PUBLIC_WORDS[other].grounds):  # and it stays chosen
            await follow(page, f"nav a:has-text('{link[1]}')")
            assert await page.locator("html").get_attribute("lang") == other


@pytest.mark.parametrize("which", ["gazette", "hostile", "arabic"])
async def test_axe_finds_nothing(visit: Visits, picture: Picture, which: str) -> None:
    """On each page, by day and by night; every text has a contrast of 4.5 : 1 at least (WCAG 2.2, 1.4.3)."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    async with visit(locale="en-GB", viewport={"width": 375, "height": 700}) as here:
        page, host = here.page, "gazette.test" if which == "gazette" else "shop.test"
        await here.go(getattr(here.blocked, which), host)
        base = here.url(PUBLIC_PATH, host)
        for url in (page.url, f"{base}index", f"{base}grounds"):
            await page.goto(url)
            name = url.rpartition("/")[2] if url.startswith(base) and "statements" not in url else which
            for scheme in schemes:
                await page.emulate_media(color_scheme=scheme)
                found = await Axe().run(page)
                assert found.violations_count == 0, (url, scheme, found.generate_report())
                shown = await colours(page, "h1, h2, p, dt, dd, a, nav span, .status, article *, footer")
                assert len(shown) > 8
                for ink, paper in shown:
                    assert contrast(ink, paper) >= 4.5, (url, scheme, ink, paper)
                assert (luminance(shown[0][1]) < luminance(shown[0][0])) == (scheme == "dark")
                await picture(page, f"statement-{name}-375-{scheme}")
            assert await fits(page), url


async def test_hostile_words_are_only_words(visit: Visits) -> None:
    async with visit(locale="en-GB") as here:
        await here.go(here.blocked.hostile, "shop.test")
        page = here.page
        assert await page.title() == "Block of a part of the site shop (H-1)"
        assert await page.locator("h1").count() == 1
        assert await page.locator("img, script, iframe, object, form").count() == 0
        text = await page.inner_text("article")
        assert "<script>document.title=" in text
        hrefs = await page.locator("article a").evaluate_all("all => all.map(each => [each.href, each.rel])")
        assert [href.partition("?")[0] for href, _ in hrefs] == [
            "https://tracker.example/pixel.png",
            "https://elsewhere.example/",
        ]
        assert all("nofollow" in rel and "noopener" in rel for _, rel in hrefs)
        assert "A Court <b>X</b>" in await page.inner_text("dl >> nth=0")


async def test_a_statement_from_right_to_left_on_a_page_from_left_to_right(
    visit: Visits, picture: Picture
) -> None:
    async with visit(locale="en-GB", viewport={"width": 900, "height": 700}) as here:
        await here.go(here.blocked.arabic, "shop.test")
        for selector, direction in (("html", "ltr"), ("article", "rtl"), ("article li >> nth=0", "rtl")):
            shown = await here.page.locator(selector).evaluate("each => getComputedStyle(each).direction")
            assert shown == direction, selector
        await picture(here.page, "statement-arabic-in-english")


async def test_its_links_are_reached_by_keyboard_without_javascript(visit: Visits) -> None:
    async with visit(locale="en-GB", java_script_enabled=False) as here:
        await here.go(here.blocked.gazette)
        links = here.page.locator("a")
        count = await links.count()
        assert count > 10
        for index in range(count):
            await here.page.keyboard.press("Tab")
            at = await here.page.evaluate("[...document.links].indexOf(document.activeElement)")
            assert at == index
            assert await focus(here.page) == ["solid", "3px"]


async def test_it_can_be_printed(visit: Visits) -> None:
    """With where the links lead to, and without what is of no use on paper."""
    async with visit(locale="en-GB") as here:
        await here.go(here.blocked.gazette)
        await here.page.emulate_media(media="print")
        assert not await here.page.locator(".tongues").is_visible()
        after = "getComputedStyle(document.querySelector('nav a'), '::after').content"
        assert ".tlog-proof" in await here.page.evaluate(after)
