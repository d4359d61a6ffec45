"""The page that asks to wait a moment: safe in itself, in five languages, plain words for programs, for
whatever was asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.timed_link import LONGEST_TARGET
from holdfast.model.enforcement import Provider
from tests.feature.clearances import BROWSER, CONTINUE, WAIT, comes_from, link_of, target_of
from tests.feature.clients import ask
from tests.feature.shielding import SHOP, Ground, mitigation, sightless
from tests.feature.wire import Answer, connect

HTML, PROBLEM = "text/html; charset=utf-8", "application/problem+json"


async def page(ground: Ground, path: str = "/", *lines: str, method: str = "GET") -> Answer:
    """As a browser asks for it, if nothing else is said."""
    return await ask(ground.lab, "127.0.0.1", SHOP, path, *(lines or (BROWSER,)), method=method)


async def test_the_page_allows_nothing_but_its_own(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await page(ground)
        text = answer.body.decode()
        policy = dict(
            each.partition(" ")[::2] for each in answer.headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert {policy[each] for each in ("base-uri", "frame-ancestors")} == {"'none'"}
        for each in ("style-src", "script-src", "worker-src", "connect-src"):
            assert policy[each] == "'self'"
        for never in ("javascript:", " style=", " onload", "http://", "https://", "{{", "%["):
            assert never not in text, never
        assert (
            answer.headers
            | {
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                "x-holdfast-challenge": "proof",
                "content-type": HTML,
            }
            == answer.headers
        )
        for name, content in (("robots", "noindex"), ("referrer", "same-origin")):
            assert f'<meta name="{name}" content="{content}">' in text
        assert re.fullmatch(r"m-1\.\d{10}", answer.headers["x-holdfast-id"])


async def test_its_style_and_script_come_from_the_edge(tmp_path: Path) -> None:
    """Also to a page from before an upgrade, whose own are there no more; and are nothing without a
    challenge."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        text = (await page(ground)).body.decode()
        (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', text)
        (script,) = re.findall(r'<script src="([^"]+)"></script>', text)
        for path, kind, words in (
            (style, "text/css", b"section"),
            (script, "text/javascript; charset=utf-8", b"postMessage"),
        ):
            for asked in (path, path.replace("challenge-", "challenge-0")):
                answer = await page(ground, asked, "Accept: */*")
                assert (answer.status, answer.headers["content-type"]) == (200, kind)
                assert answer.headers["cache-control"] == "public, max-age=604800"
                assert words in answer.body
        assert ground.origin.requests == []
        await ground.put(lingers=False)
        assert (await page(ground, script)).status == 200
        assert len(ground.origin.requests) == 1


async def test_the_page_is_short(tmp_path: Path) -> None:
    """It is what a flood asks for: each byte goes out as often."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        assert len((await page(ground)).body) < 3_500


async def test_the_page_speaks_five_languages(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        text = (await page(ground)).body.decode()
        sections = re.findall(r'<section lang="(..)" dir="(...)"><h1>(.+?)</h1><p>(.+?)</p>', text)
        assert [each[:2] for each in sections] == [
            ("en", "ltr"),
            ("de", "ltr"),
            ("fr", "ltr"),
            ("es", "ltr"),
            ("ar", "rtl"),
        ]
        assert len({heading for _, _, heading, _ in sections}) == 5
        assert re.findall(r'http-equiv="refresh" content="(\d+);', text) == ["0"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, PROBLEM),
        ("*/*", PROBLEM),
        ("text/html", HTML),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", HTML),
        ("application/json", PROBLEM),
        ("application/json, text/plain;q=0.5", PROBLEM),
        ("image/avif,image/webp", PROBLEM),
        ("application/rss+xml", PROBLEM),
    ],
)
async def test_programs_get_a_problem_document(tmp_path: Path, accept: str | None, kind: str) -> None:
    """None of them solves anything. It says what to do and whom to ask. Whatever was answered, it was a
    challenge."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation(name="m-77"))
        answer = await page(ground, "/", f"Accept: {accept}" if accept else "X-None: 1")
        assert (answer.status, answer.headers["content-type"]) == (403, kind)
        assert answer.headers["x-holdfast-challenge"] == "proof"
        if kind == PROBLEM:
            told = json.loads(answer.body)
            assert told["type"] == "urn:holdfast:problem:challenge"
            assert (told["status"], told["contact"]) == (
                403,
                "The Test Co-operative, https://provider.example/",
            )
            assert "allow list" in told["detail"]
            assert re.fullmatch(r"m-77\.\d{10}", told["id"])
            assert told["id"] == answer.headers["x-holdfast-id"]
            assert answer.headers["retry-after"] == "60"
        assert (await ground.totals())[f"gpc{int(Verdict.CHALLENGED)}"] == 1


async def test_whom_programs_may_ask_is_the_provider_of_now(tmp_path: Path) -> None:
    """A change of the provider's name reaches the next refusal; quotes and letters of all alphabets do not
    break it."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        units = ground.edge.desired.put_provider(
            Provider('Büro "Süd" \\ %[src] <b>', "https://p.example/%41")
        )
        await ground.edge.reconciler.settle(units)
        told = json.loads((await page(ground, "/", "Accept: */*")).body)
        assert told["contact"] == 'Büro "Süd" \\ %[src] <b>, https://p.example/%41'


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_what_was_sent_is_told_apart(tmp_path: Path, method: str) -> None:
    """The page knows that a form was sent, and says so to those who cannot send it again."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        asked = await page(ground, "/order?x=1")
        answer = await page(ground, "/order?x=1", BROWSER, "Content-Length: 0", method=method)
        assert [re.findall(r'<main class="(\w+)"', each.body.decode()) for each in (asked, answer)] == [
            ["GET"],
            ["POST"],
        ]
        assert ground.origin.requests == []


async def test_the_page_is_the_same_for_everybody(tmp_path: Path) -> None:
    """Nothing of the request is in it, and nothing is signed for it: a flood of it is a flood of refusals."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        pages = {
            (await page(ground, path, BROWSER, *more)).body
            for path in ("/", "/a?b=<script>", "/" + "c" * 8000)
            for more in ((), ("Referer: http://shop.test/x",), ("Accept-Language: ar",))
        }
        assert len(pages) == 1


async def test_a_head_request_gets_the_headers(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        async with connect(ground.lab.http) as wire:
            answer = await wire.get(b"/", SHOP, BROWSER, method="HEAD")
            assert (answer.status, answer.headers["content-type"], answer.body) == (403, HTML, b"")
            again = await wire.get(b"/?", SHOP, BROWSER)
            assert (again.status, again.headers["content-type"]) == (403, HTML), "the connection goes on"


@pytest.mark.parametrize("length", [1, 600, LONGEST_TARGET, LONGEST_TARGET + 1, 8_000])
async def test_a_long_target(tmp_path: Path, length: int) -> None:
    """Is kept up to a length; a longer one leads to the front page. The page is whole in any case, although
    it has the target twice and HAProxy's buffer holds 16 KB."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        target = ("/a?" + "b" * length)[:length]
        answer = await page(ground, WAIT, BROWSER, comes_from(target))
        assert answer.status == 403
        assert answer.body.endswith(b"</body></html>\n")
        assert target_of(link_of(answer)) == (target if length <= LONGEST_TARGET else "/")


@pytest.mark.parametrize(
    "target",
    ['/"><script>alert(1)</script>', "/'%22%3E%3Cscript%3E", "/?a=&amp;&lt;", "/%[var(txn.lkey)]", "/%%/%ci"],
)
async def test_nothing_of_the_request_is_in_the_page_that_waits(tmp_path: Path, target: str) -> None:
    """But coded, so that it can neither end an attribute nor ask HAProxy for anything."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await page(ground, f"{WAIT}?x={target}", BROWSER, comes_from(target))
        if answer.status == 400:
            return
        text = answer.body.decode()
        assert target not in text
        assert "<script>" not in text
        assert target_of(link_of(answer)) == target
        assert re.fullmatch(
            re.escape(CONTINUE) + r"\?k=\d+&t=\d+&n=[0-9a-f-]{36}&w=[A-Za-z0-9_-]+&s=[0-9a-f]{32}",
            link_of(answer),
        )
        assert re.fullmatch(r"m-1\.\d{10}", answer.headers["x-holdfast-id"])
        assert answer.headers["x-holdfast-id"] in text
