"""Bans, limits and the allow list that wins over both, but never over a block. Clients are told apart by the
loopback addresses that they come from."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.status import take_snapshot
from holdfast.model.ban import Ban, parse_network
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.clients import BURST, REFUSED, ask, ban, spend, status, statuses
from tests.feature.lab import (
    echo_origin,
    enforcement,
    eventually,
    lab,
    released,
    running,
    site,
    write_certificate,
)
from tests.feature.wire import connect, trusting


@pytest.mark.parametrize(
    ("source", "other", "allow", "banned"),
    [
        ("127.0.0.9", "", "127.0.0.9", "127.0.0.9"),
        ("127.0.0.9", "127.0.0.8", "127.0.0.9", "127.0.0.0/24"),
        ("127.0.0.9", "127.3.2.1", "127.0.0.0/24", "127.0.0.0/8"),
        ("127.0.0.9", "127.3.2.1", "127.0.0.9", "0.0.0.0/0"),
        ("127.0.0.9", "", "127.0.0.0/24", "127.0.0.0/24"),
        ("127.0.0.9", "", "127.0.0.0/24", "127.0.0.9"),
        ("127.0.0.9", "", "127.0.0.0/8", "127.0.0.8/29"),
        ("::1", "", "::1", "::1"),
        ("::1", "", "::1", "::/64"),
        ("::1", "", "::/64", "::/0"),
        ("::1", "", "::/48", "::1"),
    ],
)
async def test_the_allow_list_wins_over_a_ban(
    tmp_path: Path, source: str, other: str, allow: str, banned: str
) -> None:
    """Of the address, of a network around it, of one inside the allowed one; whichever came first."""
    with echo_origin() as one:
        plain, allowing = site("a", ["a.test"], one), site("a", ["a.test"], one, allow=[allow])
        async with running(tmp_path) as (lab, edge):
            await edge.put_site(plain)
            assert await status(lab, source) == 200
            await edge.ban(ban(banned))
            assert await status(lab, source) == REFUSED
            await edge.put_site(allowing)
            assert await status(lab, source) == 200
            assert other == "" or await status(lab, other) == REFUSED
            await edge.reload()
            assert await status(lab, source) == 200
            await edge.put_site(plain)
            assert await status(lab, source) == REFUSED
            await edge.unban(parse_network(banned))
            assert await status(lab, source) == 200
            await edge.put_site(allowing)
            await edge.ban(ban(banned))
            assert await status(lab, source) == 200
            await edge.remove_site("a")
            assert await status(lab, source) == REFUSED


@pytest.mark.parametrize(
    ("banned", "inside", "outside"),
    [
        ("127.0.0.8/29", ["127.0.0.8", "127.0.0.15"], ["127.0.0.7", "127.0.0.16", "::1"]),
        ("127.0.0.8", ["127.0.0.8"], ["127.0.0.9", "::1"]),
        ("::1", ["::1"], ["127.0.0.1"]),
        ("0.0.0.0/1", ["127.0.0.1"], []),  # HAProxy takes ::1 for the IPv4-compatible 0.0.0.1
    ],
)
async def test_a_ban_touches_its_network_only(
    tmp_path: Path, banned: str, inside: list[str], outside: list[str]
) -> None:
    with echo_origin() as one:
        async with running(tmp_path, [site("a", ["a.test"], one)]) as (lab, edge):
            await edge.ban(ban(banned))
            assert [await status(lab, each) for each in inside] == [REFUSED] * len(inside)
            assert [await status(lab, each) for each in outside] == [200] * len(outside)
            await edge.unban(parse_network(banned))
            assert [await status(lab, each) for each in inside] == [200] * len(inside)


async def test_haproxy_itself_ends_a_ban(tmp_path: Path) -> None:
    """On time, while no agent runs."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    with echo_origin() as one:
        async with lab(tmp_path) as here:
            async with Edge(here.configuration([site("a", ["a.test"], one)])) as edge:
                await edge.ban(Ban(parse_network("127.0.0.0/8"), end))
                await edge.ban(ban("::1"))
            assert await status(here) == REFUSED
            assert datetime.now(UTC) < end, "too slow to tell"

            async def served() -> bool:
                return await status(here) == 200

            await eventually(served, 6)
            assert time.time() > end.timestamp() - 0.05
            assert await status(here, "::1") == REFUSED


