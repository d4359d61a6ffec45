"""What one client may take of a site: requests a second with a burst, exact to the request, by whichever
protocol; requests at once; bytes; the length of a body. A client is an IPv4 address or an IPv6 /64."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from tests.feature.clients import BURST, ask, spend, status, statuses
from tests.feature.lab import Lab, eventually, ipv6_network, running, site, write_certificate
from tests.feature.load import ANY_RATE, wrk
from tests.feature.origins import Origin, origin
from tests.feature.wire import Answer, connect, http2, trusting

V4 = "127.0.0.1"
LENGTHS_BEYOND_32_BITS = (2**31, 3 * 2**30, 2**32 + 1, 2**50)
Asker = Callable[[], Awaitable[Answer]]


@asynccontextmanager
async def serving(directory: Path, **limits: Any) -> AsyncIterator[tuple[Lab, Edge, Origin]]:
    """Site ``a`` with limits, ``b`` with those of a new site; over TLS, too."""
    certificate = str(write_certificate(directory / "one.pem", "a.test"))
    async with origin() as one:
        sites = [site("b", ["b.test"], one.port)]
        async with running(directory, sites) as (lab, edge):
            await edge.put_site(
                site("a", ["a.test"], one.port, certificate=certificate, allow=["127.0.0.7"], limits=limits)
            )
            yield lab, edge, one


@asynccontextmanager
async def asking(lab: Lab, source: str, protocol: str) -> AsyncIterator[Asker]:
    """Asks for one page after the other on a connection that is kept."""
    if protocol == "h2":
        async with http2(lab.https, "a.test", source) as client:
            yield lambda: client.get2("a.test", "/")
    else:
        tls = trusting() if protocol == "tls" else None
        port, name = (lab.http, None) if tls is None else (lab.https, "a.test")
        async with connect(port, tls=tls, name=name, source=source) as wire:
            yield lambda: wire.get(b"/", "a.test")


async def test_the_burst_and_the_rate_are_exact(tmp_path: Path) -> None:
    """As many at once as the burst; then one each time the rate has one more, whatever is asked between."""
    with ipv6_network() as network:
        clients = [
            (source.format(number), protocol)
            for source in ("127.0.3.{}", network + ":{}::1")
            for number, protocol in enumerate(("http/1.1", "tls", "h2"))
        ]
        async with serving(tmp_path, requests_per_second=2, burst=6) as (lab, _, one):
            passed = await asyncio.gather(*(is_held_to_its_rate(lab, *client) for client in clients))
            assert len(one.requests) == sum(passed), "what is refused never arrives"


async def is_held_to_its_rate(lab: Lab, source: str, protocol: str) -> int:
    """Two requests a second, after a burst of six; how many passed."""
    async with asking(lab, source, protocol) as ask_again:
        begun = time.monotonic()
        first = [await ask_again() for _ in range(7)]
        assert [each.status for each in first] == [200] * 6 + [429], (source, protocol)
        assert first[-1].headers["retry-after"] == "1"
        known = time.monotonic()
        passed = 0
        while time.monotonic() < known + 2.2:
            passed += (await ask_again()).status == 200
            await asyncio.sleep(0.02)
        least, most = int((time.monotonic() - known) * 2), int((time.monotonic() - begun) * 2)
        assert least <= passed <= most, (source, protocol)
        refused = await ask_again()
        while refused.status == 200:  # just now there was one more
            passed, refused = passed + 1, await ask_again()
        await asyncio.sleep(int(refused.headers["retry-after"]))
        assert (await ask_again()).status == 200
        return 6 + passed + 1


async def test_retry_after_is_when_the_next_one_passes(tmp_path: Path) -> None:
    """However far ahead of its rate a client is: the limit was lower a moment ago. And not before."""
    async with serving(tmp_path, requests_per_second=1, burst=4) as (lab, edge, one):
        await spend(lab, burst=4)
        certificate = str(tmp_path / "one.pem")
        await edge.put_site(
            site(
                "a",
                ["a.test"],
                one.port,
                certificate=certificate,
                limits={"requests_per_second": 1, "burst": 2},
            )
        )
        assert (await ask(lab)).headers["retry-after"] == "3"
        await asyncio.sleep(1.5)
        answer = await ask(lab)
        assert (answer.status, answer.headers["retry-after"]) == (429, "2")
        await asyncio.sleep(2)
        assert await statuses(lab, 2) == [200, 429]


async def test_clients_are_addresses_and_64s(tmp_path: Path) -> None:
    """And each site has its own count of each client, however it comes."""
    with ipv6_network() as network:
        async with serving(tmp_path, requests_per_second=1) as (lab, _, _):
            await spend(lab, f"{network}:1::1")
            for same in (f"{network}:1::2", f"{network}:1:ffff:ffff:ffff:ffff"):
                assert [await status(lab, same, secure=secure) for secure in (False, True)] == [429, 429]
            await spend(lab, f"{network}:2::1")
            await spend(lab, f"{network}:0:ffff::1")
            await spend(lab, "127.0.0.1")
            await spend(lab, "127.0.0.2")
            assert set(await statuses(lab, BURST, f"{network}:1::1", "b.test")) == {200}
            assert set(await statuses(lab, 3 * BURST, "127.0.0.7")) == {200}, "the allow list wins"


async def test_a_limit_is_changed_and_removed_at_run_time(tmp_path: Path) -> None:
    """A client keeps what it has used: it may have just as many more as the new limit is higher."""
    async with origin() as one, running(tmp_path) as (lab, edge):

        async def limit(rate: int, burst: int | None = None) -> None:
            limits = {"requests_per_second": rate, "burst": burst}
            await edge.put_site(site("a", ["a.test"], one.port, limits=limits))

        await limit(1)
        await spend(lab)
        await limit(1, 2 * BURST)
        assert await statuses(lab, BURST + 1) == [200] * BURST + [429]
        await limit(1)
        assert (await ask(lab)).headers["retry-after"] == str(BURST + 1)
        await limit(0)
        assert set(await statuses(lab, 5 * BURST)) == {200}
        await limit(1)
        await spend(lab, "127.0.0.2")


async def test_without_a_rate_nobody_is_refused(tmp_path: Path) -> None:
    """However much comes from one address, through all of HAProxy's threads. The pages are redirects."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    document = site("a", ["a.test"], 9, certificate=certificate, https="redirect", limits=ANY_RATE)
    async with running(tmp_path, [document], threads=2) as (lab, _):
        async with wrk(lab.http, "a.test") as load:
            await asyncio.sleep(0.5)
        assert load.requests > 1_000
        assert load.failures == []


