"""What a site and its visitors say to each other passes as it is: long, streamed, upgraded, in any form."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as websocket

from tests.feature.lab import Lab, running, site, write_certificate
from tests.feature.origins import BLOCK, Origin, origin
from tests.feature.wire import connect, http2, serving, trusting

HOST = "a.test"
DOORS = ("http", "https", "h2")
BIG = {"http": 32 << 20, "https": 32 << 20, "h2": 12 << 20}
"""Bytes by door: the HTTP/2 client is slow, as it is written in Python."""
PING = b"\x81\x84\0\0\0\0ping"


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[tuple[Lab, Origin]]:
    """A site over HTTP and HTTPS, its certificate in ``a.pem``."""
    certificate = str(write_certificate(directory / "a.pem", HOST))
    async with (
        origin() as content,
        running(directory, [site("a", [HOST], content.port, certificate=certificate)]) as (lab, _),
    ):
        yield lab, content


def visitor(lab: Lab, door: str) -> httpx.AsyncClient:
    """A client that comes by ``door``, and trusts the site's own certificate only."""
    if door == "http":
        return lab.client(HOST)
    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{lab.https}",
        headers={"host": HOST},
        verify=trusting(lab.directory / "a.pem"),
        http1=door == "https",
        http2=door == "h2",
    )


NAMED: dict[str, Any] = {"extensions": {"sni_hostname": HOST}}


@pytest.mark.parametrize("door", ["http", "https"])
async def test_a_websocket_speaks_both_ways(tmp_path: Path, door: str) -> None:
    """With the client that applications use; text, and a message of a megabyte."""
    async with served(tmp_path) as (lab, _):
        tls = trusting(lab.directory / "a.pem") if door == "https" else None
        port = lab.https if tls else lab.http
        uri = f"{'wss' if tls else 'ws'}://{HOST}/chat"
        async with websocket(uri, host="127.0.0.1", port=port, ssl=tls, proxy=None) as client:
            for message in ("hello", "é" * 500_000, "bye"):
                await client.send(message)
                assert await client.recv() == message


async def test_a_websocket_over_http2(tmp_path: Path) -> None:
    """As browsers open one where they have an HTTP/2 connection already (RFC 8441)."""
    async with served(tmp_path) as (lab, _), http2(lab.https, HOST) as wire:
        stream = wire.start_websocket(HOST, "/chat")
        assert (await wire.headers(stream)).status == 200
        wire.send(stream, PING)
        echo = await anext(wire.bodies(stream))
        assert echo == b"\x81\x04ping"


@pytest.mark.parametrize("door", DOORS)
async def test_events_arrive_when_they_are_sent(tmp_path: Path, door: str) -> None:
    """The response has no end yet, and no event waits for the next one."""
    async with (
        served(tmp_path) as (lab, content),
        visitor(lab, door) as client,
        client.stream("GET", "/?do=told", **NAMED) as answer,
    ):
        events = answer.aiter_text()
        assert await anext(events) == "data: 0\n\n"
        delays = []
        for number in range(1, 6):
            sent = time.perf_counter()
            content.release.set()
            assert await anext(events) == f"data: {number}\n\n"
            delays.append(time.perf_counter() - sent)
        assert min(delays) < 0.1, delays  # HAProxy would hold each back for 200 ms to fill its packet


@pytest.mark.parametrize("door", DOORS)
async def test_big_bodies_arrive_whole(tmp_path: Path, door: str) -> None:
    """Up, with and without a length known beforehand, and down."""
    async with served(tmp_path) as (lab, content), visitor(lab, door) as client:
        size = BIG[door]
        body = BLOCK * (size // len(BLOCK))
        digest = hashlib.sha256(body).hexdigest()

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, size, 1 << 20):
                yield body[start : start + (1 << 20)]

        for upload in (body, parts()):
            answer = await client.post("/up", content=upload, timeout=30, **NAMED)
            assert answer.headers["x-body-hash"] == digest
        received = hashlib.sha256()
        async with client.stream("GET", f"/down?count={size}", timeout=30, **NAMED) as answer:
            async for part in answer.aiter_raw():
                received.update(part)
        assert received.hexdigest() == digest
        assert [request.body_bytes for request in content.requests] == [size, size, 0]


