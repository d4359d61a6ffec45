"""The signature by which an origin knows the requests of its edge, checked by the verifier that origins are
given: whatever the request looks like, with the site's own key and no other."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from tests.feature.lab import running, site, write_certificate
from tests.feature.origin_verifier import is_from_edge
from tests.feature.origins import Origin, Received, origin
from tests.feature.wire import connect, http2

HEADER = "x-holdfast-signature"
TARGETS = [
    "/",
    "/news?page=2",
    "/?",
    "/a%20b/%2e%2e/c?x=%2F&y=",
    "//a/./../b//",
    "/a|b?c|d=|",
    "/caf%C3%A9;v=1,2?q='%22%25",
    "/" + "long/" * 500 + "?" + "x=y&" * 500,
]


def verifies(request: Received, key: bytes, client: str = "") -> bool:
    """Whether the origin would take this request: one header, a good one, of that client."""
    (header,) = request.all(HEADER)
    (host,) = request.all("host")
    target = request.target.decode("latin-1")
    good = is_from_edge(request.method, host, target, header, key, time.time())
    return good and (client == "" or f";c={client};" in header)


async def signed(edge: Edge, one: Origin, client: str = "", name: str = "a") -> bool:
    """Of the last request that the origin has seen."""
    return verifies(one.requests[-1], edge.roster.signing_key(name), client)


async def test_every_request_verifies(tmp_path: Path) -> None:
    """Over IPv4 and IPv6, HTTP/1.1 and HTTP/2, for hosts with a port and below a wildcard."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test", "*.w.test"))
    async with origin() as one:
        document = site("a", ["a.test", "*.w.test"], one.port, sign=True, certificate=certificate)
        async with running(tmp_path, [document]) as (lab, edge):
            for target in TARGETS:
                for address in ("127.0.0.1", "::1"):
                    async with connect(lab.http, address) as wire:
                        for host in ("a.test", f"a.test:{lab.http}", "x.w.test", "A.Test."):
                            assert (await wire.get(target.encode(), host)).status == 200, (target, host)
                            assert await signed(edge, one, address), (target, host, one.requests[-1])
                async with http2(lab.https, "a.test") as client:
                    assert (await client.get2("a.test", target)).status == 200
                    assert await signed(edge, one, "127.0.0.1"), (target, one.requests[-1])
            async with connect(lab.http) as wire:
                for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
                    await wire.get(b"/x?y", "a.test", "Content-Length: 0", method=method)
                    assert (one.requests[-1].method, await signed(edge, one)) == (method, True)
            assert len(one.requests) == len(TARGETS) * 9 + 6
            moment = int(one.requests[-1].all(HEADER)[0].partition(";")[0].removeprefix("t="))
            assert abs(moment - time.time()) < 10


@pytest.mark.parametrize(
    ("line", "host"),
    [
        (b"GET http://a.test/x?y HTTP/1.1", "a.test"),
        (b"GET http://a.test HTTP/1.1", "a.test"),
        (b"OPTIONS * HTTP/1.1", "a.test"),
        (b"GET /x?y HTTP/1.0", "a.test"),
    ],
    ids=repr,
)
async def test_odd_request_lines_verify(tmp_path: Path, line: bytes, host: str) -> None:
    async with (
        origin() as one,
        running(tmp_path, [site("a", ["a.test"], one.port, sign=True)]) as (lab, edge),
    ):
        async with connect(lab.http) as wire:
            assert (await wire.ask(line + f"\r\nHost: {host}\r\n\r\n".encode())).status == 200
        assert await signed(edge, one, "127.0.0.1"), one.requests[-1]


async def test_what_a_client_says_under_that_name_never_arrives(tmp_path: Path) -> None:
    """Neither to a site that is signed, whatever the spelling, nor to one that is not."""
    async with origin() as one, origin() as two:
        sites = [site("a", ["a.test"], one.port, sign=True), site("b", ["b.test"], two.port)]
        async with running(tmp_path, sites) as (lab, edge), connect(lab.http) as wire:
            for _ in range(2):
                good = one.requests[-1].all(HEADER)[0] if one.requests else "t=1;c=127.0.0.1;s=" + "0" * 64
                for name in ("X-Holdfast-Signature", "x-holdfast-signature", "X_Holdfast_Signature"):
                    forged = (f"{name}: {good}", f"{name}: {good}", "Connection: close, x-holdfast-signature")
                    assert (await wire.get(b"/1", "a.test", *forged[:2])).status == 200
                    assert await signed(edge, one)
                    assert (await wire.get(b"/2", "b.test", *forged[:2])).status == 200
                    assert two.requests[-1].all(HEADER) == []
                    async with connect(lab.http) as other:
                        assert (await other.get(b"/3", "a.test", *forged)).status == 200
                    assert await signed(edge, one)
                    for request in (one.requests[-1], two.requests[-1]):
                        assert [each for each, _ in request.headers if "_" in each] == []


async def test_each_site_has_its_own_key_and_a_new_one_counts_at_once(tmp_path: Path) -> None:
    async with origin() as one, origin() as two:
        sites = [site("a", ["a.test"], one.port, sign=True), site("b", ["b.test"], two.port, sign=True)]
        async with running(tmp_path, sites) as (lab, edge), connect(lab.http) as wire:
            for host in ("a.test", "b.test"):
                assert (await wire.get(b"/", host)).status == 200
            first, other = edge.roster.signing_key("a"), edge.roster.signing_key("b")
            assert verifies(one.requests[-1], first)
            assert verifies(two.requests[-1], other)
            assert not verifies(one.requests[-1], other)
            assert not verifies(two.requests[-1], first)
            await edge.renew_key("a")
            second = edge.roster.signing_key("a")
            assert second != first
            for host in ("a.test", "b.test"):
                assert (await wire.get(b"/", host)).status == 200
            assert verifies(one.requests[-1], second)
            assert not verifies(one.requests[-1], first)
            assert verifies(two.requests[-1], other), "the other site keeps its key"
            await edge.reload()
            async with connect(lab.http) as again:
                assert (await again.get(b"/", "a.test")).status == 200
            assert verifies(one.requests[-1], second)