@pytest.mark.parametrize(
    "scope", [SiteScope("a"), CustomerScope("default"), HostScope("a.test"), PathScope("a", "/x/")], ids=str
)
async def test_the_allow_list_never_wins_over_a_block(tmp_path: Path, scope: Scope) -> None:
    with echo_origin() as one:
        document = site("a", ["a.test"], one, allow=["127.0.0.0/8", "::/64"])
        async with running(tmp_path, [document]) as (lab, edge):
            await edge.ban(ban("127.0.0.1"))
            block = enforcement(scope)
            await edge.block(released(block))
            sources = ("127.0.0.1", "::1")
            assert [await status(lab, source, path="/x/") for source in sources] == [403, 403]
            await edge.unblock(block.id)
            assert [await status(lab, source, path="/x/") for source in sources] == [200, 200]


@pytest.mark.parametrize(
    ("allow", "free", "limited"),
    [
        (["127.0.0.9"], ["127.0.0.9"], ["127.0.0.8", "127.0.0.10"]),
        (["127.0.0.0/24"], ["127.0.0.1", "127.0.0.255"], ["127.0.1.1", "127.9.9.9"]),
        (["127.0.0.0/32"], [], ["127.0.0.1", "127.0.9.9"]),
        (["127.128.0.0/9"], ["127.128.0.1", "127.255.255.254"], ["127.0.0.1", "127.127.0.1"]),
        (["127.0.0.0/8"], ["127.0.0.1"], ["::1"]),
        (["::1"], ["::1"], ["127.0.0.1"]),
        (["::/56"], ["::1"], []),
        (["::/128", "::8/125"], [], ["::1"]),
    ],
    ids=" ".join,
)
async def test_the_allow_list_wins_over_the_limit(
    tmp_path: Path, allow: list[str], free: list[str], limited: list[str]
) -> None:
    """For just the networks that it names: one that begins like a wider one is not that one."""
    with echo_origin() as one:
        document = site("a", ["a.test"], one, allow=allow, limits={"requests_per_second": 1})
        async with running(tmp_path, [document]) as (lab, _):
            for source in free:
                assert set(await statuses(lab, 2 * BURST, source)) == {200}, source
            for source in limited:
                await spend(lab, source)


async def test_each_client_of_each_site_has_its_own_limit(tmp_path: Path) -> None:
    """By whichever connections it asks; and ``status`` tells how many requests were refused."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    slow: dict[str, Any] = {"limits": {"requests_per_second": 1}}
    with echo_origin() as one:
        sites = [
            site("a", ["a.test"], one, certificate=certificate, **slow),
            site("b", ["b.test"], one, **slow),
            site("c", ["c.test"], one, limits={"requests_per_second": 0}),
        ]
        async with running(tmp_path, sites) as (lab, edge):
            await spend(lab)
            answer = await ask(lab)
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert answer.headers["cache-control"] == "no-store"
            assert await status(lab, secure=True) == 429
            async with connect(lab.https, tls=trusting(), name="a.test") as wire:
                assert [(await wire.get(b"/", "a.test")).status for _ in range(2)] == [429, 429]
            for source in ("::1", "127.0.0.2"):
                await spend(lab, source)
            await spend(lab, host="b.test")
            assert set(await statuses(lab, 5 * BURST, host="c.test")) == {200}
            await edge.block(released(enforcement(HostScope("c.test"))))
            assert await statuses(lab, 3, host="c.test") == [403] * 3
            rows = {row.name: row for row in (await take_snapshot(edge)).sites}
            assert [rows[name].limited for name in "abc"] == [7, 1, 0]
            assert [rows[name].blocked for name in "abc"] == [0, 0, 3]


async def test_a_ban_longer_than_a_minute_is_refused(tmp_path: Path) -> None:
    """Others may share the address; what is in force stays as it is."""
    with echo_origin() as one:
        async with running(tmp_path, [site("a", ["a.test"], one)]) as (lab, edge):
            with pytest.raises(HoldfastError, match=r"lasts too long.*ban for at most 60 s, and renew it"):
                await edge.ban(ban("127.0.0.9", 62))
            assert (await status(lab, "127.0.0.9"), edge.desired.bans) == (200, {})
            await edge.ban(ban("127.0.0.9", 60))
            with pytest.raises(HoldfastError, match="lasts too long"):
                await edge.ban(ban("127.0.0.9", 3600))
            assert await status(lab, "127.0.0.9") == REFUSED
            assert [str(source) for source in edge.desired.bans] == ["127.0.0.9/32"]
