"""What Holdfast is compared with: nginx and HAProxy, one process and one thread each, told by static files to
pass requests on, and to refuse them as Holdfast does.

Neither logs, as Holdfast does not. nginx refuses a connection by what it has for that: it reads the request
and answers 403.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from bench import usage
from bench.bystanders import end
from bench.probe import Http
from holdfast.edge.machine import haproxy_binary
from tests.feature.lab import free_ports

FORBIDDEN, TOO_MANY = 403, 429
START_SECONDS = 10
PART = 2048
"""nginx takes no more than 4 KB of text at once: a longer page is put together of parts."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a peer does what."""

    proxied: int
    page: int
    """Answers 403 with a page."""
    limit: int
    """Answers 429 to a client with more than a request a second."""
    banned: int
    """Refuses one source."""
    bare: int
    """Answers 403 with the program's own few words."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: its ports, and the process that carries the traffic."""

    ports: Ports
    worker: int


NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type text/html;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  limit_req_zone $binary_remote_addr zone=clients:10m rate=1r/s;
  limit_req_status 429;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  server {{ listen 127.0.0.1:{proxied} backlog=4096; location / {{ proxy_pass http://origin; }} }}
  server {{
    listen 127.0.0.1:{page} backlog=4096;
    set $part "{part}";
    location / {{ return 403 "{whole}{rest}"; }}
  }}
  server {{
    listen 127.0.0.1:{limit} backlog=4096;
    location / {{ limit_req zone=clients burst=10 nodelay; proxy_pass http://origin; }}
  }}
  server {{
    listen 127.0.0.1:{banned} backlog=4096;
    location / {{ deny {source}; proxy_pass http://origin; }}
  }}
  server {{ listen 127.0.0.1:{bare} backlog=4096; location / {{ return 403; }} }}
}}
"""

HAPROXY = """global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 2m
  timeout server 2m
  timeout http-request 10s
  timeout http-keep-alive 15s
  default_backend origin
frontend proxied
  bind 127.0.0.1:{proxied}
frontend page
  bind 127.0.0.1:{page}
  http-request return status 403 content-type "text/html; charset=utf-8" file {directory}/page.html
frontend limit
  bind 127.0.0.1:{limit}
  stick-table type ip size 100k expire 30s store http_req_rate(10s)
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 10 }}
frontend banned
  bind 127.0.0.1:{banned}
  tcp-request connection reject if {{ src -f {directory}/banned.lst }}
frontend bare
  bind 127.0.0.1:{bare}
  http-request deny deny_status 403
backend origin
  server origin 127.0.0.1:{origin}
"""


def nginx_configuration(directory: Path, ports: Ports, origin: int, source: str, page: int) -> str:
    """``page`` is the size of the page in bytes; ``source`` is the one refused."""
    return NGINX.format(
        directory=directory,
        origin=origin,
        source=source,
        part="x" * PART,
        whole="${part}" * (page // PART),
        rest="x" * (page % PART),
        **_named(ports),
    )


def haproxy_configuration(directory: Path, ports: Ports, origin: int) -> str:
    return HAPROXY.format(directory=directory, origin=origin, **_named(ports))


def _named(ports: Ports) -> dict[str, int]:
    return dict(zip(Ports.__dataclass_fields__, astuple(ports), strict=True))


@contextlib.contextmanager
def nginx(directory: Path, origin: int, source: str, page: int) -> Iterator[Peer]:
    """nginx in ``directory``, on the core that we are on."""
    ports = Ports(*free_ports(5))
    directory.mkdir()
    file = directory / "nginx.conf"
    file.write_text(nginx_configuration(directory, ports, origin, source, page))
    with _running(["nginx", "-c", str(file), "-p", str(directory)], ports) as process:
        (worker,) = usage.children(process)
        yield Peer(ports, worker)


@contextlib.contextmanager
def haproxy(directory: Path, origin: int, source: str, page: int) -> Iterator[Peer]:
    """HAProxy in ``directory``, on the core that we are on."""
    ports = Ports(*free_ports(5))
    directory.mkdir()
    (directory / "page.html").write_text("x" * page)
    (directory / "banned.lst").write_text(f"{source}\n")
    file = directory / "haproxy.cfg"
    file.write_text(haproxy_configuration(directory, ports, origin))
    with _running([haproxy_binary(), "-db", "-f", str(file)], ports) as process:
        yield Peer(ports, process)


@contextlib.contextmanager
def _running(command: list[str], ports: Ports) -> Iterator[int]:
    """The number of the process, once it passes requests on and refuses them as it was told."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        wanted = {ports.proxied: 200, ports.page: FORBIDDEN, ports.bare: FORBIDDEN}
        while any(_status(port) != status for port, status in wanted.items()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not come up; to see why: {' '.join(command)}")
            time.sleep(0.02)
        yield process.pid
    finally:
        end(process)


def _status(port: int) -> int:
    """0: nobody answers."""
    with contextlib.closing(Http(port)) as client:
        try:
            return client.status("bench.test")
        except OSError:
            return 0
