"""The files for a start: sections in the order of the request path, and everything of the picture in them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.picture import META, ORDER, Authority, Flag, Listed, Maps, Picture, Server
from holdfast.edge.dataplane.render import Frame, configuration, files

PLACES = Places(PurePosixPath("/run/holdfast"))
FRAME = Frame(PLACES, "e1", ("*:80",), ("*:443",), 443, 3, 2, 2, 10_000)
EMPTY = Picture()

WEB_PATH = [
    *("connection", "forwarder", "client", "tls", "gateway", "host", "sampling", "site", "suspicion"),
    *("mask", "clearance", "exempt", "unsigned"),
    *("enforcement", "allow list", "shield", "signatures", "verdict", "route"),
]
SITE_PATH = [
    *("limits", "hsts", "open", "origin"),
    *("leave", "watch", "https", "busy", "signing"),
]
"""Banned sources → host → unknown host → enforcement → allow list → clearance → signatures → challenge →
limits → the site's queue → origin: the order of the design, but for the limits (ADR 0012). A clearance is
read before, and a site without a block and an allow list is decided by then (ADR 0018)."""


def section(text: str, title: str) -> list[str]:
    """The lines of one section, without their indentation."""
    start = text.index(f"{title} from ")
    return [line.strip() for line in text[start:].split("\n\n")[0].splitlines()[1:]]


def test_the_sections_of_the_request_path_come_in_order() -> None:
    text = configuration(FRAME, EMPTY)
    for title, path in (("frontend web", WEB_PATH), ("defaults sites", SITE_PATH)):
        lines = section(text, title)
        titles = [line.removeprefix("# ").partition(":")[0] for line in lines if line.startswith("# ")]
        assert titles == path


@pytest.mark.parametrize(
    ("title", "patterns"),
    [
        (
            "frontend web",
            [
                f"map_ip({PLACES.map(Maps.BANS)})",
                f"map({PLACES.map(Maps.HOSTS)})",
                "status 421",
                f"map({PLACES.map(Maps.BLOCK_CUSTOMERS)})",
                "http-request allow",
                "set-var(txn.slot) str(blocked)",
                f"map({PLACES.map(Maps.ALLOW)})",
                "use_backend",
            ],
        ),
        ("defaults sites", ["status 429", "add-header X-Forwarded-For", "http-request allow", "status 503"]),
    ],
)
def test_what_refuses_more_is_decided_first(title: str, patterns: list[str]) -> None:
    lines = section(configuration(FRAME, EMPTY), title)
    order = [next(number for number, line in enumerate(lines) if pattern in line) for pattern in patterns]
    assert order == sorted(order)


def test_whoever_leaves_early_is_neither_blocked_nor_concerned_by_an_allow_list() -> None:
    leave, *_ = (
        line
        for line in section(configuration(FRAME, EMPTY), "frontend web")
        if line.startswith("http-request allow")
    )
    assert f"!{{ var(txn.sid),map({PLACES.map(Maps.MASKS)}) -m found }}" in leave
    assert "!{ var(txn.hit) -m found }" in leave
    assert f"!{{ var(txn.sid),map({PLACES.map(Maps.BLOCK_PATHS)}) -m found }}" in leave
    assert f"!{{ var(txn.flags),and({Flag.ALLOW}) -m bool }}" in leave


def test_bans_are_looked_up_where_tcp_is_accepted() -> None:
    """Behind the hop HAProxy no longer sees the client."""
    text = configuration(FRAME, EMPTY)
    for title in ("frontend tls", "frontend web"):
        rules = [line for line in section(text, title) if line.startswith("tcp-request connection")]
        assert any(line.startswith("tcp-request connection reject") for line in rules), title
        assert any(PLACES.map(Maps.BANS) in line for line in rules), title


@pytest.mark.parametrize("name", [*ORDER, META])
def test_every_map_is_named_by_some_rule(name: str) -> None:
    """HAProxy loads no other map, and then no command can change it."""
    assert PLACES.map(name) in configuration(FRAME, EMPTY)


def test_slots_are_there_before_they_are_needed() -> None:
    text = configuration(FRAME, EMPTY)
    assert re.findall(r"^backend ((?:slot|pass)\d+) from \w+$", text, re.MULTILINE) == [
        *("pass0", "pass1"),
        *("slot0", "slot1", "slot2"),
    ]
    assert "mode tcp" in section(text, "backend pass1")
    assert section(text, "backend slot2") == []


def test_a_server_stands_in_its_slot() -> None:
    servers = {
        ("slot1", "o2"): Server(7, arguments="192.0.2.2:80 check"),
        ("slot1", "o1"): Server(5, arguments="192.0.2.1:80 check"),
        ("pass0", "o1"): Server(5, arguments="192.0.2.3:443 check"),
    }
    text = configuration(FRAME, Picture(servers=servers))
    assert section(text, "backend slot1") == [
        "server o1 192.0.2.1:80 check maxconn 5",
        "server o2 192.0.2.2:80 check maxconn 7",
    ]
    assert "server o1 192.0.2.3:443 check maxconn 5" in section(text, "backend pass0")


def test_files_hold_the_whole_picture() -> None:
    picture = Picture(
        maps={(name, f"key of {name}".replace(" ", "-")): "a value" for name in ORDER},
        certificates={"1-1-aa": Listed(("a.test", "*.b.test"), "PEM\n")},
        authorities={"ca-1-1-bb": Authority(pem="CA\n")},
    )
    written = files(FRAME, picture, "boot1", 9)
    for name in ORDER:
        assert written[PLACES.map(name)] == f"key-of-{name} a value\n"
    assert dict(line.split() for line in written[PLACES.map(META)].splitlines()) == {
        "boot": "boot1",
        "frame": FRAME.digest,
        "epoch": "9",
        "web_slots": "3",
        "pass_slots": "2",
    }
    assert written[PLACES.certificate("1-1-aa")] == "PEM\n"
    assert written[PLACES.certificate_list] == f"{PLACES.certificate('1-1-aa')} a.test *.b.test\n"
    assert written[PLACES.authority("ca-1-1-bb")] == "CA\n"
    assert list(written)[-1] == "/run/holdfast/haproxy.cfg", "what refers to all the others comes last"


@pytest.mark.parametrize(
    "other",
    [
        replace(FRAME, web_slots=4),
        replace(FRAME, pass_slots=3),
        replace(FRAME, http=("*:8080",)),
        replace(FRAME, https=()),
        replace(FRAME, https_port=8443),
        replace(FRAME, maxconn=10_001),
        replace(FRAME, traffic_threads=3),
        replace(FRAME, user="haproxy"),
        replace(FRAME, clients=5),
        replace(FRAME, edge_id="e2"),
    ],
)
def test_a_frame_is_named_by_its_shape(other: Frame) -> None:
    assert other.digest != FRAME.digest
    assert replace(other).digest == other.digest


def test_changes_and_scans_have_threads_of_their_own() -> None:
    text = configuration(FRAME, EMPTY)
    assert "nbthread 4" in text
    threads = dict(re.findall(r"stats socket \S+/(\w+)\.sock .*thread (\d+)", text))
    assert threads == {"change": "3", "scan": "4"}
    assert all(line.endswith("thread 1-2") for line in text.splitlines() if line.startswith("  bind "))
    alone = configuration(replace(FRAME, traffic_threads=1), EMPTY)
    assert all(line.endswith("thread 1") for line in alone.splitlines() if line.startswith("  bind "))


def test_without_tls_there_is_no_hop() -> None:
    text = configuration(replace(FRAME, https=()), EMPTY)
    assert "frontend tls" not in text
    assert "abns@" not in text
    plain = configuration(replace(FRAME, https=(), https_port=None), EMPTY)
    assert "http-request redirect" not in plain
    assert "http-request redirect" in text, "TLS ends in front of this edge"
