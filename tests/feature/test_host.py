"""One request has one hostname: what the edge decides by is what the origin is asked for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from holdfast.model.enforcement import HostScope
from tests.feature.lab import enforcement, released, running, site, write_certificate
from tests.feature.origins import origin
from tests.feature.wire import connect, http2

NO_NAMES = (
    "blocked.test, a.test",
    "blocked.test,a.test",
    "a.test, blocked.test",
    "blocked.test:80, a.test",
    "a.test:80, blocked.test",
    "a.test:80@blocked.test",
    "blocked.test@a.test",
    "blocked.test/a.test",
    "blocked.b.test, x.b.test",
    "x, blocked.b.test",
    "x blocked.b.test",
    "x\tblocked.b.test",
    "x@blocked.b.test",
    "blocked.b.test#x.b.test",
    "x:1,blocked.b.test:80",
    '"blocked.b.test".b.test',
    "blocked.b.test%2c.b.test",
)
"""Values in which one program may see the first of two hostnames and another one the last."""


async def test_two_names_in_one_host_are_no_name(tmp_path: Path) -> None:
    """Else the edge could look at one of them, which is not blocked, and the origin at the other."""
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test", "blocked.test", "*.b.test"))
    async with origin() as one:
        names = ["a.test", "blocked.test", "*.b.test"]
        document = site("a", names, one.port, certificate=certificate)
        async with running(tmp_path, [document]) as (lab, edge):
            for name in ("blocked.test", "blocked.b.test"):
                await edge.block(released(enforcement(HostScope(name))))
            for host in NO_NAMES:
                async with connect(lab.http) as wire:
                    assert (await wire.get(b"/", host)).status in (400, 421), host
                async with http2(lab.https, "a.test") as client:
                    stream = client.start(host, "/")
                    with contextlib.suppress(ConnectionError):  # not even an answer
                        assert (await client.headers(stream)).status in (400, 421), host
            assert one.requests == []


async def test_every_spelling_of_a_blocked_name_is_blocked(tmp_path: Path) -> None:
    async with (
        origin() as one,
        running(tmp_path, [site("a", ["a.test", "*.b.test"], one.port)]) as (lab, edge),
    ):
        for name in ("a.test", "blocked.b.test"):
            await edge.block(released(enforcement(HostScope(name))))
        for host in ("a.test", "A.Test", "a.test.", "a.test:", "a.test:80", "A.TEST.:8080"):
            for name in (host, host.replace("a", "blocked.b", 1).replace("A", "Blocked.B", 1)):
                async with connect(lab.http) as wire:
                    assert (await wire.get(b"/", name)).status == 403, name
        async with connect(lab.http) as wire:
            assert (await wire.get(b"/", "X_1-y.b.TEST:")).status == 200
        assert [request.all("host") for request in one.requests] == [["X_1-y.b.TEST:"]]


async def test_two_host_lines_and_a_target_with_another_name_are_refused(tmp_path: Path) -> None:
    """RFC 9112, section 3.2: a server must refuse the first; the target wins over the line otherwise."""
    async with (
        origin() as one,
        running(tmp_path, [site("a", ["a.test", "b.test"], one.port)]) as (lab, edge),
    ):
        await edge.block(released(enforcement(HostScope("b.test"))))
        for head in (
            b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n",
            b"GET / HTTP/1.1\r\nHost: b.test\r\nHost: a.test\r\n",
            b"GET / HTTP/1.1\r\nHost: a.test\r\nhost : b.test\r\n",
            b"GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n",
            b"GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n",
            b"GET http://a.test@b.test/ HTTP/1.1\r\nHost: a.test\r\n",
            b"GET / HTTP/1.1\r\n",
        ):
            async with connect(lab.http) as wire:
                assert (await wire.ask(head + b"\r\n")).status in (400, 403, 421), head
        assert one.requests == []
