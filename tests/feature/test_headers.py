"""What the origin is told about the client: only by the edge, whatever the client says. And no circles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.status import take_snapshot
from tests.feature.lab import Lab, lab, running, site, write_certificate
from tests.feature.origins import Origin, Received, origin
from tests.feature.wire import WEBSOCKET, Wire, connect, http2, trusting

NAMES = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "Forwarded",
    "X-Real-IP",
    "X-Holdfast-Cleared",
    "X-Holdfast-",
)


def spellings(name: str) -> list[str]:
    """CGI and WSGI make ``_`` of ``-``, so that for an origin all of these are one name."""
    first, _, last = name.rpartition("-")
    mixed = f"{first}_{last}" if first else name
    return [name, name.lower(), name.upper(), name.replace("-", "_"), mixed, name.replace("-", ".")]


LIES = [f"{spelling}: evil" for name in NAMES for spelling in spellings(name)]


def told(request: Received) -> dict[str, list[str]]:
    """What a request tells about its client, by names as a CGI sees them."""
    said: dict[str, list[str]] = {}
    for name, value in request.headers:
        plain = name.replace("_", "-").replace(".", "-")
        if plain.startswith(("x-forwarded", "forwarded", "x-real", "x-holdfast")):
            said.setdefault(plain, []).append(value)
    return said


def truth(client: str = "127.0.0.1", proto: str = "http") -> dict[str, list[str]]:
    """An IPv6 address stands in brackets and quotes in ``Forwarded`` (RFC 7239, section 6)."""
    node = f'"[{client}]"' if ":" in client else client
    return {
        "x-forwarded-for": [client],
        "x-forwarded-proto": [proto],
        "x-real-ip": [client],
        "forwarded": [f"for={node}"],
    }


async def test_what_a_client_says_of_itself_never_arrives(tmp_path: Path) -> None:
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        for lines in ([], *([lie] for lie in LIES), LIES[:50], LIES[-50:], ["X-Forwarded-For: evil"] * 9):
            async with connect(lab.http) as wire:
                assert (await wire.get(b"/", "a.test", *lines)).status == 200, lines
            assert told(one.requests[-1]) == truth(), lines
            assert "evil" not in str(one.requests[-1].headers), lines


async def test_what_a_client_says_over_http2_never_arrives(tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    lies = sorted({(lie.partition(":")[0].lower(), "evil") for lie in LIES})
    async with origin() as one:
        sites = [site("a", ["a.test"], one.port, certificate=certificate)]
        async with running(tmp_path, sites) as (lab, _), http2(lab.https, "a.test") as client:
            assert (await client.get2("a.test", "/", *lies[:30])).status == 200
            assert told(one.requests[-1]) == truth(proto="https")
            assert "evil" not in str(one.requests[-1].headers)


@pytest.mark.parametrize(
    "raw",
    [
        b"X-Forwarded-For: evil\r\n evil\r\n",
        b"X-Forwarded-For:\r\n\tevil\r\n",
        b"X-Other: 1\r\n X-Forwarded-For: evil\r\n",
        b"X-Forwarded-For : evil\r\n",
        b"X-Forwarded-For\t: evil\r\n",
        b" X-Forwarded-For: evil\r\n",
        b"X-Other: 1\rX-Forwarded-For: evil\r\n",
        b"X-Other: 1\nX-Forwarded-For: evil\r\n",
        b"X-Other: 1\0\nX-Forwarded-For: evil\r\n",
        b"X-Forwarded-For\0: evil\r\n",
    ],
)
async def test_folded_and_malformed_lines_smuggle_nothing(tmp_path: Path, raw: bytes) -> None:
    """Either the request is refused, or the origin reads of it what it should."""
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        async with connect(lab.http) as wire:
            answer = await wire.ask(b"GET / HTTP/1.1\r\nHost: a.test\r\n" + raw + b"\r\n")
        assert answer.status in (200, 400, 421)
        assert [told(request) for request in one.requests] == [truth()] * (answer.status == 200)


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "X-Real-IP", "forwarded", "CDN-Loop"],
)
async def test_a_client_cannot_have_what_the_edge_says_dropped(tmp_path: Path, name: str) -> None:
    """``Connection`` names what the next hop has to remove (RFC 9110, section 7.6.1)."""
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        for line in (
            f"Connection: {name}",
            f"Connection: keep-alive, {name}, X-Other",
            f"Connection:,{name} ",
        ):
            async with connect(lab.http) as wire:
                assert (await wire.get(b"/", "a.test", line)).status == 200
            request = one.requests[-1]
            named = {each.strip().lower() for value in request.all("connection") for each in value.split(",")}
            assert name.lower() not in named, line
            assert told(request) == truth()
            assert len(request.all("cdn-loop")) == 1


async def test_the_origin_is_told_who_came_and_how(tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    async with origin() as one:
        sites = [site("a", ["a.test"], one.port, certificate=certificate)]
        async with running(tmp_path, sites) as (lab, _):
            for source in ("127.0.0.1", "127.5.6.7", "::1"):
                for secure in (False, True):
                    for host in ("a.test", "A.test:8443"):
                        await ask_from(lab, source, secure, host)
                        expected = truth(source, "https" if secure else "http")
                        assert told(one.requests[-1]) == expected, (source, secure, host)
            async with connect(lab.http) as wire:
                wire.writer.write(
                    b"GET / HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: evil\r\n"
                    + "\r\n".join((*WEBSOCKET, "", "")).encode()
                )
                assert (await wire.head()).status == 101
            assert told(one.requests[-1]) == truth()


async def ask_from(lab: Lab, source: str, secure: bool, host: str) -> None:
    address, port = "::1" if ":" in source else "127.0.0.1", lab.https if secure else lab.http
    tls: dict[str, Any] = {"ssl": trusting(), "server_hostname": "a.test"} if secure else {}
    reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0), **tls)
    assert (await Wire(reader, writer).get(b"/", host)).status == 200
    writer.close()


async def own_id(lab: Lab, one: Origin) -> str:
    """By what name the edge calls itself in CDN-Loop."""
    await lab.get("a.test")
    (name,) = one.requests[-1].all("cdn-loop")
    return name


async def test_a_request_that_has_been_here_is_refused(tmp_path: Path) -> None:
    """However the edge's own name stands in the list, the request goes no further (RFC 8586)."""
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        me = await own_id(lab, one)
        for lines in (
            [f"CDN-Loop: {me}"],
            [f"cdn-loop: other.example, {me}; v=1, third"],
            [f"CDN-Loop: {me}", "CDN-Loop: other.example"],
            ["CDN-Loop: other.example", f"CDN-Loop: {me}"],
            ["CDN-Loop: other.example", f"CDN-Loop: x,{me}", "CDN-Loop: third"],
            [f"CDN-Loop: {me}", "Connection: CDN-Loop"],
        ):
            async with connect(lab.http) as wire:
                assert (await wire.get(b"/", "a.test", *lines)).status == 508, lines
        assert len(one.requests) == 1