@pytest.mark.parametrize("door", ["http", "https"])
async def test_expect_continue_is_the_origins_to_answer(tmp_path: Path, door: str) -> None:
    """RFC 9110, section 10.1.1: the body is sent only once the origin wants it."""
    async with served(tmp_path) as (lab, content):
        tls = trusting() if door == "https" else None
        async with connect(lab.https if tls else lab.http, tls=tls, name=HOST if tls else None) as wire:
            wire.writer.write(
                b"POST /up HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            )
            assert (await wire.head()).status == 100
            assert len(content.requests) == 1
            answer = await wire.ask(b"body")
            assert (answer.status, answer.headers["x-body-bytes"]) == (200, "4")


async def test_chunks_and_trailers_pass_in_both_directions(tmp_path: Path) -> None:
    async with served(tmp_path) as (lab, content), connect(lab.http) as wire:
        answer = await wire.ask(
            b"POST /?do=trailers HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTrailer: X-Check\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;ext=1\r\nbc\r\n0\r\nX-Check: 900150\r\n\r\n"
        )
        assert (answer.body, answer.trailers) == (b"abc", {"x-sum": "abc"})
        (request,) = content.requests
        assert request.body_hash == hashlib.sha256(b"abc").hexdigest()
        assert request.trailers == [("x-check", "900150")]
        async with http2(lab.https, HOST) as wire2:
            assert (await wire2.get2(HOST, "/?do=trailers")).trailers == {"x-sum": "abc"}


async def test_every_method_passes(tmp_path: Path) -> None:
    """On one connection: nothing of one exchange is left over for the next."""
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND"] * 2
    async with served(tmp_path) as (lab, content), connect(lab.http) as wire:
        for method in methods:
            answer = await wire.get(b"/x?count=5", HOST, method=method)
            assert (answer.status, answer.headers["content-length"]) == (200, "5")
            assert len(answer.body) == (0 if method == "HEAD" else 5)
        assert [request.method for request in content.requests] == methods


async def test_options_of_the_whole_server_passes(tmp_path: Path) -> None:
    async with served(tmp_path) as (lab, content), connect(lab.http) as wire:
        assert (await wire.get(b"*", HOST, method="OPTIONS")).status == 200
        assert content.requests[0].target == b"*"


@pytest.mark.parametrize("when", ["from the start", "at run time"])
@pytest.mark.parametrize(("name", "status"), [("origin.test", 200), ("other.test", 503)])
async def test_a_tls_origin_must_show_its_name(tmp_path: Path, name: str, status: int, when: str) -> None:
    """What HAProxy holds from its files and what it was told at run time check alike."""
    certificate = write_certificate(tmp_path / "origin.pem", "origin.test")
    async with origin(tls=serving(certificate)) as content:
        document = site("a", [HOST], content.port)
        document["origins"][0] |= {"scheme": "https", "server_name": name, "ca": str(certificate)}
        async with running(tmp_path, [document] if when == "from the start" else []) as (lab, edge):
            if when == "at run time":
                await edge.put_site(document)
            assert (await lab.get(HOST)).status_code == status
            assert len(content.requests) == (status == 200)


async def test_a_client_over_ipv6_is_served_and_named(tmp_path: Path) -> None:
    async with served(tmp_path) as (lab, content):
        for port, tls in ((lab.http, None), (lab.https, trusting())):
            async with connect(port, "::1", tls, HOST if tls else None) as wire:
                assert (await wire.get(b"/", HOST)).status == 200
        assert [request.all("x-forwarded-for") for request in content.requests] == [["::1"], ["::1"]]
