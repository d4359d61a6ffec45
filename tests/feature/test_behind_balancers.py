"""Behind balancers the client is who they say it is, and nobody else is believed: limits, bans, allow lists
and what the origin is told follow the real client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.model.ban import Ban, parse_network
from tests.feature.balancers import REFUSED, ask, begin, v1, v2
from tests.feature.lab import running, site, write_certificate
from tests.feature.origins import Origin, origin

BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT, OTHER = "198.51.100.7", "198.51.100.8"
CLIENT6, NEIGHBOUR6, OTHER6 = "2001:db8:0:1::7", "2001:db8:0:1::8", "2001:db8:0:2::7"
BEHIND = pytest.mark.parametrize(
    ("client", "neighbour", "other"),
    [(CLIENT, CLIENT, OTHER), (CLIENT6, NEIGHBOUR6, OTHER6)],
    ids=["IPv4", "IPv6"],
)
"""A client, another address that counts as the same one, and another client."""


def ban(source: str) -> Ban:
    return Ban(parse_network(source), datetime.now(UTC) + timedelta(seconds=60))


def told(one: Origin) -> list[str]:
    """Whom the origin was told to have sent the last request."""
    request = one.requests[-1]
    return request.all("x-forwarded-for") + request.all("x-real-ip")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("header", [v1, v2])
@BEHIND
async def test_a_balancer_that_speaks_the_proxy_protocol_names_the_client(
    tmp_path: Path, header: Callable[[str], bytes], client: str, neighbour: str, other: str, tls: bool
) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    limits = {"requests_per_second": 1, "burst": 2}
    async with origin() as one:
        sites = [
            site("a", ["a.test"], one.port, certificate=certificate, limits=limits),
            site("b", ["b.test"], one.port, allow=[client]),
        ]
        async with running(tmp_path, sites, proxies=[BALANCER]) as (lab, edge):

            async def status(source: str, host: str = "a.test") -> int:
                return (await ask(lab, BALANCER, header(source), host=host, tls=tls)).status

            assert await status(client) == 200
            assert told(one) == [client, client]
            assert [await status(neighbour), await status(client), await status(neighbour)] == [200, 429, 429]
            assert [await status(other), await status(other), await status(other)] == [200, 200, 429]
            assert told(one) == [other, other]
            await edge.ban(ban(other))
            assert [await status(other, "b.test"), await status(client, "b.test")] == [REFUSED, 200]
            await edge.ban(ban(client))
            assert await status(client, "b.test") == 200, "it is on an allow list"
            await edge.ban(ban(BALANCER))
            assert await status(client, "b.test") == 200, "that is nobody's address here"
            assert await status(other, "b.test") == REFUSED


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("header", [v1(CLIENT), v2(CLIENT), v1(CLIENT6)], ids=["v1", "v2", "v1 IPv6"])
async def test_nobody_else_is_believed(tmp_path: Path, header: bytes, tls: bool) -> None:
    """And who is to be believed must say it: else who gets past the balancer would be taken for it."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    async with origin() as one:
        document = site("a", ["a.test"], one.port, certificate=certificate)
        async with running(tmp_path, [document], proxies=[BALANCER]) as (lab, _):
            for source in (STRANGER, "::1"):
                assert (await ask(lab, source, header, tls=tls)).status in (REFUSED, 400)
            assert (await ask(lab, BALANCER, tls=tls)).status in (REFUSED, 400)
            assert one.requests == []
            assert (await ask(lab, STRANGER, tls=tls)).status == 200, "without a header it is just a client"
            assert told(one) == [STRANGER, STRANGER]


