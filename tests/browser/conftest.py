"""Fixtures of the browser tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.chromium import SCREENSHOTS, started
from tests.browser.shop import Shop, Visitor, shop, visiting

Picture = Callable[[Page, str], Awaitable[None]]
Visits = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all; each visitor has a context of their own."""
    async with started() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def visit(chromium: Browser, one_shop: Shop) -> Visits:
    """``visit(...)`` as in ``visiting``, at a shop that challenges everybody."""
    await one_shop.challenge()
    one_shop.asked.clear()
    return partial(visiting, chromium, one_shop)


@pytest.fixture
def picture() -> Picture:
    """``await picture(page, name)`` leaves a screenshot in ``var/screenshots``."""

    async def take(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        await page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 5_000

    return take
