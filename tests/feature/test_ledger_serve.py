"""Logs over real sockets: served, and read by those who check them; clients and servers that misbehave."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from holdfast.ledger import http_server
from holdfast.ledger.errors import LedgerError, MissingError, StorageError
from holdfast.ledger.fsck import fsck
from holdfast.ledger.http_client import HttpClient, UnreachableError
from holdfast.ledger.http_server import Request, Response, Server
from holdfast.ledger.serve import StaticMounts, serve
from holdfast.ledger.source import FolderSource, HttpSource
from holdfast.ledger.verify import verify
from tests.feature.ledger_shell import append, new_log, serving, succeed
from tests.feature.raw_http import read_all, response, saying, statuses, talk
from tests.unit.ledger.folders import LOG, flip, put, write_log

SIZE = 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_log(tmp_path / "public", SIZE)


@contextmanager
def standing(server: Server) -> Iterator[tuple[str, int]]:
    server.start()
    try:
        yield server.address
    finally:
        server.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with standing(serve(StaticMounts({"/log/": folder}), ("127.0.0.1", 0))) as (host, port):
        yield f"http://{host}:{port}/log"


def test_a_served_log_is_checked_as_its_folder_is(folder: Path) -> None:
    with served(folder) as url:
        assert verify(HttpSource(url), LOG.verifier) == verify(FolderSource(folder), LOG.verifier)
        assert fsck(HttpSource(url), LOG.verifier) == fsck(FolderSource(folder), LOG.verifier)
        flip(folder / "tile/entries/001", 2)
        (folder / "tile/0/002").unlink()
        assert set(fsck(HttpSource(url), LOG.verifier).problems) == {
            "tile/entries/001: not what the log had here: entry 256",
            "tile/0/002: it is not there",
        }


def test_served_and_exported_by_the_commands(tmp_path: Path) -> None:
    key = new_log(tmp_path / "log")
    append(tmp_path / "log", b"one", b"two")
    succeed("ledger", "checkpoint", tmp_path / "log")
    with serving("ledger", tmp_path / "log") as url:
        assert "is a whole copy" in succeed("ledger", "export", url, tmp_path / "copy", "--key", key)
        with pytest.raises(MissingError):
            HttpSource(url).get("private/key")
        with pytest.raises(MissingError):
            HttpSource(f"{url}/..").get("ledger.json")
    with serving("ledger", tmp_path / "copy") as url:
        assert "size:      2\n" in succeed("ledger", "fsck", url, "--key", key)


def test_headers_on_the_wire(folder: Path) -> None:
    with standing(serve(StaticMounts({"/": folder}, headers={"X-More": "1"}), ("127.0.0.1", 0))) as address:
        got = talk(address, b"GET /tile/0/000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = got.partition(b"\r\n\r\n")
        assert body == (folder / "tile/0/000").read_bytes()
        lines = head.decode().split("\r\n")
        assert lines[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: application/octet-stream" in lines
        assert "Content-Length: 8192" in lines
        assert "Cache-Control: public, max-age=31536000, immutable" in lines
        assert "X-Content-Type-Options: nosniff" in lines
        assert "X-More: 1" in lines
        assert not any(line.lower().startswith("server:") for line in lines)
        only = talk(address, b"HEAD /tile/0/000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert [line for line in only.decode().split("\r\n") if "Date:" not in line] == [
            *[line for line in lines if "Date:" not in line],
            "",
            "",
        ]


def test_one_connection_for_many_requests(folder: Path) -> None:
    with standing(serve(StaticMounts({"/": folder}), ("127.0.0.1", 0))) as address:
        request = b"GET /checkpoint HTTP/1.1\r\nHost: a\r\n\r\n"
        missing = b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /checkpoint HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert statuses(talk(address, request + missing + request + last)) == [200, 404, 200, 200]


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (b"GET /../secret HTTP/1.1\r\n\r\n", 404),
        (b"GET //etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET /%2e%2e/secret HTTP/1.1\r\n\r\n", 404),
        (b"GET checkpoint HTTP/1.1\r\n\r\n", 404),
        (b"POST /checkpoint HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"DELETE /checkpoint HTTP/1.1\r\n\r\n", 405),
        (b"GET /checkpoint HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET /checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET /checkpoint HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        (b"GET /checkpoint HTTP/1.1\r\nContent-Length : 5\r\n\r\nhello", 400),
        (b"GET /checkpoint HTTP/1.1\r\nX: y\r\n z\r\n broken\r\nno colon\r\n\r\n", 400),
        (b"GET /checkpoint HTTP/2.0\r\n\r\n", 505),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /checkpoint HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_requests_that_are_refused(folder: Path, request_: bytes, found: int) -> None:
    """After what cannot be read for sure, the connection is closed: the rest may be anything."""
    more = b"GET /checkpoint HTTP/1.1\r\nConnection: close\r\n\r\n"
    with standing(serve(StaticMounts({"/": folder}), ("127.0.0.1", 0))) as address:
        assert statuses(talk(address, request_ + more)) == ([found, 200] if found == 404 else [found])


def test_a_client_that_trickles_is_cut_off(folder: Path) -> None:
    server = Server(("127.0.0.1", 0), StaticMounts({"/": folder}).answer, longest=1, idle=30)
    with standing(server) as address, socket.create_connection(address, 10) as connection:
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 10:
                connection.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - began < 5


def test_a_client_that_is_silent_is_cut_off(folder: Path) -> None:
    server = Server(("127.0.0.1", 0), StaticMounts({"/": folder}).answer, longest=30, idle=0.5)
    with standing(server) as address, socket.create_connection(address, 10) as connection:
        began = time.monotonic()
        assert read_all(connection) == b""
        assert time.monotonic() - began < 5


def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    put(tmp_path, "large.bin", bytes(64 << 20))
    mounts = StaticMounts({"/": tmp_path}, {".bin": "application/octet-stream"})
    server = Server(("127.0.0.1", 0), mounts.answer, longest=1, idle=30)
    with standing(server) as address, socket.create_connection(address, 10) as connection:
        connection.sendall(b"GET /large.bin HTTP/1.1\r\n\r\n")
        time.sleep(2.5)
        assert len(read_all(connection)) < 64 << 20


def test_more_connections_than_there_are_slots(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond wait, and are served when others are cut off; nobody is refused."""
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 4)
    server = Server(("127.0.0.1", 0), StaticMounts({"/": folder}).answer, longest=1.5, idle=30)
    with standing(server) as address, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(socket.create_connection(address, 10)).sendall(b"GET")
        time.sleep(0.3)
        threads = threading.active_count()
        began = time.monotonic()
        got = talk(address, b"GET /checkpoint HTTP/1.1\r\nConnection: close\r\n\r\n", 20)
        assert statuses(got) == [200]
        assert 0.5 < time.monotonic() - began < 10
        assert threading.active_count() <= threads


