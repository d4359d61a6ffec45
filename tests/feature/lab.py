"""A real edge for feature tests: free loopback ports, a run directory in memory, a real HAProxy, and
origins that answer with what they were asked. Everything ends with the ``async with``."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.cli.common import ask
from holdfast.demo.certificate import self_signed
from holdfast.edge.agent import Edge
from holdfast.edge.configuration import Configuration, parse_configuration
from holdfast.model.enforcement import Enforcement, Scope
from tests.feature.recorded import enforce_request, ledger_table
from tests.feature.recorded import released as released  # beside ``enforcement``, for most tests need both

MEMORY = Path("/dev/shm")  # noqa: S108 - what HAProxy reads must lie in memory


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at. Not of the range from which the kernel takes those of clients: in the
    moment before HAProxy binds it, a connection of another test might get the port."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        if port not in ports and all(_is_free(family, port) for family in (socket.AF_INET, socket.AF_INET6)):
            ports.append(port)
    return ports


def _is_free(family: socket.AddressFamily, port: int) -> bool:
    with socket.socket(family) as probe:
        try:
            probe.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def ipv6_network() -> Iterator[str]:
    """A /48 of private addresses (RFC 4193) that belong to this machine's loopback for as long as the block
    runs, so that clients can come from any of them: loopback itself has only ``::1``. Yields how they begin,
    as in ``fd00:5afe:1f2e``. Skips the test where this may not be done."""
    start = f"fd00:5afe:{random.randrange(1, 0x10000):x}"
    route = ["local", f"{start}::/48", "dev", "lo"]
    added = subprocess.run(["ip", "-6", "route", "add", *route], capture_output=True, text=True, check=False)
    if added.returncode != 0:
        pytest.skip(f"no IPv6 clients beside ::1 ({added.stderr.strip()}): this needs root and IPv6")
    try:
        yield start
    finally:
        subprocess.run(["ip", "-6", "route", "del", *route], check=True)


class EchoHandler(BaseHTTPRequestHandler):
    """Answers any method with JSON: which origin this is, and the request as it arrived."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms between its headers and its body
    label = "origin"

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        answer = json.dumps(
            {
                "origin": self.label,
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body_length": len(body),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def echo_origin(label: str = "origin", handler: type[EchoHandler] = EchoHandler) -> Iterator[int]:
    """An origin on loopback; yields its port."""
    labelled = type("Labelled", (handler,), {"label": label})
    server = ThreadingHTTPServer(("127.0.0.1", 0), labelled)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def write_certificate(path: Path, *names: str, days: int = 30) -> Path:
    """A self-signed certificate with its key in one PEM file, for ``names``."""
    path.write_bytes(self_signed(*names, days=days))
    return path


def site(name: str, hostnames: Sequence[str], *origins: int, **more: Any) -> dict[str, Any]:
    """A site's document with plain origins on loopback ports."""
    return {
        "name": name,
        "hostnames": list(hostnames),
        "origins": [{"address": "127.0.0.1", "port": port} for port in origins],
        **more,
    }


@dataclass
class Lab:
    """Where an edge runs: its ports and directories, which outlive the agent."""

    directory: Path
    http: int
    https: int
    run_dir: Path = field(default_factory=lambda: MEMORY / f"holdfast-test-{uuid.uuid4().hex[:12]}")
    ledger: dict[str, Any] = field(default_factory=ledger_table)
    """The table [ledger]; as it is, the tests' own log is trusted."""

    def configuration(self, sites: Sequence[dict[str, Any]] = (), **edge: Any) -> Configuration:
        """A configuration for this lab; ``sites`` as in ``site``, ``edge`` further settings of [edge]."""
        settings = {
            "http": [f"127.0.0.1:{self.http}", f"[::1]:{self.http}"],
            "https": [f"127.0.0.1:{self.https}", f"[::1]:{self.https}"],
            "state_dir": "state",
            "run_dir": str(self.run_dir),
            **edge,
        }
        provider = {
            "name": "The Test Co-operative",
            "url": "https://provider.example/",
            "statement": "https://provider.example/statements/{id}",
            "record": "https://provider.example/ledger/{id}",
            "appeal": "https://provider.example/appeal/{id}",
        }
        tables = {"edge": settings, "provider": provider, "ledger": self.ledger}
        text = to_toml({**tables, "sites": list(sites)})
        return parse_configuration(text, self.directory / "holdfast.toml")

    def client(self, host: str, **options: Any) -> httpx.AsyncClient:
        """An HTTP client that reaches ``host`` at this edge over plain HTTP."""
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http}", headers={"host": host}, **options)

    async def get(self, host: str, path: str = "/", **headers: str) -> httpx.Response:
        """One GET on a connection of its own."""
        async with self.client(host) as client:
            return await client.get(
                path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

    async def status(self, host: str, path: str = "/", source: str = "127.0.0.1") -> int:
        """What a client from ``source`` gets: a status, or 0 when it gets no answer."""
        transport = httpx.AsyncHTTPTransport(local_address=source)
        try:
            async with self.client(host, transport=transport) as client:
                return (await client.get(path)).status_code
        except httpx.TransportError:
            return 0

    async def clean(self) -> None:
        """End whatever HAProxy is left and remove the run directory."""
        from holdfast.edge.dataplane.process import Master

        await Master(self.run_dir).stop(0.2)
        shutil.rmtree(self.run_dir, ignore_errors=True)


@asynccontextmanager
async def lab(directory: Path) -> AsyncIterator[Lab]:
    """A lab without an agent: tests that kill and restart agents start their own."""
    http, https = free_ports(2)
    made = Lab(directory, http, https)
    try:
        yield made
    finally:
        await made.clean()


@asynccontextmanager
async def running(
    directory: Path, sites: Sequence[dict[str, Any]] = (), **edge: Any
) -> AsyncIterator[tuple[Lab, Edge]]:
    """A lab with a running edge."""
    async with lab(directory) as made, Edge(made.configuration(sites, **edge)) as agent:
        yield made, agent


def enforcement(scope: Scope, **more: Any) -> Enforcement:
    """A block of ``scope`` for an hour; ``more`` overrides fields."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "id": f"D-{uuid.uuid4().hex[:8]}",
        "scope": scope,
        "ground": "Terms of service, section 4",
        "since": now,
        "until": now + timedelta(hours=1),
        "by": "duty officer",
    }
    return Enforcement(**{**fields, **more})


def block_at(config: Path, scope: Scope, **more: Any) -> str:
    """Have the agent of this configuration file, which trusts the tests' own log, block ``scope``; returns
    the block's id. ``more`` as in ``enforcement``."""
    made = enforcement(scope, **more)
    ask(config, "enforce", **enforce_request(released(made)))
    return made.id


async def eventually(holds: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until ``holds`` (which may be a coroutine function) is true; fail after ``seconds``."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        result = holds()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)


def to_toml(document: dict[str, Any], prefix: str = "") -> str:
    """``document`` as TOML: tables, arrays of tables, lists and plain values."""
    plain = {k: v for k, v in document.items() if not isinstance(v, dict) and not _is_tables(v)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items() if value is not None]
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            lines += [f"[{name}]", to_toml(value, f"{name}.")]
        elif _is_tables(value):
            for each in value:
                lines += [f"[[{name}]]", to_toml(each, f"{name}.")]
    return "\n".join(lines)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _value(value: Any) -> str:
    return json.dumps(os.fspath(value) if isinstance(value, Path) else value)
