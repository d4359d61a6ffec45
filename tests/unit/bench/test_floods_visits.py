"""Legitimate visitors: from the log to visits, the halves, the plan's rate; what a browser sends and does."""

from __future__ import annotations

import pytest

from bench.floods.agents import Asked, family_of, headers, is_embedded
from bench.floods.answers import Answer, Jar, Step, is_challenge, redirect, timed_link
from bench.floods.log import Request, Visit, halves, parse_visits
from bench.floods.made_up import made_up_visits
from bench.floods.plan import plan
from bench.floods.scenario import ClientsSpec, CrowdSpec, Scenario, SiteSpec
from bench.floods.visits import requests, shorten, timeline, with_pages_first

LINE = '{0} - - [17/May/2015:{1} +0000] "GET {2} HTTP/1.1" 200 5 "{3}" "{4}"'
VISITS = made_up_visits()


def test_a_log_becomes_visits() -> None:
    lines = [
        LINE.format("192.0.2.1", "10:00:00", "/", "-", "-"),
        LINE.format("192.0.2.1", "10:00:00", "/", "-", "Firefox/1"),  # another program: another visitor
        LINE.format("192.0.2.1", "10:29:00", "/a", "http://semicomplete.com/b", "-"),
        LINE.format(
            "192.0.2.1", "11:00:00", "/c", "http://x.test/", "-"
        ),  # half an hour later: another visit
        "what is no request",
        LINE.format("192.0.2.2", "10:10:00", "/d", "http://www.semicomplete.com", "-"),
    ]
    found = parse_visits(lines)
    assert [(each.address, each.agent, len(each.requests)) for each in found] == [
        ("192.0.2.1", "", 2),
        ("192.0.2.1", "Firefox/1", 1),
        ("192.0.2.2", "", 1),
        ("192.0.2.1", "", 1),
    ]
    assert found[0].requests[1] == Request(29 * 60, "GET", "/a", "/b")
    assert found[2].requests[0].referer == "/"
    assert found[3].requests[0].referer == "http://x.test/"


def test_what_is_learned_from_is_earlier_than_what_is_measured() -> None:
    early, late = halves(VISITS)
    assert max(each.at for each in early) < min(each.at for each in late)
    assert len(early) + len(late) == len(VISITS)
    known = {each.address for each in early}
    assert 0.1 < sum(each.address not in known for each in late) / len(late) < 0.9


@pytest.mark.parametrize("turn", [0.0, 0.4, 0.99])
def test_the_rate_is_what_was_asked_for(turn: float) -> None:
    planned = timeline(VISITS, "a.test", 60.0, 60.0, turn)
    times = [moment for moment, _, _ in requests(planned, 60.0)]
    assert len(times) / 60 == pytest.approx(60, rel=0.1)
    for begin in range(0, 60, 10):  # from the first second on
        assert sum(begin <= each < begin + 10 for each in times) / 10 == pytest.approx(60, rel=0.35)


def test_pauses_are_shortened_and_order_is_kept() -> None:
    made = shorten([Request(offset, "GET", "/") for offset in (0, 0.5, 20, 1500)])
    assert [each.offset for each in made] == [
        0,
        0.5,
        pytest.approx(0.5 + 1 + 18.5 * 0.05),
        pytest.approx(5.425),
    ]


def test_what_a_page_embeds_comes_after_it() -> None:
    mixed = [
        Request(0, "GET", "/a.css", "/page"),
        Request(5, "GET", "/favicon.ico"),
        Request(30, "GET", "/page"),
        Request(200, "GET", "/b.css", "/other"),
    ]
    assert [each.path for each in with_pages_first(mixed)] == ["/page", "/a.css", "/favicon.ico", "/b.css"]
    assert with_pages_first(mixed)[0].offset == 0


