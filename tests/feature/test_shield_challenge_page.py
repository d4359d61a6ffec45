"""The page that asks to wait a moment: safe in itself, in five languages, plain words for programs, for
whatever was asked for."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.challenge import LONGEST_TARGET
from tests.feature.clearances import CONTINUE, link_of, target_of
from tests.feature.clients import ask
from tests.feature.shielding import SHOP, Ground, mitigation, sightless
from tests.feature.wire import Answer, connect

HTML, TEXT = "text/html; charset=utf-8", "text/plain"


async def page(ground: Ground, path: str = "/", *lines: str, method: str = "GET") -> Answer:
    return await ask(ground.lab, "127.0.0.1", SHOP, path, *lines, method=method)


async def test_the_page_allows_nothing_but_its_style(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await page(ground)
        text = answer.body.decode()
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        policy = dict(
            each.partition(" ")[::2] for each in answer.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert policy["style-src"] == f"'sha256-{digest}'"
        assert {policy[each] for each in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
        for never in ("<script", "javascript:", " style=", " onload", "http://", "https://", "{{", "%["):
            assert never not in text, never
        assert (
            answer.headers
            | {
                "x-robots-tag": "noindex",
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                "x-holdfast-challenge": "link",
                "vary": "Accept, Cookie",
                "content-type": HTML,
            }
            == answer.headers
        )


async def test_the_page_speaks_five_languages(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        text = (await page(ground)).body.decode()
        sections = re.findall(r'<section lang="(..)" dir="(...)"><h1>(.+?)</h1><p>(.+?)</p><p><a href=', text)
        assert [each[:2] for each in sections] == [
            ("en", "ltr"),
            ("de", "ltr"),
            ("fr", "ltr"),
            ("es", "ltr"),
            ("ar", "rtl"),
        ]
        assert len({heading for _, _, heading, _ in sections}) == 5
        assert re.findall(r'http-equiv="refresh" content="(\d+);', text) == ["3"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, HTML),
        ("*/*", HTML),
        ("text/html", HTML),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", HTML),
        ("application/json", TEXT),
        ("application/json, text/plain;q=0.5", TEXT),
        ("image/avif,image/webp", TEXT),
        ("application/rss+xml", TEXT),
    ],
)
async def test_programs_get_plain_words(tmp_path: Path, accept: str | None, kind: str) -> None:
    """None of them follows a link in a page. Whatever was answered, it was a challenge."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation(name="m-77"))
        answer = await page(ground, "/", *([f"Accept: {accept}"] if accept else []))
        assert (answer.status, answer.headers["content-type"]) == (403, kind)
        assert (answer.headers["x-holdfast-challenge"], answer.headers["x-robots-tag"]) == ("link", "noindex")
        if kind == TEXT:
            assert b"(m-77)" in answer.body
            assert b"<" not in answer.body
            assert answer.headers["retry-after"] == "60"
        assert (await ground.totals())[f"gpc{int(Verdict.CHALLENGED)}"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_what_was_sent_is_not_sent_again(tmp_path: Path, method: str) -> None:
    """Whoever did more than look comes back to the front page, by GET."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await page(ground, "/order?x=1", "Content-Length: 0", method=method)
        assert (answer.status, target_of(link_of(answer))) == (403, "/")
        assert ground.origin.requests == []


async def test_a_head_request_gets_the_headers(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        async with connect(ground.lab.http) as wire:
            answer = await wire.get(b"/", SHOP, method="HEAD")
            assert (answer.status, answer.headers["content-type"], answer.body) == (403, HTML, b"")
            again = await wire.get(b"/?", SHOP)
            assert (again.status, target_of(link_of(again))) == (403, "/?"), "the connection goes on"


@pytest.mark.parametrize("length", [1, 600, LONGEST_TARGET, LONGEST_TARGET + 1, 8_000])
async def test_a_long_target(tmp_path: Path, length: int) -> None:
    """Is kept up to a length; a longer one leads to the front page. The page is whole in any case, although
    it has the target six times and HAProxy's buffer holds 16 KB."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        target = ("/a?" + "b" * length)[:length]
        answer = await page(ground, target)
        assert answer.status == 403
        assert answer.body.endswith(b"</main></html>\n")
        assert target_of(link_of(answer)) == (target if length <= LONGEST_TARGET else "/")


@pytest.mark.parametrize(
    "target",
    ['/"><script>alert(1)</script>', "/'%22%3E%3Cscript%3E", "/?a=&amp;&lt;", "/%[var(txn.lkey)]", "/%%/%ci"],
)
async def test_nothing_of_the_request_is_in_the_page(tmp_path: Path, target: str) -> None:
    """But coded, so that it can neither end an attribute nor ask HAProxy for anything."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await page(ground, target)
        if answer.status == 400:
            return
        text = answer.body.decode()
        assert target not in text
        assert "<script" not in text
        assert target_of(link_of(answer)) == target
        assert re.fullmatch(
            re.escape(CONTINUE) + r"\?t=\d+&n=[0-9a-f-]{36}&w=[A-Za-z0-9_-]+&s=[0-9a-f]{64}", link_of(answer)
        )
