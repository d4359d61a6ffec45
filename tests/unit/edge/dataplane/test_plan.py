"""The commands from one picture to another, case by case: which, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.picture import Authority, Listed, Maps, Picture, Server
from holdfast.edge.dataplane.plan import plan

PLACES = Places(PurePosixPath("/h"))
SERVER = Server(5, arguments="192.0.2.1:80 check")
EMPTY = Picture()


def said(commands: list[object]) -> list[str]:
    """The first line of each command, without the paths."""
    lines = [command.text(PLACES).splitlines() for command in commands]  # type: ignore[attr-defined]
    short = [" ".join(line) if "map" in line[0] else line[0] for line in lines]
    return [" ".join(each.replace("/h/maps/", "").replace("/h/", "").split()) for each in short]


def maps(*entries: tuple[str, str, str]) -> Picture:
    return Picture(maps={(name, key): value for name, key, value in entries})


A_SITE = Picture(
    maps={(Maps.HOSTS, "a.test"): "1-1", (Maps.BACKENDS, "1-1"): "slot0", (Maps.FLAGS, "1-1"): "2"},
    servers={("slot0", "o1"): SERVER},
    certificates={"1-1-aa": Listed(("a.test",), "PEM")},
    authorities={"ca-1-1-bb": Authority(pem="PEM")},
)

CASES: dict[str, tuple[Picture, Picture, list[str], list[str]]] = {
    "nothing": (A_SITE, A_SITE, [], []),
    "a new site: what is referred to comes first": (
        EMPTY,
        A_SITE,
        [
            "new ssl ca-file authorities/ca-1-1-bb.pem",
            "set ssl ca-file authorities/ca-1-1-bb.pem <<",
            "commit ssl ca-file authorities/ca-1-1-bb.pem",
            "add server slot0/o1 192.0.2.1:80 check maxconn 5",
            "enable health slot0/o1",
            "enable server slot0/o1",
            "new ssl cert certificates/1-1-aa.pem",
            "set ssl cert certificates/1-1-aa.pem <<",
            "commit ssl cert certificates/1-1-aa.pem",
            "add ssl crt-list certificates.list <<",
            "add map backends.map << 1-1 slot0",
            "add map flags.map << 1-1 2",
            "add map hosts.map << a.test 1-1",
        ],
        [],
    ),
    "a site goes by its backend entry; its hostnames are swept up": (
        A_SITE,
        EMPTY,
        [
            "del map backends.map 1-1",
            "del map flags.map 1-1",
            "disable server slot0/o1",
            "del ssl crt-list certificates.list certificates/1-1-aa.pem",
        ],
        [
            "del server slot0/o1",
            "del ssl cert certificates/1-1-aa.pem",
            "del ssl ca-file authorities/ca-1-1-bb.pem",
            "del map hosts.map a.test",
        ],
    ),
    "an origin changes without a gap": (
        A_SITE,
        replace(A_SITE, servers={("slot0", "o2"): SERVER}),
        [
            "add server slot0/o2 192.0.2.1:80 check maxconn 5",
            "enable health slot0/o2",
            "enable server slot0/o2",
            "disable server slot0/o1",
        ],
        ["del server slot0/o1"],
    ),
    "a new certificate is listed before the old one goes": (
        A_SITE,
        replace(A_SITE, certificates={"1-1-cc": Listed(("a.test",), "PEM")}),
        [
            "new ssl cert certificates/1-1-cc.pem",
            "set ssl cert certificates/1-1-cc.pem <<",
            "commit ssl cert certificates/1-1-cc.pem",
            "add ssl crt-list certificates.list <<",
            "del ssl crt-list certificates.list certificates/1-1-aa.pem",
        ],
        ["del ssl cert certificates/1-1-aa.pem"],
    ),
    "a hostname is dropped at once by a site that stays": (
        maps((Maps.HOSTS, "a.test", "1-1"), (Maps.HOSTS, "b.test", "1-1"), (Maps.BACKENDS, "1-1", "slot0")),
        maps((Maps.HOSTS, "a.test", "1-1"), (Maps.BACKENDS, "1-1", "slot0")),
        ["del map hosts.map b.test"],
        [],
    ),
    "a hostname moves in one step": (
        maps((Maps.HOSTS, "a.test", "1-1"), (Maps.BACKENDS, "1-1", "slot0")),
        maps((Maps.HOSTS, "a.test", "1-2"), (Maps.BACKENDS, "1-2", "slot1")),
        ["add map backends.map << 1-2 slot1", "set map hosts.map a.test 1-2", "del map backends.map 1-1"],
        [],
    ),
    "a block: its record first": (
        EMPTY,
        maps(
            (Maps.BLOCK_SITES, "1-1", "r1"),
            (Maps.BLOCK_RECORDS, "r1", "0|403"),
            (Maps.BLOCK_PROBLEMS, "r1", "{}"),
        ),
        [
            "add map block_records.map << r1 0|403",
            "add map block_problems.map << r1 {}",
            "add map block_sites.map << 1-1 r1",
        ],
        [],
    ),
    "a block is lifted by its entry; the record is swept up": (
        maps((Maps.BLOCK_SITES, "1-1", "r1"), (Maps.BLOCK_RECORDS, "r1", "0|403")),
        EMPTY,
        ["del map block_sites.map 1-1"],
        ["del map block_records.map r1"],
    ),
    "a path is blocked before it is normalised, and the other way round": (
        maps((Maps.BLOCK_PREFIXES, "1-1/a/", "r1"), (Maps.BLOCK_PATHS, "1-1", "1")),
        maps((Maps.BLOCK_PREFIXES, "1-2/b/", "r2"), (Maps.BLOCK_PATHS, "1-2", "1")),
        [
            "add map block_prefixes.map << 1-2/b/ r2",
            "add map block_paths.map << 1-2 1",
            "del map block_paths.map 1-1",
            "del map block_prefixes.map 1-1/a/",
        ],
        [],
    ),
    "a blocked site that goes is blocked until it is gone": (
        maps((Maps.BACKENDS, "1-1", "slot0"), (Maps.BLOCK_SITES, "1-1", "r1")),
        EMPTY,
        ["del map backends.map 1-1", "del map block_sites.map 1-1"],
        [],
    ),
    "whom an allow list lets through never meets the ban": (
        maps((Maps.BANS, "9.0.0.0/8", "0"), (Maps.BANS, "8.0.0.0/7", "5")),
        maps((Maps.BANS, "100.100.0.0/16", "0"), (Maps.BANS, "100.64.0.0/10", "7")),
        [
            "add map bans.map << 100.100.0.0/16 0 100.64.0.0/10 7",
            "del map bans.map 8.0.0.0/7",
            "del map bans.map 9.0.0.0/8",
        ],
        [],
    ),
    "what was left half-made is made anew or removed": (
        Picture(
            servers={("slot0", "o1"): Server(4, checked=False, in_service=False)},
            strays={"1-1-aa", "1-9-zz"},
            authorities={"ca-1-1-bb": Authority(loaded=False)},
        ),
        replace(A_SITE, maps={}),
        [
            "set ssl ca-file authorities/ca-1-1-bb.pem <<",
            "commit ssl ca-file authorities/ca-1-1-bb.pem",
            "set maxconn server slot0/o1 5",
            "enable health slot0/o1",
            "enable server slot0/o1",
            "abort ssl cert certificates/1-1-aa.pem",
            "del ssl cert certificates/1-1-aa.pem",
            "new ssl cert certificates/1-1-aa.pem",
            "set ssl cert certificates/1-1-aa.pem <<",
            "commit ssl cert certificates/1-1-aa.pem",
            "add ssl crt-list certificates.list <<",
        ],
        ["abort ssl cert certificates/1-9-zz.pem", "del ssl cert certificates/1-9-zz.pem"],
    ),
    "a server that was retired already is only deleted": (
        Picture(servers={("slot0", "o1"): Server(5, in_service=False)}),
        EMPTY,
        [],
        ["del server slot0/o1"],
    ),
}


@pytest.mark.parametrize(("current", "desired", "now", "later"), CASES.values(), ids=CASES.keys())
def test_plan(current: Picture, desired: Picture, now: list[str], later: list[str]) -> None:
    steps = plan(current, desired)
    assert said(list(steps.now)) == now
    assert said(list(steps.later)) == later
    assert bool(steps) == bool(now or later)
    assert steps.all() == [*steps.now, *steps.later]
