"""An entry as an edge would have told of the request."""

from __future__ import annotations

import pytest

from holdfast.replay.telling import COMMON_UNKNOWN, UNKNOWN, client_of, is_request, tell, unknown_of
from holdfast.shield.features import LONGEST_TEXT, Feature
from tests.unit.replay.logs import entry

F = Feature

REQUESTS = [
    ("GET / HTTP/1.1", {F.METHOD: "GET", F.PATH: "/", F.SECTION: "", F.QUERY: "", F.VERSION: "1.1"}),
    ("POST /a/b/c HTTP/2.0", {F.METHOD: "POST", F.PATH: "/a/b/c", F.SECTION: "a", F.VERSION: "2.0"}),
    ("GET /s?q=1&page=2 HTTP/1.1", {F.PATH: "/s", F.QUERY: "q=&page="}),
    ("GET /s? HTTP/1.1", {F.PATH: "/s", F.QUERY: ""}),
    ("GET /a b HTTP/1.0", {F.PATH: "/a b", F.VERSION: "1.0"}),
    ("GET http://site.example/a?b=c HTTP/1.1", {F.PATH: "/a", F.QUERY: "b="}),
    ("GET http://site.example HTTP/1.1", {F.PATH: "/"}),
    ("OPTIONS * HTTP/1.1", {F.METHOD: "OPTIONS", F.PATH: "*", F.SECTION: ""}),
    ("CONNECT site.example:443 HTTP/1.1", {F.METHOD: "CONNECT", F.PATH: "site.example:443"}),
    (f"{'M' * 40} / HTTP/1.1", {F.METHOD: "M" * 32}),
]


@pytest.mark.parametrize(("request_line", "values"), REQUESTS)
def test_what_is_asked_for(request_line: str, values: dict[Feature, str]) -> None:
    told = tell(entry(request=request_line))
    assert {feature: told[1][feature] for feature in values} == values


@pytest.mark.parametrize(
    "request_line",
    [
        "",
        "-",
        "GET /",
        "GET",
        "\x16\x03\x01\x00",
        "GET  HTTP/1.1",
        "\x1b[31mGET / HTTP/1.1",
        "GET / HTTP/1.1x",
    ],
)
def test_what_is_no_request(request_line: str) -> None:
    assert not is_request(entry(request=request_line))
    with pytest.raises(ValueError, match="no request"):
        tell(entry(request=request_line))


@pytest.mark.parametrize(
    ("request_line", "referer", "presence", "host"),
    [
        ("GET / HTTP/1.1", "", "0-0--", ""),
        ("GET /?a=b HTTP/1.1", "", "1-0--", ""),
        ("GET / HTTP/1.1", "https://news.example/page", "0-1--", "news.example"),
        ("GET /?a=b HTTP/1.1", "https://news.example", "1-1--", "news.example"),
        ("GET / HTTP/1.1", "about:blank", "0-1--", ""),
    ],
)
def test_query_and_referer(request_line: str, referer: str, presence: str, host: str) -> None:
    values = tell(entry(request=request_line, referer=referer))[1]
    assert (values[F.PRESENCE], values[F.REFERER]) == (presence, host)


@pytest.mark.parametrize(
    ("host", "client", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0"),
    ],
)
def test_who_asks(host: str, client: str, network: str) -> None:
    assert client_of[host] == (client, network)


@pytest.mark.parametrize("host", ["Dialup-7.isp.example", "192.0.2.777", "-", "a:b"])
def test_a_name_stands_for_its_network(host: str) -> None:
    told = client_of[host]
    assert told.client == host.lower()
    assert told.network.startswith("~")
    assert host.lower() not in told.network
    assert client_of["another.isp.example"].network != told.network


def test_what_no_log_tells_is_empty_and_named() -> None:
    assert unknown_of(entry()) == UNKNOWN
    assert all(tell(entry())[1][feature] == "" for feature in UNKNOWN)


def test_the_common_format_tells_less() -> None:
    common = entry(agent=None, referer=None)
    assert unknown_of(common) == COMMON_UNKNOWN
    assert tell(common)[1][F.AGENT] == ""


def test_long_texts_are_short_and_still_their_own() -> None:
    one, other = (tell(entry(agent="a" * 3000 + end))[1][F.AGENT] for end in "bc")
    assert len(one) == len(other) == LONGEST_TEXT
    assert one != other


def test_evidence_is_fit_for_a_terminal() -> None:
    told = tell(entry(request="GET /\x1b[2Jä HTTP/1.1", agent="\x07" + "a" * 300))
    assert told[2] == "/?[2J?"
    assert told[3] == "?" + "a" * 255