def test_many_clients_at_once(folder: Path) -> None:
    with standing(serve(StaticMounts({"/": folder}), ("127.0.0.1", 0))) as address:
        found: list[int] = []

        def fetch() -> None:
            client = HttpClient(f"http://127.0.0.1:{address[1]}", 20)
            found.extend(client.get("tile/0/000", 8192).status for _ in range(10))
            client.close()

        threads = [threading.Thread(target=fetch) for _ in range(100)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        assert found == [200] * 1000


def test_nothing_is_left_open(folder: Path) -> None:
    with standing(serve(StaticMounts({"/": folder}), ("127.0.0.1", 0))) as address:
        before = len(os.listdir("/proc/self/fd"))
        for target in (b"/checkpoint", b"/none", b"/tile/0/000", b"/tile"):
            talk(address, b"HEAD %s HTTP/1.1\r\nConnection: close\r\n\r\n" % target)
            talk(address, b"GET %s HTTP/1.1\r\nConnection: close\r\n\r\n" % target)
        end = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) != before and time.monotonic() < end:
            time.sleep(0.01)  # the client's end is closed first
        assert len(os.listdir("/proc/self/fd")) == before


def test_an_idle_client_does_not_hold_up_the_end(folder: Path) -> None:
    server = serve(StaticMounts({"/": folder}), ("127.0.0.1", 0))
    with standing(server) as address, socket.create_connection(address, 10) as connection:
        connection.sendall(b"HEAD /checkpoint HTTP/1.1\r\n\r\n")
        connection.recv(65536)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 2
        assert read_all(connection) == b""


def test_a_port_that_is_taken(folder: Path) -> None:
    mounts = StaticMounts({"/": folder})
    with (
        standing(serve(mounts, ("127.0.0.1", 0))) as address,
        pytest.raises(StorageError, match=r"cannot listen on 127\.0\.0\.1:"),
    ):
        serve(mounts, address)


# Servers of others.


def test_bundles_that_are_compressed_without_being_asked(folder: Path) -> None:
    """tlog-tiles, section "Log entries": logs may use gzip with no negotiation."""

    def answer(request: Request) -> Response:
        try:
            data = FolderSource(folder).get(request.target.removeprefix("/"))
        except MissingError:
            return http_server.refusal(404)
        if "entries" in request.target:
            return Response(200, body=gzip.compress(data), headers={"Content-Encoding": "gzip"})
        return Response(200, body=data)

    with standing(Server(("127.0.0.1", 0), answer)) as (host, port):
        assert fsck(HttpSource(f"http://{host}:{port}"), LOG.verifier).problems == ()


