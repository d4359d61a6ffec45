"""The block page: what a visitor or a program is told, in which form and language, whatever the words."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.model.enforcement import PathScope, SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.lab import Lab, echo_origin, enforcement, lab, released, running, site
from tests.feature.wire import connect


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[Lab, Edge]]:
    with echo_origin() as port:
        sites = [site("one", ["a.test"], port), site("two", ["c.test"], port)]
        async with running(directory, sites) as (made, edge):
            yield made, edge


@pytest.mark.parametrize("authority", ["", "The Court of Test"], ids=["403", "451"])
async def test_what_a_visitor_is_told(tmp_path: Path, authority: str) -> None:
    async with house(tmp_path) as (lab, edge):
        block = enforcement(SiteScope("one"), authority=authority)
        await edge.block(released(block))
        page = await lab.get("a.test", accept="text/html")
        document = await lab.get("a.test", accept="application/json")
        for answer in (page, document):
            assert answer.status_code == (451 if authority else 403)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["vary"] == "Accept, Accept-Language"
            # RFC 7725, section 4: it names the entity that implements the block.
            expected = '<https://provider.example/>; rel="blocked-by"' if authority else None
            assert answer.headers.get("link") == expected
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        told = [block.id, block.ground, "The Test Co-operative", *([authority] if authority else [])]
        told += [f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (block.since, block.until)]
        told += [
            f'href="https://provider.example/{kind}/{block.id}"'
            for kind in ("statements", "ledger", "appeal")
        ]
        assert [each for each in told if each not in page.text] == []
        assert document.headers["content-type"] == "application/problem+json"
        fields = json.loads(document.text)
        assert (fields["decision"], fields["ground"], fields["status"]) == (
            block.id,
            block.ground,
            block.status,
        )
        assert fields["authority"] == (authority or None)


HTML, JSON = "text/html; charset=utf-8", "application/problem+json"
ACCEPTS = [
    (None, HTML),
    ("*/*", HTML),
    ("text/plain", HTML),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
    ("text/html, application/json", HTML),
    ("application/json, text/html;q=0.1", HTML),
    ("application/json, TEXT/HTML;q=0.1", HTML),
    ("application/json", JSON),
    ("Application/JSON", JSON),
    ("application/problem+json", JSON),
    ("application/ld+json;q=0.5, text/plain", JSON),
]


async def test_programs_get_a_problem_document(tmp_path: Path) -> None:
    """Where they ask for JSON and not for HTML too."""
    async with house(tmp_path) as (lab, edge), connect(lab.http) as wire:
        await edge.block(released(enforcement(SiteScope("one"))))
        for accept, kind in ACCEPTS:
            answer = await wire.get(b"/", "a.test", *([f"Accept: {accept}"] if accept else []))
            assert answer.headers["content-type"] == kind, accept


LANGUAGES = {
    "en": [
        "",
        "en",
        "en-US,en;q=0.9,de;q=0.8",
        "ja",
        "*",
        "de;q=0",
        ";;;q=,,,",
        "deutsch",
        "xx;q=0.9,*;q=0.5",
    ],
    "de": ["de", "de-AT", "DE-at", "de-CH-1996;q=0.9", "ja, de;q=0.1", "gsw, de-CH;q=0.8", "de;q=1.000"],
    "fr": ["fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "de;q=0, fr", "fr-CA"],
    "es": ["en;q=0.5, es;q=0.9", "es-419,es;q=0.9", "es-MX;q=0.8,en-US;q=0.5,en;q=0.3"],
    "ar": ["ar", "ar-EG", "fr ; q=0.2 , ar ; q=0.3"],
}


async def test_the_page_speaks_the_visitors_language(tmp_path: Path) -> None:
    async with house(tmp_path) as (lab, edge):
        await edge.block(released(enforcement(SiteScope("one"), authority="A Court")))
        async with connect(lab.http) as wire:
            for language, wishes in LANGUAGES.items():
                direction = "rtl" if language == "ar" else "ltr"
                for wish in wishes:
                    answer = await wire.get(b"/", "a.test", f"Accept-Language: {wish}")
                    assert answer.headers["content-language"] == language, wish
                    assert f'<html lang="{language}" dir="{direction}">' in answer.body.decode()
            assert b'lang="en"' in (await wire.get(b"/", "a.test")).body


async def test_a_hostile_ground_stays_text(tmp_path: Path) -> None:
    """In HTML, in JSON and in HAProxy's own formats, and as a command of the Runtime API."""
    ground = "\"><script>alert(1)</script> '&amp;|%[var(txn.sid)]%T \\n;x y\ndel map x\n\n<<é\u202e %% -->"
    async with house(tmp_path) as (lab, edge):
        for scope in (SiteScope("one"), PathScope("two", "/evil/")):
            await edge.block(released(enforcement(scope, ground=ground)))
        for host, path in (("a.test", "/"), ("c.test", "/evil/")):
            page = (await lab.get(host, path, accept="text/html")).text
            assert "<script" not in page
            shown = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; &#x27;&amp;amp;&#124;%[var(txn.sid)]%T"
            assert shown in page
            told = json.loads((await lab.get(host, path, accept="application/json")).text)["ground"]
            assert told == " ".join(ground.replace("\u202e", "").split())
        assert not await edge.reconciler.difference()


