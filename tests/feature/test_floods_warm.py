"""What the flood benchmark takes for a site's calm past is what HAProxy itself finds in the same requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.floods.agents import FAMILIES, Asked, family_of, headers
from bench.floods.http1 import open_http1
from bench.floods.log import Request, Visit
from bench.floods.warm import SPECIAL, values_of
from tests.feature.shielding import SHOP, sightless

AGENTS = {
    "chrome": "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/34.0 Safari/537.36",
    "firefox": "Mozilla/5.0 (X11; rv:29.0) Gecko/20100101 Firefox/29.0",
    "googlebot": "Mozilla/5.0 (compatible; Googlebot/2.1)",
    "curl": "curl/7.36",
    "feed": "Tiny Tiny RSS/1.11",
    "webhook": "forge-hooks/2.1",
    "unknown": "",
}


@pytest.mark.parametrize("family", AGENTS)
async def test_each_feature_is_as_haproxy_finds_it(family: str, tmp_path: Path) -> None:
    assert family in FAMILIES
    request = Request(0.0, "GET", "/blog/a.html?x=1&y", referer="/blog/")
    if family == "webhook":
        request = Request(0.0, "POST", "/hooks/deploy", body="{}")
    group = family if family in SPECIAL else "visitor"
    visit = Visit(0.0, "127.0.0.1", AGENTS[family], (request,), group)
    kind = family if family in SPECIAL else family_of(visit.agent)
    asked = Asked(SHOP, request.path, visit.agent, visit.address, request.referer)
    async with sightless(tmp_path) as ground:
        connection = await open_http1("127.0.0.1", "127.0.0.1", ground.lab.http, None, SHOP)
        await connection.ask(request.method, request.path, headers(kind, asked), request.body.encode(), "1.1")
        connection.close()
        assert (await ground.sample()).values == values_of(visit, request, SHOP)
