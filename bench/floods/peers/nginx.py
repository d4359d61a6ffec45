"""nginx with ``limit_req`` and ``limit_conn``: alone, and as the proxy in front of fail2ban and CrowdSec.

Each setting, and where nginx's own documentation advises it (https://nginx.org/en/docs/ unless another is
named):

- ``limit_req zone=perip burst=… nodelay``: http/ngx_http_limit_req_module.html, and
  https://blog.nginx.org/blog/rate-limiting-nginx: a page with all its images arrives as one burst, which
  must neither wait nor be refused. ``$binary_remote_addr``, 10 MB: the same page's zone, room for 80,000
  sources. Rate and burst lie above what calm traffic needs, which is what ``limit_req_dry_run`` is for.
- ``limit_conn perip`` and ``limit_conn perserver``: http/ngx_http_limit_conn_module.html, the example with
  both. The second is what protects the origin from many sources: it keeps the line before it short. It is 100
  as in the example, or what calm traffic brings in the time that an answer may take, where that is more.
  ``limit_req`` by ``$server_name`` is left out: it refuses visitors in every busy second, and in a flood does
  what ``perserver`` does.
- 429 for both: http/ngx_http_limit_req_module.html#limit_req_status.
- ``client_header_timeout``, ``client_body_timeout`` 5s:
  https://www.nginx.com/blog/mitigating-ddos-attacks-with-nginx-and-nginx-plus/.
- ``proxy_connect_timeout``, ``proxy_read_timeout``: http/ngx_http_proxy_module.html. Shorter than the
  default of a minute, which no visitor waits; ``keepalive``, HTTP/1.1 and an empty ``Connection`` towards
  the origin: http/ngx_http_upstream_module.html#keepalive.
- ``max_conns`` is left out: what is over it waits only in the commercial edition ("queue", same page), and
  is refused with 502 otherwise.
- ``worker_processes auto``, ``worker_rlimit_nofile``: ngx_core_module.html. ``return 444`` for hosts that
  are not here: http/request_processing.html. ``backlog``: http/ngx_http_core_module.html#listen.

Alone it logs no request and no refusal, as Holdfast does not; for those who read its logs it writes both.
Bodies and answers stay in memory: its workers, which are not root, need not reach the directory.
"""

from __future__ import annotations

import math
from pathlib import Path

from bench.floods.contestant import World
from bench.floods.peers.base import Base
from bench.floods.peers.calm import Limits
from bench.floods.peers.running import Programs, missing, open_files

PER_SERVER = 100
READ_SECONDS = 10

CONFIGURATION = """\
daemon off;
user www-data;
worker_processes auto;
worker_rlimit_nofile {files};
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections {connections}; }}
http {{
  access_log {access};
  client_max_body_size 1m;
  client_body_buffer_size 1m;
  proxy_max_temp_file_size 0;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server_names_hash_bucket_size 128;

  client_header_timeout 5s;
  client_body_timeout 5s;
  send_timeout 10s;
  keepalive_timeout 15s;

  limit_req_zone $binary_remote_addr zone=perip:10m rate={rate}r/s;
  limit_conn_zone $binary_remote_addr zone=connections:10m;
  limit_conn_zone $server_name zone=perserver:1m;
  limit_req_status 429;
  limit_conn_status 429;
  limit_req_log_level {refusals};
  limit_conn_log_level {refusals};

  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_connect_timeout 5s;
  proxy_send_timeout 10s;
  proxy_read_timeout {read}s;

  server {{ {default} server_name _; return 444; }}
{sites}}}
"""

SITE = """\
  upstream site{number} {{ server {origin}; keepalive 32; }}
  server {{
    {listen}
    server_name {host};
    limit_req zone=perip burst={burst} nodelay;
    limit_conn connections {connections};
    limit_conn perserver {in_hand};
    location / {{ proxy_pass http://site{number}; }}
  }}
"""


def configuration(
    directory: Path, world: World, limits: Limits, *, logs: bool = False, files: int = 65536
) -> str:
    """``logs``: every request into access.log in the format "combined", every refusal into error.log."""
    default, listen = [], []
    for port, more in ports(world).items():
        default.append(f"listen {at(world.address, port)}{more} default_server backlog=4096;")
        listen.append(f"listen {at(world.address, port)}{more};")
    if world.certificate:
        certificate = f"ssl_certificate {world.certificate}; ssl_certificate_key {world.certificate};"
        default.append(certificate)
        listen.append(certificate)
    sites = (
        SITE.format(
            number=number,
            origin=at(*origin),
            host=host,
            listen=" ".join(listen),
            burst=limits.burst,
            connections=limits.connections,
            in_hand=max(PER_SERVER, math.ceil(world.legit_rate * READ_SECONDS)),
        )
        for number, (host, origin) in enumerate(sorted(world.origins.items()))
    )
    return CONFIGURATION.format(
        directory=directory,
        refusals="error" if logs else "warn",
        access=f"{directory}/access.log combined" if logs else "off",
        rate=limits.rate,
        read=READ_SECONDS,
        files=files,
        connections=files // 4,
        default=" ".join(default),
        sites="".join(sites),
    )


def ports(world: World) -> dict[int, str]:
    """Those to listen at, each with what nginx must be told of it."""
    secure = {world.https_port: " ssl http2"} if world.https_port and world.certificate else {}
    return {world.http_port: "", **secure}


def at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def start_nginx(programs: Programs, world: World, limits: Limits, *, logs: bool) -> None:
    directory = programs.directory
    file = directory / "nginx.conf"
    file.write_text(configuration(directory, world, limits, logs=logs, files=open_files()))
    command = ["nginx", "-c", f"{file}", "-p", f"{directory}", "-e", f"{directory / 'error.log'}"]
    programs.wait_listening("nginx", programs.start("nginx", command), *ports(world))


class Nginx(Base):
    """nginx alone."""

    name = "nginx"

    def is_available(self) -> str | None:
        return missing("nginx")

    def _bring_up(self, programs: Programs, world: World) -> None:
        start_nginx(programs, world, self.limits, logs=False)
