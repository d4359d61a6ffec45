"""The demonstration origin's answers, without a socket."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from holdfast.demo.origin import Response, client_address, clock_event, respond
from holdfast.demo.pages import ARTICLES, STYLE


def header(response: Response, name: str) -> str | None:
    return dict(response.headers).get(name)


@pytest.mark.parametrize(
    ("path", "status", "kind", "words"),
    [
        ("/", 200, "text/html; charset=utf-8", "served by the origin behind holdfast"),
        ("/?utm=1", 200, "text/html; charset=utf-8", "the harbour gazette"),
        ("/articles/ferry", 200, "text/html; charset=utf-8", "pilot’s island"),
        ("/articles/tide-pool?x", 200, "text/html; charset=utf-8", "boathouse"),
        ("/articles/night-market", 200, "text/html; charset=utf-8", "mackerel"),
        ("/articles/none", 404, "text/html; charset=utf-8", "drifted away"),
        ("/articles/ferry/more", 404, "text/html; charset=utf-8", "drifted away"),
        ("//[", 404, "text/html; charset=utf-8", "drifted away"),
        ("*", 404, "text/html; charset=utf-8", "drifted away"),
        ("/style.css", 200, "text/css; charset=utf-8", "--paper"),
        ("/healthz", 200, "text/plain; charset=utf-8", "ok\n"),
    ],
)
def test_what_each_path_answers(path: str, status: int, kind: str, words: str) -> None:
    response = respond("GET", path, {})
    assert response.status == status
    assert header(response, "Content-Type") == kind
    assert header(response, "Content-Length") == str(len(response.body))
    assert words in response.body.decode().lower()
    head = respond("HEAD", path, {})
    assert head.body == b""
    assert (head.status, head.headers) == (response.status, response.headers)


def test_the_front_page_leads_to_every_article() -> None:
    page = respond("GET", "/", {}).body.decode()
    assert len(ARTICLES) == 3
    for slug in ARTICLES:
        assert f'href="/articles/{slug}"' in page
    assert respond("GET", "/style.css", {}).body.decode() == STYLE


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("2001:db8::1 ", "2001:db8::1"),
        ("", None),
        ("203.0.113.9, ", None),
    ],
)
def test_the_client_is_the_one_that_the_nearest_proxy_saw(header: str, address: str | None) -> None:
    assert client_address({"x-forwarded-for": header}) == address


@pytest.mark.parametrize("path", ["/", "/articles/ferry", "/nothing"])
def test_the_reported_address_is_shown_escaped(path: str) -> None:
    page = respond("GET", path, {"x-forwarded-for": "<script>&"}).body.decode()
    assert "&lt;script&gt;&amp;" in page
    assert "<script" not in page
    assert "came to the origin directly" in respond("GET", path, {}).body.decode()


def test_a_path_is_never_repeated() -> None:
    assert b"hostile" not in respond("GET", "/<hostile>", {}).body


def test_other_methods_are_refused_and_end_the_connection() -> None:
    response = respond("POST", "/", {"content-length": "5"})
    assert response.status == 405
    assert header(response, "Allow") == "GET, HEAD"
    assert header(response, "Connection") == "close"


def test_the_clock_is_a_stream_of_events() -> None:
    response = respond("GET", "/clock", {})
    assert response.ticking
    assert header(response, "Content-Type") == "text/event-stream"
    assert header(response, "Content-Length") is None
    assert not respond("HEAD", "/clock", {}).ticking
    now = datetime(2026, 11, 22, 18, 26, 5, 900_000, timezone(timedelta(hours=2)))
    assert clock_event(now) == b"event: tick\ndata: 2026-11-22T16:26:05Z\n\n"
