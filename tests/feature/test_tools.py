"""The clients and load generators that people use are answered right, whatever way they ask."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.feature.lab import EchoHandler, Lab, echo_origin, running, site, write_certificate
from tests.feature.load import curl, h2load, wrk
from tests.feature.nginx import nginx_origin
from tests.feature.origins import Origin, origin

ANY_RATE = {"requests_per_second": 100_000, "origin_connections": 1_000}
"""What is tested here is what is answered, not how much of it one client may have."""
ANY_CONNECTIONS = 100_000
TEXT = "".join(f"line {number}\n" for number in range(2_000))
WAYS = [
    pytest.param("--http1.0", False, "127.0.0.1", "1.1", id="HTTP/1.0"),
    pytest.param("--http1.1", False, "127.0.0.1", "1.1", id="HTTP/1.1"),
    pytest.param("--http1.1", False, "[::1]", "1.1", id="HTTP/1.1, IPv6"),
    pytest.param("--http1.0", True, "127.0.0.1", "1.1", id="HTTP/1.0, TLS"),
    pytest.param("--http1.1", True, "127.0.0.1", "1.1", id="HTTP/1.1, TLS"),
    pytest.param("--http2", True, "127.0.0.1", "2", id="HTTP/2"),
    pytest.param("--http2", True, "[::1]", "2", id="HTTP/2, IPv6"),
    pytest.param("--http2-prior-knowledge", False, "127.0.0.1", "2", id="HTTP/2 without TLS"),
]


class Text(EchoHandler):
    """Answers with TEXT, with a range of it, or compressed, as it is asked."""

    def answer(self) -> None:
        body = TEXT.encode()
        asked = self.headers.get("range", "").removeprefix("bytes=").split("-")
        zipped = "gzip" in self.headers.get("accept-encoding", "")
        self.send_response(206 if len(asked) == 2 else 200)
        if len(asked) == 2:
            first, last = map(int, asked)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        elif zipped:
            self.send_header("Content-Encoding", "gzip")
            body = gzip.compress(body)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = answer


@asynccontextmanager
async def serving(directory: Path, port: int) -> AsyncIterator[Lab]:
    """An edge with ``localhost`` at an origin's port."""
    certificate = str(write_certificate(directory / "one.pem", "localhost"))
    document = site("a", ["localhost"], port, certificate=certificate, limits=ANY_RATE)
    async with running(directory, [document], connections_per_second=ANY_CONNECTIONS) as (lab, edge):
        yield lab
        assert (edge.starts, edge.reloads) == (1, 0)


@asynccontextmanager
async def recorded(directory: Path) -> AsyncIterator[tuple[Lab, Origin]]:
    async with origin() as one, serving(directory, one.port) as lab:
        yield lab, one


@pytest.mark.parametrize(("way", "tls", "address", "version"), WAYS)
async def test_curl_is_answered_right(
    tmp_path: Path, way: str, tls: bool, address: str, version: str
) -> None:
    body = random.Random(5).randbytes(1 << 20)
    (tmp_path / "body").write_bytes(body)
    upload = ("--data-binary", f"@{tmp_path / 'body'}")
    async with recorded(tmp_path) as (lab, one):
        port = lab.https if tls else lab.http
        for path, options, method in (
            ("/", (), "GET"),
            ("/", ("-I",), "HEAD"),
            ("/a/../b", ("--path-as-is",), "GET"),
            ("/x%2fy?z=%00&%3c", (), "GET"),
            ("/post", upload, "POST"),
            ("/put", (*upload, "-X", "PUT"), "PUT"),
            ("/expect", (*upload, "-H", "Expect: 100-continue"), "POST"),
            ("/chunked", (*upload, "-H", "Transfer-Encoding: chunked"), "POST"),
            ("/delete", ("-X", "DELETE"), "DELETE"),
        ):
            if path == "/chunked" and way != "--http1.1":
                continue
            fetched = await curl(port, path, way, *options, tls=tls, address=address)
            assert (fetched.status, fetched.version) == (200, version), (path, fetched)
            request = one.requests[-1]
            assert (request.method, request.target) == (method, path.encode())
            if upload[0] in options:
                assert request.body_hash == hashlib.sha256(body).hexdigest(), path


@pytest.mark.parametrize(("way", "tls", "address", "version"), WAYS)
async def test_curl_gets_parts_and_compressed_answers(
    tmp_path: Path, way: str, tls: bool, address: str, version: str
) -> None:
    with echo_origin(handler=Text) as port:
        async with serving(tmp_path, port) as lab:
            for options, status, text in (
                ((), 200, TEXT),
                (("-r", "10-99"), 206, TEXT[10:100]),
                (("--compressed",), 200, TEXT),
            ):
                at = lab.https if tls else lab.http
                fetched = await curl(at, "/", way, *options, tls=tls, address=address)
                assert (fetched.status, fetched.version, fetched.text) == (status, version, text), options


@pytest.mark.parametrize("options", [(), ("-m", "10"), ("--h1",)], ids=["h2", "h2, many at once", "h1"])
async def test_h2load_gets_every_answer(tmp_path: Path, options: tuple[str, ...]) -> None:
    async with nginx_origin(tmp_path) as port, serving(tmp_path, port) as lab:
        load = await h2load(lab.https, 2_000, *options)
        assert (load.requests, load.failures) == (2_000, [])


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("headers", [(), ("Connection: close",)], ids=["kept", "closed"])
async def test_wrk_gets_every_answer(tmp_path: Path, tls: bool, headers: tuple[str, ...]) -> None:
    async with nginx_origin(tmp_path) as port, serving(tmp_path, port) as lab:
        async with wrk(lab.https if tls else lab.http, "localhost", *headers, tls=tls) as load:
            await asyncio.sleep(0.5)
        assert load.requests > 20
        assert load.failures == []