async def test_connections_are_counted_for_the_client_behind_the_balancer(tmp_path: Path) -> None:
    async with (
        origin() as one,
        running(
            tmp_path, [site("a", ["a.test"], one.port)], proxies=[BALANCER], connections_per_second=1
        ) as (lab, _),
    ):
        first = [(await ask(lab, BALANCER, v1(CLIENT))).status for _ in range(14)]
        assert first[:9] == [200] * 9
        assert first[-2:] == [REFUSED] * 2
        assert (await ask(lab, BALANCER, v1(OTHER))).status == 200


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ((f"X-Forwarded-For: {CLIENT}",), CLIENT),
        ((f"X-Forwarded-For: 192.0.2.1, {CLIENT}",), CLIENT),
        (("X-Forwarded-For: 192.0.2.1", f"X-Forwarded-For: {CLIENT}"), CLIENT),
        ((f"X-Forwarded-For: {CLIENT6}",), CLIENT6),
        ((f"X-Forwarded-For: {CLIENT}", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1"), CLIENT),
        (("X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1"), BALANCER),
        (("X-Forwarded-For: nonsense",), BALANCER),
        ((f"X-Forwarded-For: {CLIENT}, unknown",), BALANCER),
        ((), BALANCER),
    ],
    ids=str,
)
async def test_of_a_forwarder_the_last_entry_counts(
    tmp_path: Path, lines: tuple[str, ...], client: str
) -> None:
    async with origin() as one:
        document = site("a", ["a.test"], one.port)
        async with running(tmp_path, [document], forwarders=[BALANCER]) as (lab, _):
            assert (await ask(lab, BALANCER, b"", *lines)).status == 200
            assert told(one) == [client, client]
            name = f'for="[{client}]"' if ":" in client else f"for={client}"
            assert one.requests[-1].all("forwarded") == [name]
            assert (await ask(lab, STRANGER, b"", *lines)).status == 200
            assert told(one) == [STRANGER, STRANGER], "nobody else is believed"


@BEHIND
async def test_limits_and_bans_find_the_client_behind_a_forwarder(
    tmp_path: Path, client: str, neighbour: str, other: str
) -> None:
    """Each request of a connection may be another client's."""
    async with origin() as one:
        sites = [
            site("a", ["a.test"], one.port, limits={"requests_per_second": 1, "burst": 2}),
            site("b", ["b.test"], one.port),
            site("c", ["c.test"], one.port, allow=[client]),
        ]
        async with running(tmp_path, sites, forwarders=[BALANCER]) as (lab, edge):
            wire = await begin(lab, BALANCER)

            async def status(source: str, host: str = "a.test") -> int:
                return (await wire.get(b"/", host, f"X-Forwarded-For: {source}")).status

            assert [await status(client), await status(neighbour), await status(client)] == [200, 200, 429]
            assert [await status(other), await status(other), await status(other)] == [200, 200, 429]
            await edge.ban(ban(other))
            assert [await status(other, "b.test"), await status(client, "b.test")] == [403, 200]
            await edge.ban(ban(client))
            assert await status(client, "b.test") == 200, "some site has it on its allow list"
            await edge.unban(parse_network(other))
            assert await status(other, "b.test") == 200
            wire.writer.close()


async def test_a_ban_of_the_forwarder_itself(tmp_path: Path) -> None:
    """Refuses all who come through it, like any other banned source, and for a minute at most."""
    async with origin() as one:
        document = site("a", ["a.test"], one.port)
        async with running(tmp_path, [document], forwarders=[BALANCER]) as (lab, edge):
            line = f"X-Forwarded-For: {CLIENT}"
            assert (await ask(lab, BALANCER, b"", line)).status == 200
            await edge.ban(ban(BALANCER))
            assert (await ask(lab, BALANCER, b"", line)).status == REFUSED
            await edge.unban(parse_network(BALANCER))
            assert (await ask(lab, BALANCER, b"", line)).status == 200


async def test_a_forwarder_says_whether_a_visitor_came_over_https(tmp_path: Path) -> None:
    """Else a site that leads to HTTPS would send visitors round in circles."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    line = f"X-Forwarded-For: {CLIENT}"
    async with origin() as one:
        document = site("a", ["a.test"], one.port, certificate=certificate, https="strict")
        async with running(tmp_path, [document], forwarders=[BALANCER]) as (lab, _):
            for more, status in (
                (("X-Forwarded-Proto: https",), 200),
                (("X-Forwarded-Proto: HTTPS",), 200),
                (("X-Forwarded-Proto: http",), 308),
                ((), 308),
            ):
                answer = await ask(lab, BALANCER, b"", line, *more)
                assert answer.status == status, more
                assert ("strict-transport-security" in answer.headers) == (status == 200)
                if status == 200:
                    assert one.requests[-1].all("x-forwarded-proto") == ["https"]
            assert (await ask(lab, STRANGER, b"", line, "X-Forwarded-Proto: https")).status == 308
            assert (await ask(lab, BALANCER, b"", line, tls=True)).status == 200
            assert len(one.requests) == 3