def test_a_plan_has_everybody_in_it() -> None:
    scenario = Scenario(
        title="a",
        sites=[SiteSpec(hostname="a.test"), SiteSpec(hostname="b.test", legit_share=0.5)],
        clients=[ClientsSpec(kind="api", count=2, site="b.test")],
        crowd=CrowdSpec(times=3),
    )
    made = plan(scenario, halves(VISITS), seed=1, quick=True)
    span = scenario.quick
    seen = requests(made.planned, made.over)
    hosts = {each.host for _, each, _ in seen if each.visit.group == "visitor"}
    assert hosts == {"a.test", "b.test"}
    by_host = {
        host: {
            each.visit.address for _, each, _ in seen if each.host == host and each.visit.group == "visitor"
        }
        for host in hosts
    }
    assert not by_host["a.test"] & by_host["b.test"]
    assert sum(each.visit.group == "api" for _, each, _ in seen) == pytest.approx(2 * made.over, abs=4)
    crowd = [moment for moment, each, _ in seen if each.visit.group == "crowd"]
    assert min(crowd) >= span.before
    assert len(crowd) / span.flood == pytest.approx(120, rel=0.25)
    assert any(each.visit.group == "api" for each in made.training)
    assert plan(scenario, halves(VISITS), seed=1, quick=True) == made
    assert plan(scenario, halves(VISITS), seed=2, quick=True) != made


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/32.0 Safari/537.36",
            "chrome",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0", "firefox"),
        ("Mozilla/5.0 (iPad; CPU OS 7_0 like Mac OS X) Version/7.0 Safari/9537.53", "ios"),
        ("Mozilla/5.0 (iPhone) Safari/8536.25 (compatible; Googlebot/2.1)", "googlebot"),
        ("Tiny Tiny RSS/1.11 (http://tt-rss.org/)", "feed"),
        ("", "unknown"),
    ],
)
def test_families(agent: str, family: str) -> None:
    assert family_of(agent) == family


def test_headers_are_in_the_family_s_order_and_stay_the_same() -> None:
    asked = Asked("a.test", "/", "Firefox", "192.0.2.1", "/page", "x=1")
    made = headers("firefox", asked)
    assert [name for name, _ in made] == [
        *(
            "Host",
            "User-Agent",
            "Accept",
            "Accept-Language",
            "Accept-Encoding",
            "Referer",
            "Cookie",
            "Connection",
        )
    ]
    assert dict(made)["Referer"] == "http://a.test/page"
    assert headers("firefox", asked) == made
    assert [name for name, _ in headers("msie", asked)] != [name for name, _ in made]
    assert is_embedded("/a.PNG?x")
    assert not is_embedded("/a.png/page")


PAGE = b'<html><meta http-equiv="refresh" content="3; url=/go?a=1&amp;b=2"><title>Wait</title>'


def test_a_timed_link_is_followed_on_the_same_site_only() -> None:
    assert timed_link(Answer(403, {}, body=PAGE), "a.test", "/x") == Step(3, "/go?a=1&b=2")
    assert timed_link(Answer(403, {"refresh": "1; url=http://a.test/y"}), "a.test", "/x") == Step(1, "/y")
    assert timed_link(Answer(403, {"refresh": "5"}), "a.test", "/x") == Step(5, "/x")
    assert timed_link(Answer(403, {"refresh": "1; url=http://b.test/y"}), "a.test", "/x") is None
    assert timed_link(Answer(403, {}, body=b"no"), "a.test", "/x") is None
    assert redirect(Answer(302, {"location": "../y"}), "a.test", "/x/z") == Step(0, "/y")
    assert redirect(Answer(302, {"location": "https://b.test/"}), "a.test", "/") is None


def test_a_challenge_is_not_the_origin_s_and_asks_for_something() -> None:
    assert is_challenge(Answer(403, {}, body=PAGE))
    assert is_challenge(Answer(503, {"x-holdfast-challenge": "1"}))
    assert is_challenge(Answer(403, {}, cookies=("a=1",)))
    assert not is_challenge(Answer(403, {"x-origin": "1"}, body=PAGE))
    assert not is_challenge(Answer(429, {}, body=b"Too many"))


def test_cookies_are_kept_and_taken_back() -> None:
    jar = Jar()
    jar.take(Answer(200, {}, cookies=("a=1; Path=/", "b=2")))
    assert str(jar) == "a=1; b=2"
    jar.take(Answer(200, {}, cookies=("a=; Max-Age=0",)))
    assert str(jar) == "b=2"


def test_what_is_made_up_looks_like_a_log() -> None:
    assert made_up_visits(1) == made_up_visits(1) != made_up_visits(2)
    assert isinstance(VISITS[0], Visit)
    assert sum(len(each.requests) for each in VISITS) > 6000