async def test_the_loop_header_of_another_is_extended(tmp_path: Path) -> None:
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port)]) as (lab, _):
        me = await own_id(lab, one)
        for lines in (["cdn.example; a=1"], ["one.example", "two.example, three"], ["holdfast-0000"]):
            async with connect(lab.http) as wire:
                answer = await wire.get(b"/", "a.test", *(f"CDN-Loop: {line}" for line in lines))
            assert answer.status == 200
            assert ", ".join(one.requests[-1].all("cdn-loop")) == ", ".join((*lines, me))


async def test_two_edges_that_point_at_each_other_end_in_508(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with lab(tmp_path / "one") as one, lab(tmp_path / "two") as two, origin() as real:
        circle = [site("a", ["a.test"], one.http), site("b", ["b.test"], real.port)]
        async with Edge(one.configuration()) as first, Edge(two.configuration(circle)) as second:
            await first.put_site(site("a", ["a.test", "b.test"], two.http))
            assert (await one.get("a.test")).status_code == 508
            assert (await two.get("a.test")).status_code == 508
            counts = [(await take_snapshot(edge)).sites[0].requests for edge in (first, second)]
            assert sum(counts) <= 4
            assert (await one.get("b.test")).status_code == 200
            assert len(", ".join(real.requests[-1].all("cdn-loop")).split(",")) == 2
