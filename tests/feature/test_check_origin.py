"""Whether an origin answers the world past the edge: real origins of every kind, asked directly."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import grpc
import pytest

from holdfast.edge.check_origin import NameVerdict, OriginFinding, Verdict
from holdfast.edge.origin_survey import read_site, survey
from holdfast.model.site import Origin, OriginTls, Protocol, Service, Site
from tests.feature.lab import free_ports, site, to_toml, write_certificate
from tests.feature.origin_verifier import OnlyFromEdge
from tests.feature.origins import origin
from tests.feature.wire import connect, serving

HOLDFAST = Path(sys.executable).with_name("holdfast")
LOOPBACK = ip_address("127.0.0.1")
SOON, PATIENCE = 0.6, 5.0
SECRET = bytes(range(32))

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(
    port: int, service: Service = Service.WEB, step: float = PATIENCE, **more: Any
) -> OriginFinding:
    """What is found at an origin on loopback; ``more`` as in ``Origin``."""
    at = Origin(more.pop("address", LOOPBACK), port, **more)
    checked = Site("a", "acme", ("a.test",), (at,), service)
    report = await survey(checked, resolve=lambda _: ["192.0.2.1"], step=step)
    (found,) = report.origins
    return found


@asynccontextmanager
async def serving_bytes(
    answer: bytes | None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Answers whatever comes with these bytes and ends; None: reads on and says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while await reader.read(65_536) and answer is None:
                pass
            writer.write(answer or b"")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def nginx(directory: Path, listen: str, rest: str) -> AsyncIterator[int]:
    """A real nginx with one server."""
    (port,) = free_ports(1)
    places = " ".join(
        f"{name}_temp_path {directory};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"daemon off; pid {directory}/pid; error_log {directory}/log; events {{}} http {{ access_log off;"
        f" {places} server {{ listen 127.0.0.1:{port} {listen}; {rest} }} }}"
    )
    (directory / "nginx.conf").write_text(text)
    words = ("nginx", "-c", str(directory / "nginx.conf"), "-p", str(directory))
    process = await asyncio.create_subprocess_exec(*words, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                async with connect(port):
                    break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


@contextmanager
def verifying() -> Iterator[int]:
    """A WSGI application behind the verifier of the documentation."""

    class Handler(WSGIRequestHandler):
        def get_environ(self) -> dict[str, Any]:
            return {**super().get_environ(), "RAW_URI": self.path}

        def log_message(self, *_: Any) -> None:
            pass

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"in"]

    with make_server("127.0.0.1", 0, OnlyFromEdge(application, [SECRET]), handler_class=Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def demands(certificate: Path, most: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's TLS that demands a certificate of the client."""
    context = serving(certificate)
    context.maximum_version = most
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def demanding(certificate: Path, most: ssl.TLSVersion) -> Iterator[int]:
    """A server with such TLS, which takes one connection, and reads on so that a reset does not overtake the
    alert."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.dup() as rest, contextlib.suppress(OSError):
            with contextlib.suppress(ssl.SSLError):
                tls.wrap_socket(connection, server_side=True)
            while rest.recv(65_536):
                pass

    tls = demands(certificate, most)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(5)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "origin.pem", "origin.test")


TLS = OriginTls("origin.test")


async def test_an_open_origin_answers_to_one_request_without_a_header_of_ours() -> None:
    async with origin() as made:
        found = await asked(made.port)
    assert (found.verdict, found.status) == (Verdict.ANSWERS, 200)
    assert found.words == "200 to GET / for a.test"
    (request,) = made.requests
    assert (request.method, request.target, request.all("host")) == ("GET", b"/", ["a.test"])
    assert {name for name, _ in request.headers} == {"host", "user-agent", "accept", "connection"}


async def test_a_closed_port() -> None:
    found = await asked(free_ports(1)[0])
    assert (found.verdict, found.words) == (Verdict.CLOSED, "connection refused")


async def test_an_origin_that_drops_what_comes() -> None:
    """As a firewall does: the queue of connections is full, so that no answer comes to another one."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as other:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for each in (one, other):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        found = await asked(full.getsockname()[1], step=SOON)
    assert (found.verdict, found.words) == (Verdict.CLOSED, "no connection in time")


