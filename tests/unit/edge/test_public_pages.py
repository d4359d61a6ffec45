"""The public pages: what they tell, in which language, and that nothing on them is live."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

import holdfast.demo
from holdfast.edge.dataplane.page_words import WORDS
from holdfast.edge.dataplane.pages import LANGUAGES
from holdfast.edge.public_pages import (
    House,
    PublicBlock,
    grounds_page,
    index_page,
    read_block,
    statement_page,
    tongued,
)
from holdfast.edge.public_words import PUBLIC_WORDS
from holdfast.edge.release import IN_FORCE, LIFTED, NOT_IN_FORCE, OVER, PublicRecord, Trust
from holdfast.ledger.note import COSIGNATURE, SignerKey
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Provider,
    Scope,
    SiteScope,
)
from holdfast.model.grounds import parse_grounds
from holdfast.model.record import content_hash
from tests.feature.recorded import MemoryLog, released

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BLOCK = Enforcement(
    "20261127-0a1b2c3d", SiteScope("shop"), "Clause 4, harm", NOW, NOW + timedelta(days=7), "duty officer"
)
PROVIDER = Provider(
    "The Test Co-operative", "https://provider.example/", appeal="https://provider.example/appeal/{id}"
)
LOG = MemoryLog()
HOUSE = House(PROVIDER, Trust(LOG.key), has_grounds=True)
SCOPES = [CustomerScope("acme"), SiteScope("shop"), HostScope("a.test"), PathScope("shop", "/evil/")]
GROUNDS = parse_grounds((Path(holdfast.demo.__file__).parent / "grounds.toml").read_bytes())
HOSTILE = "\"><script>alert(1)</script> '&amp; {provider} %T é\u202e<img src=x>"


def shown(
    block: Enforcement = BLOCK, statement: str = "# Why\n\nBecause.\n", status: str = IN_FORCE
) -> PublicBlock:
    release = released(block, LOG, statement=statement)
    index = LOG.append(b"later") - 1
    return read_block(
        PublicRecord(release, index, status, NOW + timedelta(hours=1) if status == LIFTED else None)
    )


class Reader(HTMLParser):
    """Notes tags, links and what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("style", "src")]
        if tag not in ("meta", "br", "path"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data


def read(page: str) -> Reader:
    return Reader(page)


def test_a_statement_tells_what_was_decided_and_how_to_check_it() -> None:
    block = shown(replace(BLOCK, authority="The Court of Test"))
    page = read(statement_page(HOUSE, block, "en"))
    for told in (
        "Block of the site shop",
        "in force",
        "Clause 4, harm",
        "The Court of Test",
        "2026-11-27 12:00 UTC",
        "2026-12-04 12:00 UTC",
        "duty officer",
        "second officer",
        "20261127-0a1b2c3d",
        "The Test Co-operative",
        "Because.",
        f"entry {block.index} of a public log",
        LOG.key.name,
        f"--proof {BLOCK.id}.tlog-proof --entry {BLOCK.id}.json --key '{LOG.key}'",
        content_hash(b"# Why\n\nBecause.\n").removeprefix("sha256:"),
    ):
        assert told in page.words, told
    assert page.links == [
        *(f"{BLOCK.id}.{suffix}" for suffix in ("tlog-proof", "json", "md")),
        "../grounds.toml",
        f"https://provider.example/appeal/{BLOCK.id}",
        "../index.html",
        "../grounds.html",
        "https://provider.example/",
        *(f"{BLOCK.id}~{language}.html" for language in LANGUAGES[1:]),
    ]


def test_the_command_names_the_witnesses_too() -> None:
    witnesses = [
        SignerKey(f"w{number}.test", COSIGNATURE, bytes([number]) * 32).verifier for number in (1, 2)
    ]
    house = replace(HOUSE, trust=Trust(LOG.key, tuple(witnesses), 1))
    page = read(statement_page(house, shown(), "en"))
    told = "".join(f" --witness '{witness}'" for witness in witnesses)
    assert f" --key '{LOG.key}'{told} --quorum 1" in page.words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_scope_has_its_words_in_every_language(scope: Scope, language: str) -> None:
    page = statement_page(HOUSE, shown(replace(BLOCK, scope=scope)), language)
    words = PUBLIC_WORDS[language]
    name = str(scope).rpartition(" ")[2]
    read_page = read(page)
    assert name in read_page.words
    assert "{" not in read_page.words
    assert f'<html lang="{language}" dir="{WORDS[language].direction}">' in page
    assert words.check in page
    if isinstance(scope, PathScope):
        assert "/evil/" in read_page.words


@pytest.mark.parametrize(
    ("status", "word"),
    [(IN_FORCE, "in force"), (LIFTED, "lifted"), (OVER, "over"), (NOT_IN_FORCE, "not in force")],
)
def test_it_says_whether_the_block_is_in_force(status: str, word: str) -> None:
    block = shown(status=status)
    page = statement_page(HOUSE, block, "en")
    assert f'<span class="status">{word}</span>' in page
    assert ("2026-11-27 13:00 UTC" in page) == (status == LIFTED)
    assert ('class="kind now"' in page) == (status == IN_FORCE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_others_wrote_stays_text(language: str) -> None:
    block = shown(replace(BLOCK, ground=HOSTILE, authority=HOSTILE, by=HOSTILE), statement=HOSTILE)
    house = replace(HOUSE, provider=replace(PROVIDER, name=HOSTILE))
    for page in (statement_page(house, block, language), index_page(house, [block], language)):
        found = read(page)
        assert not {"script", "img", "link", "iframe"} & set(found.tags)
        assert found.words.count("<script>alert(1)</script>") >= 2


def test_a_statement_in_another_script_has_its_own_direction() -> None:
    arabic = shown(statement="1. **لماذا** حُجب هذا الموقع\n")
    assert '<article lang="" dir="rtl">' in statement_page(HOUSE, arabic, "en")
    assert '<article lang="" dir="ltr">' in statement_page(HOUSE, shown(), "ar")


def test_the_list_has_the_latest_block_first() -> None:
    old, new = (
        shown(replace(BLOCK, id=name, since=NOW + timedelta(hours=age))) for age, name in enumerate("ab")
    )
    page = read(index_page(HOUSE, [old, new], "de"))
    assert [link for link in page.links if link.startswith("statements/")] == [
        "statements/b~de.html",
        "statements/a~de.html",
    ]
    assert PUBLIC_WORDS["en"].none in read(index_page(HOUSE, [], "en")).words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_grounds_tell_what_they_admit(language: str) -> None:
    page = read(grounds_page(HOUSE, GROUNDS, language))
    words = PUBLIC_WORDS[language]
    assert GROUNDS.version in page.words
    for ground in GROUNDS:
        assert ground.text in page.words
        assert words.most_days.format(days=ground.max_days) in page.words
        for measure in ground.measures:
            assert words.measures[measure] in page.words
    assert page.words.count(words.legal) == 1
    assert "grounds.toml" in page.links


def test_without_grounds_and_appeal_there_are_no_links_to_them() -> None:
    house = House(replace(PROVIDER, appeal=""), Trust(LOG.key))
    links = read(statement_page(house, shown(), "en")).links + read(index_page(house, [], "en")).links
    assert not [link for link in links if "grounds" in link or "appeal" in link]


def test_no_sentence_is_left_untranslated() -> None:
    english = PUBLIC_WORDS["en"]
    same = {
        (language, name)
        for language in LANGUAGES[1:]
        for name in english.__dataclass_fields__
        if getattr(PUBLIC_WORDS[language], name) == getattr(english, name)
    }
    assert {name for _, name in same} <= {"hash", "version", "clause"}
    marks = re.compile(r"\{\w+\}")
    for language in LANGUAGES:
        for name in ("record_lede", "clause", "most_days"):
            assert marks.findall(getattr(PUBLIC_WORDS[language], name)) == marks.findall(
                getattr(english, name)
            )


def test_names_of_pages() -> None:
    assert (tongued("index", "en"), tongued("index", "ar")) == ("index.html", "index~ar.html")
