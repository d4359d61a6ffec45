"""What a block covers, and for how long: this site, not that one; until this second; over every method."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.plan import plan
from holdfast.model.enforcement import CustomerScope, Enforcement, HostScope, PathScope, Scope, SiteScope
from tests.feature.lab import (
    Lab,
    echo_origin,
    enforcement,
    eventually,
    lab,
    released,
    running,
    site,
    write_certificate,
)
from tests.feature.wire import connect, http2

PLACES = [(host, path) for host in ("a.test", "x.b.test", "c.test", "d.test") for path in ("/ok", "/evil/x")]
"""Hosts a and x.b are site one; c is site two of the same customer; d is another customer's."""


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[Lab, Edge]]:
    with echo_origin() as port:
        sites = [
            site("one", ["a.test", "*.b.test"], port, customer="acme"),
            site("two", ["c.test"], port, customer="acme"),
            site("three", ["d.test"], port, customer="other"),
        ]
        async with running(directory, sites) as (made, edge):
            yield made, edge


SCOPES: list[tuple[Scope, list[tuple[str, str]]]] = [
    (CustomerScope("acme"), [place for place in PLACES if place[0] != "d.test"]),
    (SiteScope("one"), [place for place in PLACES if place[0] in ("a.test", "x.b.test")]),
    (HostScope("a.test"), [place for place in PLACES if place[0] == "a.test"]),
    (HostScope("x.b.test"), [place for place in PLACES if place[0] == "x.b.test"]),
    (PathScope("one", "/evil/"), [("a.test", "/evil/x"), ("x.b.test", "/evil/x")]),
]
"""What is blocked, and the places that this touches."""


@pytest.mark.parametrize("authority", ["", "The Court of Test"], ids=["403", "451"])
async def test_a_block_touches_its_scope_and_nothing_else(tmp_path: Path, authority: str) -> None:
    """On a connection that was there before the block, too; and until it is lifted."""
    async with house(tmp_path) as (lab, edge), connect(lab.http) as wire:

        async def statuses() -> dict[tuple[str, str], int]:
            return {(host, path): (await wire.get(path.encode(), host)).status for host, path in PLACES}

        for scope, touched in SCOPES:
            assert set((await statuses()).values()) == {200}
            block = enforcement(scope, authority=authority)
            await edge.block(released(block))
            expected = {place: block.status if place in touched else 200 for place in PLACES}
            assert await statuses() == expected, scope
            await edge.unblock(block.id)
        assert set((await statuses()).values()) == {200}


async def test_a_customers_block_is_one_entry_whatever_it_has(tmp_path: Path) -> None:
    """One decision, one entry that puts it in force, with its record and its document: however many sites."""
    async with house(tmp_path) as (_, edge):
        for number in range(5):
            names = [f"h{each}.s{number}.test" for each in range(20)]
            await edge.put_site(site(f"more-{number}", names, 1, customer="acme"))
        before = edge.reconciler.wanted.copy()
        await edge.block(released(enforcement(CustomerScope("acme"))))
        added = edge.reconciler.wanted.beyond(before)
        assert sorted(name for name, _ in added.maps) == [
            Maps.BLOCK_CUSTOMERS, Maps.BLOCK_PROBLEMS, Maps.BLOCK_RECORDS
        ]  # fmt: skip
        assert len(plan(before, edge.reconciler.wanted).all()) == 3


async def test_every_method_is_blocked(tmp_path: Path) -> None:
    async with house(tmp_path) as (lab, edge):
        await edge.block(released(enforcement(SiteScope("one"))))
        async with lab.client("a.test") as client:
            for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE") * 2:
                body = b"x" * 8_000 if method in ("POST", "PUT") else None
                answer = await client.request(method, "/", content=body)
                assert (answer.status_code, answer.headers["content-type"]) == (
                    403,
                    "text/html; charset=utf-8",
                )
                assert bool(answer.content) == (method != "HEAD")


async def test_a_big_upload_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    """For who asks before, and over HTTP/2. (What else comes over HTTP/1.1 is reset by HAProxy 2.6.)"""
    certificate = str(write_certificate(tmp_path / "a.pem", "a.test"))
    async with running(tmp_path, [site("one", ["a.test"], 1, certificate=certificate)]) as (lab, edge):
        await edge.block(released(enforcement(SiteScope("one"))))
        async with connect(lab.http) as wire:
            big = ("Expect: 100-continue", "Content-Length: 4000000")
            assert (await wire.get(b"/", "a.test", *big, method="POST")).status == 403
        async with http2(lab.https, "a.test") as streams:
            stream = streams.start("a.test", "/", ("content-length", "4000000"), method="POST", end=False)
            streams.send(stream, b"x" * 16_000)
            assert (await streams.headers(stream)).status == 403


