"""HAProxy with stick tables, as its own documentation and blog set it up. Debian's 2.6, no Lua, no extra
module.

Each setting, and where it is advised:

- ``stick-table … store http_req_rate(10s)``, ``http-request track-sc0 src``, ``deny deny_status 429``:
  https://www.haproxy.com/blog/four-examples-of-haproxy-rate-limiting; keys of type ``ipv6`` hold both
  families, as there. One million entries, kept for ten minutes:
  https://www.haproxy.com/blog/application-layer-ddos-attack-protection-with-haproxy. The threshold lies
  above the rates that calm traffic shows in the table:
  https://www.haproxy.com/blog/introduction-to-haproxy-stick-tables.
- ``conn_cur`` and ``conn_rate(3s)``, refused before anything is parsed:
  https://www.haproxy.com/blog/use-a-load-balancer-as-a-first-row-of-defense-against-ddos.
- ``timeout http-request 5s`` and ``option http-buffer-request``, against slow headers and bodies: the
  second of the pages above.
- ``server … maxconn`` and ``timeout queue 10s``: the first of the pages, and
  https://www.haproxy.com/blog/protect-servers-with-haproxy-connection-limits-and-queues; what the origin
  works on at once goes there, the rest waits in line, so that it is never overrun. ``option abortonclose``:
  who has left does not keep a place in that line
  (https://www.haproxy.com/blog/protect-your-web-server-against-slowloris/).
- ``option forwardfor``, ``timeout …``, ``maxconn``: configuration.txt of 2.6, sections 3.2 and 4.2; the
  time-outs are those of the file that Debian ships, but for the origin's answer, for which no visitor waits
  a minute.
- No health checks: with one origin there is no other to turn to, and a check that fails in a flood would
  end it all.
"""

from __future__ import annotations

from bench.floods.contestant import World
from bench.floods.peers.base import Base
from bench.floods.peers.calm import Limits
from bench.floods.peers.nginx import at, ports
from bench.floods.peers.running import Programs, missing, open_files
from holdfast.edge.machine import haproxy_binary

RATE_SECONDS = 10
CONNECTION_SECONDS = 3

CONFIGURATION = """\
global
  maxconn {maxconn}
  user haproxy
  group haproxy

defaults
  mode http
  option forwardfor
  option abortonclose
  option http-buffer-request
  option dontlognull
  maxconn {maxconn}
  timeout connect 5s
  timeout client 50s
  timeout server 10s
  timeout queue 10s
  timeout http-request 5s
  timeout http-keep-alive 15s

backend per_source
  stick-table type ipv6 size 1m expire 10m store {counters}

frontend sites
{binds}  tcp-request connection track-sc0 src table per_source
  tcp-request connection reject if {{ sc_conn_cur(0) gt {connections} }}
  tcp-request connection reject if {{ sc_conn_rate(0) gt {connection_rate} }}
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {request_rate} }}
{choices}{backends}"""

SITE = """
backend site{number}
  server origin {origin} maxconn {maxconn}
"""


def configuration(world: World, limits: Limits, *, files: int = 65536) -> str:
    """A connection that is over a limit is refused; a request that is over one is answered with 429."""
    sites = sorted(world.origins.items())
    binds = [f"  bind {at(world.address, world.http_port)} backlog 4096\n"]
    if world.https_port and world.certificate:
        secure = f"ssl crt {world.certificate} alpn h2,http/1.1"
        binds.append(f"  bind {at(world.address, world.https_port)} backlog 4096 {secure}\n")
    return CONFIGURATION.format(
        maxconn=files * 2 // 5,  # two files each, and some for itself
        binds="".join(binds),
        counters=f"conn_cur,conn_rate({CONNECTION_SECONDS}s),http_req_rate({RATE_SECONDS}s)",
        connections=limits.connections,
        connection_rate=limits.within(CONNECTION_SECONDS),
        request_rate=limits.within(RATE_SECONDS),
        choices="".join(
            f"  use_backend site{number} if {{ req.hdr(host),field(1,:) -i {host} }}\n"
            for number, (host, _) in enumerate(sites)
        ),
        backends="".join(
            SITE.format(number=number, origin=at(*origin), maxconn=limits.origin_connections)
            for number, (_, origin) in enumerate(sites)
        ),
    )


class Haproxy(Base):
    """HAProxy alone."""

    name = "haproxy"

    def is_available(self) -> str | None:
        return missing("haproxy")

    def _bring_up(self, programs: Programs, world: World) -> None:
        file = programs.directory / "haproxy.cfg"
        file.write_text(configuration(world, self.limits, files=open_files()))
        pid = programs.start("haproxy", [haproxy_binary(), "-db", "-f", f"{file}"])
        programs.wait_listening("haproxy", pid, *ports(world))
