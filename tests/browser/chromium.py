"""Debian's Chromium for the tests here: how it is started, what it may not complain about, and questions
about what it shows. Not here: what is on a certain page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that a test has changed is not taken for a stranger's, who may not ask this machine.
    "--disable-features=LocalNetworkAccessChecks",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)
MARKS = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Debian's chromium"),
]
SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=list(ARGUMENTS)
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def without_cookies(profile: Path, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser that is set to take no cookies at all."""
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(
        '{"profile": {"default_content_setting_values": {"cookies": 2}}}'
    )
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=list(ARGUMENTS), **options
        )
        yield context
        await context.close()


@dataclass
class Heard:
    """What a page said and asked for while somebody looked at it."""

    complaints: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    """The status of each page that it came to."""

    @property
    def hosts(self) -> set[str]:
        return {urlsplit(url).hostname or "" for url in self.urls}


@contextmanager
def listening(page: Page) -> Iterator[Heard]:
    """Nothing may be complained of when the block ends, but what the test has taken out of the list."""
    heard = Heard()
    # Chromium reports the status of the page itself as an error.
    expected = re.compile(r"the server responded with a status of 4\d\d")
    page.on(
        "console",
        lambda message: (
            heard.complaints.append(message.text)
            if message.type in ("error", "warning") and not expected.search(message.text)
            else None
        ),
    )
    page.on("pageerror", lambda problem: heard.complaints.append(str(problem)))
    # Leaving a page aborts what is on its way: a second worker's script, where the first was quick to solve.
    page.on(
        "requestfailed",
        lambda request: (
            heard.complaints.append(request.url) if request.failure != "net::ERR_ABORTED" else None
        ),
    )
    page.on("request", lambda request: heard.urls.append(request.url))
    page.on(
        "response",
        lambda answer: (
            heard.documents.append(answer.status) if answer.request.is_navigation_request() else None
        ),
    )
    yield heard
    assert not heard.complaints, heard.complaints


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


async def focus(page: Page) -> list[str]:
    """How what has the focus shows it."""
    style: list[str] = await page.evaluate(
        "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
        "(getComputedStyle(document.activeElement))"
    )
    return style


async def colours(page: Page, of: str) -> list[tuple[list[float], list[float]]]:
    """Ink and paper of everything visible that the selector names."""
    found: list[tuple[list[float], list[float]]] = await page.evaluate(
        """of => {
            const numbers = text => text.match(/[\\d.]+/g).map(Number);
            const behind = each => {
                const colour = numbers(getComputedStyle(each).backgroundColor);
                return colour[3] === 0 ? behind(each.parentElement) : colour;
            };
            return [...document.querySelectorAll(of)].filter(each => each.checkVisibility())
                .map(each => [numbers(getComputedStyle(each).color), behind(each)]);
        }""",
        of,
    )
    return found


def luminance(colour: list[float]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [part / 255 for part in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