async def test_of_two_blocks_on_one_scope_the_longest_is_shown(tmp_path: Path) -> None:
    async with house(tmp_path) as (lab, edge):
        short = enforcement(SiteScope("one"), until=datetime.now(UTC) + timedelta(minutes=10))
        long = enforcement(SiteScope("one"), authority="A Court")
        for lift, left, status in ((None, long, 451), (long, short, 403), (short, None, 200)):
            if lift is None:
                await asyncio.gather(edge.block(released(long)), edge.block(released(short)))
            else:
                await edge.unblock(lift.id)
            answer = await lab.get("a.test")
            assert answer.status_code == status
            assert left is None or left.id in answer.text


async def test_a_site_that_comes_after_its_block_is_never_served(tmp_path: Path) -> None:
    async with house(tmp_path) as (lab, edge):
        await edge.block(released(enforcement(SiteScope("late"))))
        await edge.block(released(enforcement(CustomerScope("newcomer"))))
        await edge.block(released(enforcement(HostScope("later.test"))))
        seen: set[int] = set()

        async def ask(host: str) -> None:
            async with connect(lab.http) as wire:
                while True:
                    seen.add((await wire.get(b"/", host)).status)

        asking = [asyncio.create_task(ask(host)) for host in ("late.test", "latest.test", "later.test") * 2]
        (port,) = (origin.port for origin in edge.desired.sites["one"].origins)
        await edge.put_site(site("late", ["late.test"], port))
        await edge.put_site(site("latest", ["latest.test"], port, customer="newcomer"))
        await edge.put_site(site("later", ["later.test"], port))
        for host in ("late.test", "latest.test", "later.test"):
            assert (await lab.get(host)).status_code == 403
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert seen == {403, 421}


ENDS = [
    ("/", ["site"], None),
    ("/evil/x", ["/evil/", "/evil/x/"], None),
    ("/", ["customer"], "site"),
    ("/", ["customer", "site"], "hostname"),
    ("/evil/x/y", ["hostname"], "/evil/"),
    ("/evil/x/y", ["/evil/x/"], "/evil/"),
    ("/evil/x/y", ["/evil/", "site"], "/evil/x/"),
]
"""A path; the scopes of blocks that end; the scope of one that does not."""


async def test_haproxy_itself_ends_a_block(tmp_path: Path) -> None:
    """The agent is gone by then. A block that has ended does not hide one that has not."""
    hosts = [f"h{number}.test" for number in range(len(ENDS))]
    with echo_origin() as port:
        sites = [site(host[:2], [host], port, customer=f"owner-{host[:2]}") for host in hosts]
        async with lab(tmp_path) as here:

            async def answers() -> list[httpx.Response]:
                return [await here.get(host, path) for host, (path, _, _) in zip(hosts, ENDS, strict=True)]

            lasting: list[Enforcement | None] = []
            started = time.monotonic()
            async with Edge(here.configuration(sites)) as edge:
                assert {answer.status_code for answer in await answers()} == {200}
                for host, (_, _, left) in zip(hosts, ENDS, strict=True):
                    lasting.append(enforcement(_scope(left, host)) if left else None)
                    if lasting[-1]:
                        await edge.block(released(lasting[-1]))
                # Time enough on a machine as slow as this one is just now.
                end = datetime.now(UTC) + timedelta(seconds=1.5 + 2 * (time.monotonic() - started))
                for host, (_, ending, _) in zip(hosts, ENDS, strict=True):
                    for kind in ending:
                        await edge.block(released(enforcement(_scope(kind, host), until=end)))
            assert [answer.status_code for answer in await answers()] == [403] * len(ENDS)

            async def over() -> bool:
                return {answer.status_code for answer in (await answers())[:2]} == {200}

            await eventually(over, 20)
            assert datetime.now(UTC) > end - timedelta(seconds=1)  # HAProxy's clock counts seconds
            for answer, block in zip(await answers(), lasting, strict=True):
                assert answer.status_code == (403 if block else 200)
                assert block is None or block.id in answer.text


def _scope(kind: str, host: str) -> Scope:
    scopes: dict[str, Scope] = {
        "customer": CustomerScope(f"owner-{host[:2]}"),
        "site": SiteScope(host[:2]),
        "hostname": HostScope(host),
    }
    return scopes.get(kind) or PathScope(host[:2], kind)
