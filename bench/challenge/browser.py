"""How long a visitor waits: Debian's Chromium, from the beginning of the navigation to the site's own page,
each time without a cookie."""

from __future__ import annotations

import os
import time
from typing import Final

from playwright.async_api import Browser, Response

from bench.challenge.ground import Ground
from tests.browser.chromium import started

PATIENCE: Final = 60_000
"""Milliseconds for one."""


async def solves(ground: Ground, plan: dict[str, int]) -> dict[str, list[float]]:
    """So many times each host; the first one of all is not counted, as it starts the browser's processes."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {ground.ours, ground.theirs})  # the browser has the whole machine
    try:
        async with started() as browser:
            await solve(browser, ground.edge.http, next(iter(plan)))
            return {
                host: [await solve(browser, ground.edge.http, host) for _ in range(count)]
                for host, count in plan.items()
            }
    finally:
        os.sched_setaffinity(0, before)


async def solve(browser: Browser, port: int, host: str) -> float:
    """Seconds until the origin's page is there."""
    context = await browser.new_context()
    try:
        page = await context.new_page()

        def is_page(answer: Response) -> bool:
            return answer.request.is_navigation_request() and answer.status == 200

        began = time.monotonic()
        async with page.expect_response(is_page, timeout=PATIENCE) as origin:
            await page.goto(f"http://{host}:{port}/", wait_until="commit")
        await (await origin.value).finished()
        await page.wait_for_load_state("domcontentloaded")
        return time.monotonic() - began
    finally:
        await context.close()
