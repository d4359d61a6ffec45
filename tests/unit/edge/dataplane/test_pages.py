"""The block page: what stands in it, that nothing in it is live, and that HAProxy can carry it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from holdfast.edge.dataplane.page_words import WORDS, Words
from holdfast.edge.dataplane.pages import (
    CONTENT_SECURITY_POLICY,
    LANGUAGES,
    PROVIDER_LIMIT,
    RECORD_FIELDS,
    RECORD_LIMIT,
    STATUSES,
    STYLE,
    STYLE_HASH,
    BlockNotice,
    block_page,
    parse_record,
    problem,
    record,
)
from holdfast.model.errors import HoldfastError

HOSTILE = "\"><script>|%[src]-->'&amp;"
EVERY_PAGE = [(status, language) for status in STATUSES for language in LANGUAGES]

NOTICE = BlockNotice(
    id="2026-0117",
    status=403,
    provider="Nordlicht Co-operative",
    provider_url="https://nordlicht.example/",
    ground="Threats against named people (policy 4.2)",
    since=datetime(2026, 11, 22, 16, 26, tzinfo=UTC),
    until=datetime(2027, 5, 22, 16, 26, tzinfo=UTC),
    statement="https://nordlicht.example/statements/2026-0117",
    record="https://ledger.example/48213?a=1&b=2",
    appeal="/.well-known/holdfast/appeal",
    authority="",
)
DEMAND = replace(NOTICE, status=451, authority="Landgericht Hamburg")


def rendered(page: str, line: str) -> str:
    """What HAProxy 2.6 makes of an lf-file: fetches replaced by the record's fields, ``%%`` by ``%``."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        field = line.split("|")[int(match["field"]) - 1]
        if match["test"] is None:
            return field
        return "" if field and not (match["test"] == "bool" and field == "0") else match["otherwise"]

    fetch = r"%%|%\[var\(txn\.rec\),field\((?P<field>\d+),\|\)"
    return re.sub(fetch + r"(?:,(?P<test>bool|length,bool),iif\(,(?P<otherwise>[^)]*)\))?\]", value, page)


