"""No way past the rules: no tunnel but a WebSocket's, no second opinion on what is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfast.model.enforcement import HostScope, PathScope
from tests.feature.lab import Lab, enforcement, released, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import WEBSOCKET, connect, http2

HIDDEN = b"GET /evil HTTP/1.1\r\nHost: blocked.test\r\nX-Forwarded-For: evil\r\n\r\n"
"""What a client would send through a tunnel."""


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[tuple[Lab, Origin]]:
    """A site of which one hostname and one path are blocked."""
    certificate = str(write_certificate(directory / "a.pem", "a.test", "blocked.test"))
    async with origin() as content:
        document = site("a", ["a.test", "blocked.test"], content.port, certificate=certificate)
        async with running(directory, [document]) as (lab, edge):
            await edge.block(released(enforcement(HostScope("blocked.test"))))
            await edge.block(released(enforcement(PathScope("a", "/evil/"))))
            yield lab, content


async def test_connect_opens_no_tunnel(tmp_path: Path) -> None:
    """Many origins answer any method with 200, and read on as HTTP (RFC 9110, section 9.3.6)."""
    async with guarded(tmp_path) as (lab, content):
        for target in (b"a.test:80", b"a.test", b"/", b"http://a.test/"):
            async with connect(lab.http) as wire:
                assert (await wire.get(target, "a.test", method="CONNECT")).status in (400, 405), target
                wire.writer.write(HIDDEN)
                await wire.reader.read(65_536)
        async with http2(lab.https, "a.test") as streams:
            assert (await streams.headers(streams.start_connect("a.test:80"))).status == 405
        assert content.requests == []


async def test_http_is_not_upgraded_to_http(tmp_path: Path) -> None:
    """An origin that speaks HTTP/2 without TLS would take an upgrade to it, and then anything."""
    async with guarded(tmp_path) as (lab, content):
        for protocol in ("h2c", "H2C", "h2", "foo, h2c", "HTTP/2.0", "TLS/1.0, HTTP/1.1"):
            async with connect(lab.http) as wire:
                lines = (
                    "Connection: Upgrade, HTTP2-Settings",
                    f"Upgrade: {protocol}",
                    "HTTP2-Settings: AAMA",
                )
                assert (await wire.get(b"/", "a.test", *lines)).status == 200, protocol
            assert content.requests[-1].all("upgrade") == [], protocol
        content.requests.clear()
        async with connect(lab.http) as wire:
            assert (await wire.get(b"/", "a.test", *WEBSOCKET, "Upgrade: h2c")).status in (200, 400)
        assert [request.all("upgrade") for request in content.requests] in ([], [[]])
        async with connect(lab.http) as wire:
            wire.writer.write("\r\n".join(("GET / HTTP/1.1", "Host: a.test", *WEBSOCKET, "", "")).encode())
            assert (await wire.head()).status == 101


async def test_no_header_names_another_path(tmp_path: Path) -> None:
    """Some frameworks take these for the path that is meant."""
    async with guarded(tmp_path) as (lab, content), connect(lab.http) as wire:
        for name in ("X-Original-URL", "X-Rewrite-URL", "x_original_url", "X-REWRITE_URL"):
            assert (await wire.get(b"/ok", "a.test", f"{name}: /evil/")).status == 200
            assert "/evil/" not in str(content.requests[-1].headers), name