async def test_an_origin_that_answers_403_without_a_signature() -> None:
    with verifying() as port:
        found = await asked(port)
        assert (found.verdict, found.status) == (Verdict.REFUSED, 403)
        text = f"{int(time.time())}|192.0.2.7|GET|a.test|/x%2Fy?a=%20"
        signature = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
        header = f"X-Holdfast-Signature: t={text.partition('|')[0]};c=192.0.2.7;s={signature}"
        for target, expected in ((b"/x%2Fy?a=%20", 200), (b"/x/y?a=%20", 403)):
            async with connect(port) as wire:
                wire.writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\n")
                wire.writer.write(f"{header}\r\n\r\n".encode())
                assert (await wire.head()).status == expected


@pytest.mark.parametrize("protocol", Protocol)
async def test_an_open_tls_origin_answers(certificate: Path, protocol: Protocol) -> None:
    """Any certificate will do for somebody who wants in; one that is configured for h2 may speak less."""
    names: list[str | None] = []
    tls = serving(certificate)
    tls.set_alpn_protocols(["http/1.1"])
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with origin(tls=tls) as made:
        found = await asked(made.port, tls=TLS, protocol=protocol)
    assert (found.verdict, found.status, names) == (Verdict.ANSWERS, 200, ["origin.test"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("service", Service)
async def test_an_origin_that_demands_a_client_certificate(
    certificate: Path, version: ssl.TLSVersion, service: Service
) -> None:
    """TLS 1.3 says so after the client's handshake, and asyncio's servers end without saying it."""
    tls = TLS if service is Service.WEB else None
    with demanding(certificate, version) as port:
        assert (await asked(port, service, tls=tls)).verdict is Verdict.TLS_REFUSED
    async with origin(tls=demands(certificate, version)) as made:
        found = await asked(made.port, service, tls=tls)
    assert found.verdict in (Verdict.TLS_REFUSED, Verdict.REFUSED)
    assert not made.requests


@pytest.mark.parametrize("tls", [None, TLS])
@pytest.mark.parametrize("protocol", Protocol)
async def test_an_origin_that_says_nothing(tls: OriginTls | None, protocol: Protocol) -> None:
    async with serving_bytes(None) as port:
        found = await asked(port, tls=tls, protocol=protocol, step=SOON)
    assert found.verdict is Verdict.SILENT


@pytest.mark.parametrize("protocol", Protocol)
async def test_an_origin_that_says_nothing_after_tls(certificate: Path, protocol: Protocol) -> None:
    async with serving_bytes(None, serving(certificate)) as port:
        found = await asked(port, tls=TLS, protocol=protocol, step=SOON)
    assert found.verdict is Verdict.SILENT


async def test_an_origin_that_drips_is_not_waited_for(certificate: Path) -> None:
    """Interim responses without an end: each is an answer in time, and none is final."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        started = time.monotonic()
        found = await asked(server.sockets[0].getsockname()[1], step=SOON)
    assert (found.verdict, time.monotonic() - started < PATIENCE) == (Verdict.SILENT, True)


async def test_an_ipv6_origin() -> None:
    async with serving_bytes(b"HTTP/1.1 204 No Content\r\n\r\n", host="::1") as port:
        found = await asked(port, address=ip_address("::1"))
    assert (found.verdict, found.status) == (Verdict.ANSWERS, 204)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.ANSWERS), (403, Verdict.REFUSED)])
async def test_an_origin_that_speaks_http2(
    tmp_path: Path, certificate: Path, scheme: str, status: int, verdict: Verdict
) -> None:
    keys = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};" if scheme == "https" else ""
    listen = "ssl http2" if scheme == "https" else "http2"
    async with nginx(tmp_path, listen, f"{keys} return {status};") as port:
        found = await asked(port, tls=TLS if keys else None, protocol=Protocol.HTTP2)
    assert (found.verdict, found.status) == (verdict, status)


@pytest.mark.parametrize("tls", [None, TLS])
async def test_a_grpc_origin_answers(certificate: Path, tls: OriginTls | None) -> None:
    """It speaks nothing but HTTP/2, and has an answer even to a request that is no call."""
    server = grpc.aio.server()
    if tls:
        pem = await asyncio.to_thread(certificate.read_bytes)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        found = await asked(port, tls=tls, protocol=Protocol.HTTP2)
    finally:
        await server.stop(0)
    assert (found.verdict, "HTTP/2 error" in found.words) == (Verdict.UNCLEAR, True)
    assert found.verdict.is_direct


@pytest.mark.parametrize(
    ("answer", "verdict", "status"),
    [
        (b"", Verdict.REFUSED, None),
        (b"HTTP/1.1 421 Misdirected Request\r\n\r\n", Verdict.REFUSED, 421),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Verdict.WRONG_SITE, 404),
        (b"HTTP/1.0 503 Busy\r\n\r\n", Verdict.WRONG_SITE, 503),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://a.test/\r\n\r\n", Verdict.ANSWERS, 301),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 403 No\r\n\r\n", Verdict.REFUSED, 403),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Verdict.UNCLEAR, None),
        (b"HTTP/1.1 20", Verdict.UNCLEAR, None),
        (b"x" * 100_000, Verdict.UNCLEAR, None),
    ],
)
async def test_answers_of_all_kinds(answer: bytes, verdict: Verdict, status: int | None) -> None:
    async with serving_bytes(answer) as port:
        found = await asked(port)
    assert (found.verdict, found.status) == (verdict, status)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"", Verdict.REFUSED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Verdict.UNCLEAR),
        (bytes.fromhex("000000040000000000"), Verdict.REFUSED),
        (bytes.fromhex("000000040000000000 000004030000000001 0000000d"), Verdict.UNCLEAR),
        (bytes.fromhex("000000040000000000 ffffff000000000001"), Verdict.UNCLEAR),
    ],
)
async def test_answers_of_all_kinds_to_http2(answer: bytes, verdict: Verdict) -> None:
    async with serving_bytes(answer) as port:
        found = await asked(port, protocol=Protocol.HTTP2)
    assert found.verdict is verdict


async def test_a_plain_answer_to_tls() -> None:
    async with serving_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert (await asked(port, tls=TLS)).verdict is Verdict.UNCLEAR
    async with serving_bytes(b"") as port:
        assert (await asked(port, tls=TLS)).verdict is Verdict.TLS_REFUSED


async def test_nginx_that_demands_a_client_certificate_or_ends_without_an_answer(
    tmp_path: Path, certificate: Path
) -> None:
    keys = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    demand = f"{keys} ssl_client_certificate {certificate}; ssl_verify_client on; return 200;"
    async with nginx(tmp_path, "ssl", demand) as port:
        found = await asked(port, tls=TLS)
        assert (found.status, "client certificate" in found.advice) == (400, True)
    async with nginx(tmp_path, "", "return 444;") as port:
        assert (await asked(port)).verdict is Verdict.REFUSED


async def test_a_tcp_site_is_asked_for_tls_with_its_hostname(certificate: Path) -> None:
    names: list[str | None] = []
    tls = serving(certificate)
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with serving_bytes(None, tls) as port:
        found = await asked(port, Service.TCP)
    assert (found.verdict, names) == (Verdict.ANSWERS, ["a.test"])
    assert "no signature" in found.advice
    async with serving_bytes(b"") as port:
        assert (await asked(port, Service.TCP)).verdict is Verdict.TLS_REFUSED


async def test_hostnames_are_looked_up() -> None:
    known = {"a.test": ["192.0.2.1", "127.0.0.1"], "holdfast-check.b.test": ["192.0.2.1", "fe80::1%eth0"]}
    waiting = threading.Event()

    def resolve(hostname: str) -> list[str]:
        if hostname == "slow.test":
            waiting.wait(10)
        if hostname not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[hostname]

    names = ("a.test", "*.b.test", "c.test", "slow.test")
    checked = Site("a", "acme", names, (Origin(LOOPBACK, free_ports(1)[0]),))
    started = time.monotonic()
    report = await survey(checked, resolve, SOON)
    assert time.monotonic() - started < PATIENCE
    waiting.set()
    assert [(each.hostname, each.verdict) for each in report.names] == [
        ("a.test", NameVerdict.TO_ORIGIN),
        ("holdfast-check.b.test", NameVerdict.ELSEWHERE),
        ("c.test", NameVerdict.UNRESOLVED),
        ("slow.test", NameVerdict.UNRESOLVED),
    ]
    assert report.names[2].words == "does not resolve (Name or service not known)"
    assert report.exit_status == 0


def command(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOLDFAST, "site", "check-origin", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def configure(directory: Path, port: int, **more: Any) -> None:
    """A site whose hostname is this machine's, and a file that names what only the edge has."""
    documents = [site("a", ["localhost"], port, certificate="not-here.pem", https="strict", **more)]
    (directory / "holdfast.toml").write_text(to_toml({"sites": documents}))


async def test_the_command(tmp_path: Path) -> None:
    async with origin() as made:
        configure(tmp_path, made.port)
        done = await asyncio.to_thread(command, tmp_path, "a")
        assert (done.returncode, done.stderr) == (1, "")
        assert "does not know: the edge itself is let in" in done.stdout
        assert (
            f"answers          origin 127.0.0.1 port {made.port}: 200 to GET / for localhost" in done.stdout
        )
        assert "to the origin    hostname localhost:" in done.stdout
        assert "change the DNS record" in done.stdout
        done = await asyncio.to_thread(command, tmp_path, "a", "--json")
        assert (done.returncode, json.loads(done.stdout)["answers_directly"]) == (1, True)
    done = await asyncio.to_thread(command, tmp_path, "a", "--json")
    assert (done.returncode, json.loads(done.stdout)["origins"][0]["verdict"]) == (0, "closed")


def test_a_machine_without_a_way_to_the_origin_claims_nothing(tmp_path: Path) -> None:
    """The kernel knows no way to a broadcast address over TCP, as to any IPv6 address where there is none."""
    documents = [{**site("a", ["localhost"]), "origins": [{"address": "255.255.255.255"}]}]
    (tmp_path / "holdfast.toml").write_text(to_toml({"sites": documents}))
    done = command(tmp_path, "a")
    assert done.returncode == 2
    assert "unreachable      origin 255.255.255.255 port 80: network is unreachable" in done.stdout
    assert "run this from a machine that has a way there" in done.stdout


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (None, ["a"], "there is no holdfast.toml"),
        (None, ["a", "--config", "none.toml"], "name a configuration file with --config"),
        ("[[sites]", ["a"], "this is not TOML"),
        ("[[sites]]\nname = 'a'\n", ["a"], "sites[1].hostnames: this setting is missing; add it"),
        ("", ["a"], "no site is named 'a' in holdfast.toml; name one of those that are: none"),
        (
            "[[sites]]\nname = 'b'\nhostnames = ['b.test']\norigins = [{address = 'b.test'}]\n",
            ["b"],
            "'b.test' is not an IP address",
        ),
        ("", [], "Missing argument 'NAME'"),
    ],
)
def test_mistakes(tmp_path: Path, text: str | None, words: list[str], expected: str) -> None:
    if text is not None:
        (tmp_path / "holdfast.toml").write_text(text)
    done = command(tmp_path, *words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_site_is_read_without_its_keys(tmp_path: Path) -> None:
    configure(tmp_path, 80, allow=["192.0.2.0/24"])
    read = read_site(tmp_path / "holdfast.toml", "a")
    assert (read.certificate, [str(each.address) for each in read.origins]) == (None, ["127.0.0.1"])