async def test_the_first_requests_of_a_client_may_come_together(tmp_path: Path) -> None:
    """On several of HAProxy's threads: each reads what another may just have charged. The client is made new
    again thousands of times. (``gpt0`` wraps around: a fault would show in half of each 71 minutes.)"""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    limits = {"requests_per_second": 100_000, "burst": 1_000_000}
    document = site("a", ["a.test"], 9, certificate=certificate, https="redirect", limits=limits)
    async with running(tmp_path, [document], threads=2) as (lab, edge):
        key = f"{V4}|{edge.desired.ids['a']}"
        async with wrk(lab.http, "a.test") as load:
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                await edge.runtime.scan(f"set table clients key {key} data.gpt0 0")
        assert load.requests > 1_000
        assert load.failures == []


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
async def test_requests_at_once(tmp_path: Path, family: str, protocol: str) -> None:
    """Those being answered count, on however many connections; others are served meanwhile."""
    with ipv6_network() as network:
        sources = [V4] * 6 if family == "IPv4" else [f"{network}::{number}" for number in range(1, 7)]
        async with AsyncExitStack() as stack, serving(tmp_path, requests_at_once=5) as (lab, _, one):
            held: list[asyncio.Future[Answer]] = []
            if protocol == "h2":
                client = await stack.enter_async_context(http2(lab.https, "a.test", sources[0]))
                streams = [client.start("a.test", "/?held=1") for _ in range(5)]
                held += [asyncio.ensure_future(client.whole(stream)) for stream in streams]
            else:
                held += [asyncio.ensure_future(ask(lab, each, path="/?held=1")) for each in sources[:5]]
            await eventually(lambda: one.open == 5)
            refused = await ask(lab, sources[5])
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert [await status(lab, each) for each in ("127.0.0.2", "::1")] == [200, 200]
            assert await status(lab, sources[5], "b.test") == 200
            allowed = [asyncio.ensure_future(ask(lab, "127.0.0.7", path="/?held=1")) for _ in range(7)]
            await eventually(lambda: one.open == 5 + 7)
            one.release.set()
            assert [each.status for each in await asyncio.gather(*held, *allowed)] == [200] * (5 + 7)
            assert set(await statuses(lab, 3, sources[5])) == {200}


@pytest.mark.parametrize("way", ["down", "up"])
async def test_bytes(tmp_path: Path, way: str) -> None:
    """What is over is refused at the next request, until the average over ten seconds is low enough."""
    async with serving(tmp_path, bytes_per_second=20_000) as (lab, _, one):

        async def move(source: str) -> int:
            body = bytes(250_000 if way == "up" else 0)
            head = (
                f"POST /?count={250_000 - len(body)} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {len(body)}"
            )
            async with connect(lab.http, source=source) as wire:
                return (await wire.ask(head.encode() + b"\r\n\r\n" + body)).status

        assert [await status(lab, source) for source in (V4, "127.0.0.2")] == [200, 200]
        assert [await move(source) for source in (V4, "127.0.0.7", "127.0.0.7")] == [200] * 3
        seen = len(one.requests)
        refused = await ask(lab)
        assert (refused.status, refused.headers["retry-after"]) == (429, "10")
        assert len(one.requests) == seen
        assert [await status(lab, source) for source in ("127.0.0.2", "127.0.0.7")] == [200, 200]
        assert await status(lab, host="b.test") == 200


async def test_the_length_of_a_body(tmp_path: Path) -> None:
    """Refused by what it says of itself, before any of it arrives at the origin."""
    async with serving(tmp_path, body_bytes=1_000) as (lab, _, one):
        for source, host, length, expected in (
            *((source, "a.test", 1_000, 200) for source in (V4, "::1")),
            *((source, "a.test", 1_001, 413) for source in (V4, "::1")),
            *((V4, "a.test", length, 413) for length in LENGTHS_BEYOND_32_BITS),
            ("127.0.0.7", "a.test", 1_001, 200),
            (V4, "b.test", 1_001, 200),
        ):
            seen = len(one.requests)
            async with connect(lab.http, source=source) as wire:
                head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
                answer = await wire.ask(head.encode() + bytes(min(length, 1_001)))
            assert answer.status == expected, (source, host, length)
            assert len(one.requests) - seen == (expected == 200)
        async with http2(lab.https, "a.test") as client:
            stream = client.start("a.test", "/", ("content-length", "1001"), method="PUT", end=False)
            assert (await client.headers(stream)).status == 413
        assert not [request for request in one.requests if request.method == "PUT"]