class Reader(HTMLParser):
    """Collects what a browser would find: elements with their attributes, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]


def test_the_record_holds_its_fields_in_order() -> None:
    named = dict(zip(RECORD_FIELDS, record(DEMAND).split("|"), strict=True))
    assert named == {
        "expires": "1811003160",
        "status": "451",
        "id": "2026-0117",
        "provider": "Nordlicht Co-operative",
        "provider_url": "https://nordlicht.example/",
        "ground": "Threats against named people (policy 4.2)",
        "since": "2026-11-22 16:26 UTC",
        "until": "2027-05-22 16:26 UTC",
        "statement": "https://nordlicht.example/statements/2026-0117",
        "record": "https://ledger.example/48213?a=1&amp;b=2",
        "appeal": "/.well-known/holdfast/appeal",
        "authority": "Landgericht Hamburg",
    }


def test_without_an_end_the_record_expires_at_zero() -> None:
    named = dict(zip(RECORD_FIELDS, record(replace(NOTICE, until=None)).split("|"), strict=True))
    assert (named["expires"], named["until"]) == ("0", "—")


def test_texts_and_times_are_brought_into_the_form_in_which_they_are_shown() -> None:
    notice = replace(
        NOTICE,
        ground=" two\nlines\t\u202e and \x00 more ",
        since=datetime(2026, 11, 22, 18, 26, 59, 7, timezone(timedelta(hours=2))),
        until=datetime(2027, 1, 1, 0, 0, 30, 999, UTC),
    )
    assert notice.ground == "two lines and more"
    assert notice.since == NOTICE.since
    assert notice.until == datetime(2027, 1, 1, 0, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"status": 404}, "use 403, or 451"),
        ({"since": datetime(2026, 11, 22)}, "aware datetime"),
        ({"until": datetime(1969, 12, 31, tzinfo=UTC)}, "or None"),
        ({"statement": "javascript:alert(1)"}, "https URL"),
        ({"statement": "//elsewhere.example/"}, "https URL"),
        ({"record": "https://"}, "https URL"),
        ({"record": "https://ledger.example/a b"}, "https URL"),
        ({"appeal": f"https://ledger.example/{HOSTILE}"}, "https URL"),
        ({"provider_url": "https://nördlich.example/"}, "percent-encoded"),
        ({"provider_url": "https://nordlicht.example/\n"}, "https URL"),
        ({"provider": "n" * (PROVIDER_LIMIT + 1)}, "at most 100 characters"),
        ({"ground": "&" * 1000}, "shorten its texts"),
    ],
)
def test_a_notice_that_no_page_can_carry_is_refused_with_a_hint(change: dict[str, object], hint: str) -> None:
    with pytest.raises(HoldfastError, match=re.escape(hint)):
        replace(NOTICE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0|403",
        record(NOTICE) + "|",
        record(NOTICE).replace("403", "500"),
        record(NOTICE).replace("2026-11-22 16:26 UTC", "yesterday"),
        record(NOTICE).replace("2027-05-22", "2028-05-22"),
        record(NOTICE).replace("&amp;", "&"),
        record(NOTICE).replace("1811003160", "9" * 30),
        record(NOTICE).replace("https:", "javascript:"),
    ],
)
def test_a_line_that_record_does_not_write_is_no_record(line: str) -> None:
    with pytest.raises(HoldfastError, match="not a record of a block"):
        parse_record(line)


def test_hostile_values_stay_text() -> None:
    notice = replace(DEMAND, id=HOSTILE, provider=HOSTILE, ground=HOSTILE, authority=HOSTILE)
    assert parse_record(record(notice)) == notice
    calm = Reader(rendered(block_page(451, "en"), record(DEMAND)))
    hostile = Reader(rendered(block_page(451, "en"), record(notice)))
    assert hostile.elements == calm.elements
    assert hostile.text.count(HOSTILE) == 5


@pytest.mark.parametrize(("status", "language"), EVERY_PAGE)
def test_a_page_is_log_format_with_every_literal_percent_sign_doubled(status: int, language: str) -> None:
    page = block_page(status, language)
    fetches = re.findall(r"%\[[^\]]*\]", page)
    assert fetches
    for fetch in fetches:
        assert re.fullmatch(
            r"%\[var\(txn\.rec\),field\(\d+,\|\)(,(length,)?bool,iif\(,[^%,()'\"\\]+\))?\]", fetch
        )
    literal = re.sub(r"%\[[^\]]*\]", "", page)
    assert "%%" in literal
    assert "%" not in literal.replace("%%", "")
    assert "[[" not in page


@pytest.mark.parametrize(("status", "language"), EVERY_PAGE)
def test_a_page_tells_all_that_a_visitor_needs(status: int, language: str) -> None:
    notice = replace(DEMAND, status=status)
    page = Reader(rendered(block_page(status, language), record(notice)))
    words = WORDS[language]
    assert page.elements[0] == ("html", {"lang": language, "dir": words.direction})
    assert [tag for tag, _ in page.elements if tag in {"main", "h1", "dl", "nav", "footer", "script"}] == [
        "main", "h1", "dl", "nav", "footer",
    ]  # fmt: skip
    assert page.links == [notice.provider_url, notice.statement, notice.record, notice.appeal]
    legal = STATUSES.index(status)
    said = {words.heading[legal], words.kind[legal], *words.statement, *words.record, *words.appeal}
    said |= {words.everyone, words.lede[legal].format(provider=notice.provider)}
    said |= {words.role.format(provider=notice.provider)}
    said |= {notice.id, notice.ground, "2026-11-22 16:26 UTC", "2027-05-22 16:26 UTC", str(status)}
    assert not {sentence for sentence in said if sentence not in page.text}
    assert words.no_end not in page.text
    assert (notice.authority in page.text) == (status == 451)


@pytest.mark.parametrize(("status", "language"), EVERY_PAGE)
def test_what_does_not_exist_is_left_out(status: int, language: str) -> None:
    bare = replace(
        NOTICE, status=status, until=None, provider_url="", statement="", record="", appeal="", authority=""
    )
    page = rendered(block_page(status, language), record(bare))
    words = WORDS[language]
    assert Reader(page).links == []
    assert words.authority not in Reader(page).text
    assert words.no_end in Reader(page).text
    # nav:empty in the style needs it to hold comments only.
    assert re.sub(r"<!--.*?-->", "", page).count(f'aria-label="{words.links}"></nav>') == 1


@pytest.mark.parametrize(("status", "language"), EVERY_PAGE)
def test_the_largest_page_fits_a_haproxy_buffer(status: int, language: str) -> None:
    assert len(block_page(status, language).encode()) < 6 * 1024
    notice = replace(DEMAND, status=status, provider="'" * PROVIDER_LIMIT)
    room = RECORD_LIMIT - len(record(notice).encode()) + len("Landgericht Hamburg")
    full = replace(notice, authority="'" * (room // len("&#x27;")))
    # HAProxy keeps 1,024 of its 16,384 bytes free; another 1,024 are for the headers.
    assert len(rendered(block_page(status, language), record(full)).encode()) < 14 * 1024


def test_unknown_pages_are_refused() -> None:
    for status, language in ((404, "en"), (403, "tlh")):
        with pytest.raises(HoldfastError, match="there is no block page"):
            block_page(status, language)


def test_every_language_has_all_words() -> None:
    assert set(WORDS) == set(LANGUAGES)
    for words in WORDS.values():
        for field in fields(Words):
            value = getattr(words, field.name)
            for text in (value,) if isinstance(value, str) else value:
                assert text.strip()
                assert not set("<>&%[]|") & set(text), "words are neither escaped nor free of marks"
        for sentence in (*words.lede, words.role):
            assert sentence.count("{provider}") == 1
    assert {language for language in LANGUAGES if WORDS[language].direction == "rtl"} == {"ar"}


def test_the_policy_names_the_hash_of_the_only_style() -> None:
    assert f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}" == STYLE_HASH
    assert f"style-src '{STYLE_HASH}'" in CONTENT_SECURITY_POLICY
    for status, language in EVERY_PAGE:
        page = rendered(block_page(status, language), record(NOTICE))
        assert re.findall(r"<style>(.*?)</style>", page, re.DOTALL) == [STYLE]
        assert not re.search(r"\sstyle=|\son\w+=|<script|<link|<img|url\(|@import", page)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [("ink", "card"), ("soft", "card"), ("link", "card"), ("on", "fill")],
)
def test_contrast_is_at_least_that_of_wcag_aa(scheme: int, front: str, back: str) -> None:
    def luminance(name: str) -> float:
        digits = re.findall(rf"--{name}:#([0-9a-f]+)", STYLE)[scheme]
        full = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
        red, green, blue = (int(full[place : place + 2], 16) / 255 for place in (0, 2, 4))
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(front), luminance(back)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_problem_document_says_the_same_to_programs() -> None:
    assert json.loads(problem(DEMAND)) == {
        "type": "urn:holdfast:problem:blocked",
        "title": "Unavailable For Legal Reasons",
        "status": 451,
        "detail": "Nordlicht Co-operative protects this site and has blocked it, or this part of it, "
        "after a legal demand by Landgericht Hamburg.",
        "blocked_by": {"name": "Nordlicht Co-operative", "url": "https://nordlicht.example/"},
        "ground": "Threats against named people (policy 4.2)",
        "since": "2026-11-22T16:26:00Z",
        "until": "2027-05-22T16:26:00Z",
        "decision": "2026-0117",
        "statement": "https://nordlicht.example/statements/2026-0117",
        "record": "https://ledger.example/48213?a=1&b=2",
        "appeal": "/.well-known/holdfast/appeal",
        "authority": "Landgericht Hamburg",
    }


def test_a_problem_document_is_one_line_of_ascii_with_null_for_what_does_not_exist() -> None:
    text = problem(replace(NOTICE, ground="Grüße\n" + HOSTILE, until=None, appeal="", authority="nobody"))
    assert text.isascii()
    assert "\n" not in text
    document = json.loads(text)
    assert document["ground"] == "Grüße " + HOSTILE
    assert document["until"] is document["appeal"] is document["authority"] is None
    assert document["title"] == "Blocked"