async def test_links_with_every_character_that_links_may_have(tmp_path: Path) -> None:
    """What is escaped for the page is not escaped in the header."""
    url = "https://provider.example/a?b=1&c=(2);d,e:f@g!h$i*j+k~l'm"
    with echo_origin() as port:
        async with lab(tmp_path) as here:
            plain = here.configuration([site("one", ["a.test"], port)])
            async with Edge(replace(plain, provider=replace(plain.provider, url=url))) as edge:
                await edge.block(released(enforcement(SiteScope("one"), authority="A Court")))
                assert (await here.get("a.test")).headers["link"] == f'<{url}>; rel="blocked-by"'


TOO_LONG: list[dict[str, str]] = [
    {"ground": "x" * 5_000},
    {"authority": "x" * 5_000},
    {"ground": "ب" * 2_500},
    {"authority": "ب" * 1_900},
]


async def test_words_that_do_not_fit_are_refused_and_leave_nothing_behind(tmp_path: Path) -> None:
    """Whoever decides is told at once; later decisions, and the next start, do not suffer from it."""
    with echo_origin() as port:
        async with lab(tmp_path) as here:
            configuration = here.configuration([site("one", ["a.test"], port)])
            async with Edge(configuration) as edge:
                for words in TOO_LONG:
                    with pytest.raises(HoldfastError):
                        async with asyncio.timeout(5):
                            await edge.block(released(enforcement(SiteScope("one"), **words)))
                assert (await here.get("a.test")).status_code == 200
                await edge.block(released(enforcement(SiteScope("one"), ground="short")))
                assert "short" in (await here.get("a.test")).text
            async with Edge(configuration):
                assert (await here.get("a.test")).status_code == 403


async def test_the_longest_words_that_fit_are_shown_in_every_form(tmp_path: Path) -> None:
    """Whatever a letter becomes in HTML, in JSON and on the way into HAProxy."""
    async with house(tmp_path) as (here, edge):
        for letter in ("x", "é", "ب", "🙂", '"', "&", "%"):
            for length in range(4_000, 0, -100):
                block = enforcement(SiteScope("one"), ground=letter * length, authority="A Court")
                with contextlib.suppress(HoldfastError):
                    await edge.block(released(block))
                    break
            assert length >= 500, letter
            for accept in ("text/html", "application/json"):
                answer = await here.get("a.test", accept=accept)
                assert answer.status_code == 451
                assert len(answer.content) > length
            await edge.unblock(block.id)
