"""The own path: links to it, and HAProxy's rules for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.edge.dataplane.facts import SiteId, block_facts
from holdfast.edge.dataplane.own_path import PUBLIC_PATH, with_own_pages
from holdfast.edge.dataplane.pages import parse_record
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.render import Frame, configuration
from holdfast.model.enforcement import Enforcement, Provider, SiteScope
from tests.unit.edge.dataplane.test_render import FRAME, section

PUBLIC = replace(FRAME, public="127.0.0.1:9465")


@pytest.mark.parametrize("authority", ["", "A Court"])
def test_a_block_links_to_its_own_pages_where_the_provider_has_none(authority: str) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    block = Enforcement("D-1", SiteScope("a"), "Clause 4", now, now.replace(year=2027), "officer", authority)
    provider = with_own_pages(Provider("P", "https://p.example/"))
    picture = block_facts(block.scope, [block], {"a": SiteId(1, 1)}, {}, provider)
    maps = dict(picture.maps)
    (line,) = (value for (name, _), value in maps.items() if name == Maps.BLOCK_RECORDS)
    (document,) = (value for (name, _), value in maps.items() if name == Maps.BLOCK_PROBLEMS)
    notice, told = parse_record(line), json.loads(document)
    assert notice.statement == told["statement"] == f"{PUBLIC_PATH}statements/D-1"
    assert notice.record == told["record"] == f"{PUBLIC_PATH}statements/D-1#record"
    assert (notice.appeal, told["appeal"]) == ("", None)


def test_what_the_provider_publishes_elsewhere_stays_there() -> None:
    provider = Provider("P", "https://p.example/", "https://s.example/{id}", "https://r.example/{id}")
    assert with_own_pages(provider) == provider


def test_without_public_pages_nothing_is_there_for_them() -> None:
    text = configuration(FRAME, Picture())
    assert PUBLIC_PATH not in text
    assert "cache " not in text
    assert "readers" not in text


def before_leaving(frame: Frame) -> list[str]:
    """The rules that a request for a calm site passes in the frontend."""
    lines = section(configuration(frame, Picture()), "frontend web")
    leave = next(number for number, line in enumerate(lines) if line.startswith("http-request allow"))
    return lines[:leave]


def test_calm_sites_pay_no_rule_more() -> None:
    assert before_leaving(PUBLIC) == before_leaving(FRAME)
    sites = "defaults sites"
    assert section(configuration(PUBLIC, Picture()), sites) == section(configuration(FRAME, Picture()), sites)


def test_the_statement_comes_before_the_block_page() -> None:
    lines = section(configuration(PUBLIC, Picture()), "frontend web")
    order = [
        next(number for number, line in enumerate(lines) if f"set-var(txn.slot) str({slot})" in line)
        for slot in ("public", "blocked")
    ]
    assert order == sorted(order)
    assert "{ method GET HEAD }" in lines[order[0]]


def test_the_service_is_told_nothing_of_who_asks_and_asked_little() -> None:
    lines = section(configuration(PUBLIC, Picture()), "backend public")
    assert lines[-1] == "server service 127.0.0.1:9465 maxconn 8 maxqueue 64"
    order = [
        next(number for number, line in enumerate(lines) if pattern in line)
        for pattern in ("set-uri", "del-header", "set-header Host", "cache-use", "cache-store")
    ]
    assert order == sorted(order)
