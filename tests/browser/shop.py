"""A site under challenge as its visitors meet it: pages and a form behind a real edge, and who opens them.

What a test wants to go wrong it has the browser do (``Visitor``, routes); the edge stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Route

from holdfast.edge.dataplane.challenge_page import ASK, CONTINUE, WAIT
from holdfast.edge.dataplane.reasons import Verdict
from tests.browser.chromium import Heard, listening
from tests.feature.clearances import BROWSER, Asked
from tests.feature.clients import ask
from tests.feature.lab import EchoHandler, echo_origin
from tests.feature.shielding import SHOP, Ground, mitigation, sightless

ASKED_FOR = "/some/page?x=1&y=%C3%A9"
AWAY = "/away"
"""Leads on to another host, as sites do to sign somebody in."""
_PAGES = (WAIT, CONTINUE, urlsplit(ASKED_FOR).path)
SOLVED = re.compile(r"/\.well-known/holdfast/solved\?")


class Pages(EchoHandler):
    """What the shop answers: a page that says what was asked, with a link and a form."""

    asked: ClassVar[list[tuple[str, str, str]]]
    """Method, path and body; not the icons that browsers look for."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path != "/favicon.ico":
            self.asked.append((self.command, self.path, body))
        text = (
            f'<!doctype html><title>Shop</title><p id="shop">{escape(self.path)}</p>'
            '<a href="/second">second</a>'
            '<form method="post" action="/order"><input name="what" value="tea"><button>Buy</button></form>'
        ).encode()
        self.send_response(302 if self.path == AWAY else 200)
        if self.path == AWAY:
            self.send_header("Location", f"http://away.test:{self.connection.getsockname()[1]}/there")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer


@dataclass
class Shop:
    """An edge at which everybody who comes to the shop is challenged."""

    ground: Ground
    asked: list[tuple[str, str, str]]

    def url(self, path: str = ASKED_FOR, *, secure: bool = False) -> str:
        lab = self.ground.lab
        return f"https://{SHOP}:{lab.https}{path}" if secure else f"http://{SHOP}:{lab.http}{path}"

    async def open(self) -> None:
        await self.ground.put()

    async def challenge(self) -> None:
        await self.ground.put(mitigation())

    async def earned(self) -> int:
        """Clearances, until now."""
        return (await self.ground.totals()).get(f"gpc{int(Verdict.EARNED)}", 0)


@asynccontextmanager
async def shop(directory: Path, limits: dict[str, Any] | None = None) -> AsyncIterator[Shop]:
    asked: list[tuple[str, str, str]] = []
    handler = type("Handler", (Pages,), {"asked": asked})
    with echo_origin(handler=handler) as port:
        origins = [{"address": "127.0.0.1", "port": port}]
        limits = limits or {"requests_per_second": 100}
        async with sightless(directory, limits, origins=origins) as ground:
            yield Shop(ground, asked)


@dataclass
class Visitor:
    """Somebody at the shop."""

    shop: Shop
    page: Page
    heard: Heard

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    async def go(self, path: str = ASKED_FOR, *, secure: bool = False) -> None:
        await self.page.goto(self.shop.url(path, secure=secure))

    async def passes(self, path: str = ASKED_FOR, seconds: float = 15) -> None:
        """The page that was asked for comes."""
        text = self.page.locator("#shop")
        await text.wait_for(timeout=1000 * seconds)
        assert await text.inner_text() == path

    async def meets(self, state: str, seconds: float = 15) -> None:
        """The challenge's page is in this state."""
        await self.page.wait_for_selector(f"main[data-state={state}]", timeout=1000 * seconds)

    async def said(self) -> str:
        """The status that is to be seen."""
        return await self.page.locator("[role=status]:visible").inner_text()

    async def nothing_is_solved(self) -> None:
        """What the script has found does not arrive: the page stays as it is while it works."""
        await self.page.route(SOLVED, _never)

    async def patient(self) -> None:
        """A browser that lets no page go on by itself."""
        here = self.shop.url("")

        async def answer(route: Route) -> None:
            lines = (BROWSER, f"Referer: {await route.request.header_value('referer') or ''}")
            authority, path = urlsplit(route.request.url).netloc, route.request.url.removeprefix(here)
            found = await ask(self.shop.ground.lab, "127.0.0.1", authority, path, *lines)
            if found.status != 403:
                await route.continue_()
                return
            page = re.sub(r"<noscript>.*?</noscript>", "", found.body.decode())
            headers = {name: value for name, value in found.headers.items() if name != "content-length"}
            await route.fulfill(status=found.status, headers=headers, body=page)

        await self.page.route(lambda url: urlsplit(url).path in _PAGES, answer)

    async def is_asked(self, instead: Asked, times: int = 1) -> None:
        """Its script is asked to solve this, so often."""

        async def answer(route: Route) -> None:
            told = {
                "challenge": instead.goal,
                "maxnumber": instead.most,
                "salt": instead.salt,
                "signature": instead.signature,
                "id": "m-1.1",
            }
            await route.fulfill(json=told)

        await self.page.route(f"**{ASK}", answer, times=times)

    async def clearances(self) -> list[Any]:
        """The cookies."""
        names = ("__holdfast", "__Host-holdfast")
        return [each for each in await self.context.cookies() if each["name"] in names]


async def _never(_: Route) -> None:
    pass


@asynccontextmanager
async def visiting(chromium: Browser, at: Shop, **options: Any) -> AsyncIterator[Visitor]:
    """Someone with ``options`` (of a browser's context), who may complain of nothing."""
    settings: dict[str, Any] = {"ignore_https_errors": True, "locale": "en-GB"} | options
    context = await chromium.new_context(**settings)
    page = await context.new_page()
    with listening(page) as heard:
        yield Visitor(at, page, heard)
    await context.close()