def test_a_small_file_that_grows_large_when_unpacked() -> None:
    packed = response("200 OK", gzip.compress(bytes(4 << 20)), "Content-Encoding: gzip")
    with saying(packed) as url, pytest.raises(UnreachableError, match="larger than 8192 bytes"):
        HttpSource(url).get("tile/0/000")


GZIP = "Content-Encoding: gzip"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (response("404 Not Found", b""), MissingError, "answers 404"),
        (response("403 Forbidden", b""), MissingError, "answers 403"),
        (response("410 Gone", b""), MissingError, "answers 410"),
        (response("503 Service Unavailable", b""), UnreachableError, "answers 503"),
        (response("301 Moved Permanently", b"", "Location: /x"), UnreachableError, "answers 301"),
        (response("200 OK", b"abc", length=4), UnreachableError, "cut off"),
        (response("200 OK", bytes(8193)), UnreachableError, "larger than 8192"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + bytes(100_000), UnreachableError, "larger than 8192"),
        (CHUNKED + b"4\r\nab", UnreachableError, "cannot be read"),
        (CHUNKED + b"ffff\r\n" + bytes(0xFFFF), UnreachableError, "larger than 8192"),
        (
            response("200 OK", gzip.compress(b"abc")[:-9], "Content-Encoding: gzip"),
            UnreachableError,
            "cut off",
        ),
        (response("200 OK", b"no gzip", "Content-Encoding: gzip"), UnreachableError, "cannot be read"),
        (b"", UnreachableError, "cannot be read"),
    ],
)
def test_answers_that_are_no_file(answer: bytes, error: type[LedgerError], words: str) -> None:
    with saying(answer) as url, pytest.raises(error, match=words):
        HttpSource(url, 5).get("tile/0/000")


@pytest.mark.parametrize("answer", [CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nabc"])
def test_other_ways_to_send_a_file(answer: bytes) -> None:
    with saying(answer) as url:
        assert HttpSource(url, 5).get("tile/0/000") == b"abc"


@pytest.mark.parametrize(
    "start", [b"HTTP/1.0 200 OK\r\n\r\n", CHUNKED + b"fff\r\n", b"HTTP/1.1 200 OK\r\nX:"]
)
def test_a_server_that_trickles_is_left(start: bytes) -> None:
    with saying(start + b"a" * 1000, pause=0.2, step=100) as url:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="no whole answer within 1 s"):
            HttpSource(url, 1).get("tile/0/000")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("size", ["-1", "-5"])
def test_a_chunk_of_a_size_below_zero_is_not_read_without_end(size: str) -> None:
    start = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n".encode()
    with saying(start + bytes(20_000_000)) as url, pytest.raises(UnreachableError, match="below 0"):
        HttpSource(url, 5).get("checkpoint")


def test_a_long_page_beside_404_is_not_looked_at() -> None:
    page = response("404 Not Found", bytes(9000), "Content-Type: text/html")
    with saying(page) as url, pytest.raises(MissingError, match="answers 404"):
        HttpSource(url, 5).get("tile/0/000")


def test_no_server_gives_a_terminal_commands() -> None:
    commands = b"\x1b]0;owned\x07" + bytes(9000) + b"\r\n\r\n"
    with saying(commands) as url, pytest.raises(UnreachableError) as raised:
        HttpSource(url, 5).get("checkpoint")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_a_connection_that_is_made_too_late_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the other side draws out the start of TLS until nobody watches any more."""
    connect = HTTPConnection.connect

    def slowly(self: HTTPConnection) -> None:
        time.sleep(0.7)
        connect(self)

    monkeypatch.setattr(HTTPConnection, "connect", slowly)
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + bytes(99), pause=0.3, step=1) as url:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"within 0\.5 s"):
            HttpSource(url, 0.5).get("checkpoint")
        assert time.monotonic() - began < 2


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    """By a server that closes it after each answer without saying so."""
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") as url:
        source = HttpSource(url, 5)
        for _ in range(3):
            assert source.get("tile/0/000") == b"abc"
            time.sleep(0.05)


def test_a_server_that_goes_away_ends_the_check(folder: Path) -> None:
    """It says nothing about the log, and a hundred times nothing does not either."""
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.target)
        if len(asked) > 5:
            return http_server.refusal(503)
        return Response(200, body=FolderSource(folder).get(request.target.removeprefix("/")))

    server = Server(("127.0.0.1", 0), answer)
    with standing(server) as (host, port), pytest.raises(UnreachableError, match="503"):
        fsck(HttpSource(f"http://{host}:{port}"), LOG.verifier)
    assert len(asked) < 20
