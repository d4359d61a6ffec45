"""Hostnames, networks and path prefixes: what is taken, what is refused, and in which normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.ban import parse_network, parse_source
from holdfast.model.errors import HoldfastError
from holdfast.model.hostname import covers, parse_hostname, parse_pattern
from holdfast.model.path import normal_path, parse_prefix


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("example.org", "example.org"),
        (" WWW.Example.ORG. ", "www.example.org"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        (f"{'a' * 63}.org", f"{'a' * 63}.org"),
    ],
)
def test_a_hostname_has_one_spelling(text: str, normal: str) -> None:
    assert parse_hostname(text) == normal
    assert parse_hostname(normal) == normal


NO_HOSTNAMES = (
    *("", ".", "a..b", "-a.org", "a-.org", "a b.org", "a/b", "a:80", "192.0.2.1", "1", "::1"),
    *("a\n.org", "*.org", "a;b.org", f"{'a' * 64}.org", ".".join(["a" * 60] * 5)),
)


@pytest.mark.parametrize("text", NO_HOSTNAMES)
def test_what_is_no_hostname_is_refused(text: str) -> None:
    with pytest.raises(HoldfastError):
        parse_hostname(text)


@pytest.mark.parametrize(
    ("pattern", "hostname", "expected"),
    [
        ("a.test", "a.test", True),
        ("*.a.test", "x.a.test", True),
        ("*.a.test", "*.a.test", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "y.x.a.test", False),
        ("a.test", "x.a.test", False),
        ("*.a.test", "xa.test", False),
    ],
)
def test_a_star_covers_one_label(pattern: str, hostname: str, expected: bool) -> None:
    assert covers(parse_pattern(pattern), hostname) is expected


@pytest.mark.parametrize("text", ["*", "*.", "*.org", "a.*.org", "**.a.org", "*a.org"])
def test_other_stars_are_refused(text: str) -> None:
    with pytest.raises(HoldfastError):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("", "/"),
        ("/a", "/a/"),
        ("/a/", "/a/"),
        ("//a///b", "/a/b/"),
        ("/A/B", "/a/b/"),
        ("/%61", "/a/"),
        ("/a/./b", "/a/b/"),
        ("/a/../b", "/b/"),
        ("/../../b", "/b/"),
        ("/a/%2e%2e/b", "/b/"),
        ("/a%2fb", "/a/b/"),
        ("/a?b=/../c", "/a/"),
        ("/a#b", "/a/"),
    ],
)
def test_a_path_has_one_form(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@given(st.lists(st.sampled_from(["a", "B", "..", ".", "", "%2e", "c;d"]), max_size=8).map("/".join))
def test_the_normal_form_is_clean(path: str) -> None:
    normal = normal_path(f"/{path}")
    assert normal.startswith("/")
    assert normal.endswith("/")
    assert "//" not in normal
    assert not {".", ".."} & set(normal.split("/"))
    assert normal_path(normal) == normal


@pytest.mark.parametrize(
    "text", ["", "a", "/", "//", "/./", "/a/..", f"/{'a' * 200}", "/ü", "/a%20b", "/a%00"]
)
def test_a_prefix_that_cannot_be_matched_is_refused(text: str) -> None:
    with pytest.raises(HoldfastError):
        parse_prefix(text)


def test_a_network_is_told_exactly() -> None:
    assert str(parse_network(" 192.0.2.0/24 ")) == "192.0.2.0/24"
    assert str(parse_network("2001:db8::1")) == "2001:db8::1/128"
    with pytest.raises(HoldfastError, match=r"write 192\.0\.2\.0/24"):
        parse_network("192.0.2.1/24")
    with pytest.raises(HoldfastError, match="is not a network"):
        parse_network("example.org")


@pytest.mark.parametrize("text", ["::/0", "::/64", "::ffff:192.0.2.1", "::ffff:0:0/96", "::/1"])
def test_a_ban_of_ipv6_that_would_be_one_of_ipv4_is_refused(text: str) -> None:
    with pytest.raises(HoldfastError, match="would ban IPv4 addresses too"):
        parse_source(text)
    assert str(parse_source("2000::/3")) == "2000::/3"
    assert str(parse_source("::1")) == "::1/128"
