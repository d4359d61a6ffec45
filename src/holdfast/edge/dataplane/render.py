"""Picture + frame → the files that HAProxy reads at a start: its configuration, maps, pages, keys.

What is rendered equals what the Runtime API has built up, so that a start, a reload and a change at run
time all end in the same picture. Pure: text in, text out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.edge.dataplane.challenge_page import PAGE_STYLE, challenge_page, wait_page
from holdfast.edge.dataplane.challenge_script import challenge_script
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.origin_page import origin_page
from holdfast.edge.dataplane.pages import LANGUAGES, block_page
from holdfast.edge.dataplane.picture import META, ORDER, Maps, Picture, Server
from holdfast.edge.dataplane.reasons import COUNTERS, Refusal
from holdfast.edge.dataplane.rules import (
    ANSWERS,
    PASS_STEPS,
    PUBLIC,
    PUBLIC_STEPS,
    SITE_STEPS,
    WEB_STEPS,
    Context,
    Step,
)
from holdfast.edge.dataplane.rules.challenge import EARNED_SECONDS
from holdfast.edge.dataplane.rules.connection import CONNECTION_SECONDS
from holdfast.edge.dataplane.rules.context import HOP_ID
from holdfast.edge.dataplane.rules.public import (
    CACHE,
    CACHE_LINES,
    READER_SECONDS,
    READERS,
    public_lines,
    public_server,
)
from holdfast.edge.dataplane.rules.sampling import LUA, RING, sample_log, sample_ring
from holdfast.edge.dataplane.rules.shield import CEILING_SECONDS
from holdfast.edge.dataplane.slots import slot_names
from holdfast.model.site import Service

HOP, SAMPLES = "hop", "samples"
"""Backends of our own: behind the TLS port; the agent, which reads samples."""
RING_SOCKET, SAMPLES_SOCKET = "ring.sock", "samples.sock"
COMMON, HTTP, SITES = "common", "http", "sites"
"""Sections of defaults: of all proxies; of those that speak HTTP; of the slots of web sites, with the rules
that they share."""
BUFFER = 16_384


@dataclass(frozen=True, slots=True)
class Frame:
    """What is fixed between two reloads: the shape of the configuration file."""

    places: Places
    edge_id: str
    http: tuple[str, ...]
    """Addresses to bind, such as ``*:80`` or ``[::1]:8080``."""
    https: tuple[str, ...]
    https_port: int | None
    """The HTTPS port that visitors see."""
    web_slots: int
    pass_slots: int
    traffic_threads: int
    maxconn: int
    user: str | None = None
    """The account that HAProxy drops to; None: it stays what it is (not root)."""
    clients: int = 1_000_000
    """Clients that the tables of counters hold."""
    connections_per_second: int = 100
    """New ones of one client."""
    connections_at_once: int = 500
    watch_only: bool = False
    """Connections over a limit are counted and let in."""
    proxies: tuple[str, ...] = ()
    """Networks that speak the PROXY protocol."""
    forwarders: tuple[str, ...] = ()
    """Networks whose ``X-Forwarded-For`` is believed."""
    public: str | None = None
    """Where the public pages are served on this machine, such as ``127.0.0.1:9465``; None: they are not."""

    @property
    def change_socket(self) -> str:
        return str(self.places.root / "change.sock")

    @property
    def scan_socket(self) -> str:
        return str(self.places.root / "scan.sock")

    def jailed(self, name: str) -> str:
        """A socket in its jail, as HAProxy finds it from inside."""
        return f"{'' if self.user else self.places.root / 'jail'}/{name}"

    @property
    def digest(self) -> str:
        """Names the shape: where it differs from the running one, a reload is due."""
        return hashlib.sha256(configuration(self, Picture()).encode()).hexdigest()[:16]


def files(frame: Frame, picture: Picture, boot: str, epoch: int) -> dict[str, str]:
    """Path → content of every file for a start. ``boot`` names this rendering in HAProxy's memory."""
    places = frame.places
    entries: dict[str, list[str]] = defaultdict(list)
    for (name, key), value in picture.maps.items():
        entries[name].append(f"{key} {value}\n")
    meta = {
        "boot": boot,
        "frame": frame.digest,
        "epoch": str(epoch),
        "web_slots": str(frame.web_slots),
        "pass_slots": str(frame.pass_slots),
    }
    result = {places.map(name): "".join(entries[name]) for name in ORDER}
    result[places.map(META)] = "".join(f"{key} {value}\n" for key, value in meta.items())
    for status in (403, 451):
        for language in LANGUAGES:
            result[places.page(status, language)] = block_page(status, language)
    result[places.origin_page] = origin_page()
    for sent in (False, True):
        result[places.challenge_page(sent=sent)] = challenge_page(sent=sent)
    result[places.wait_page] = wait_page()
    result[places.challenge_script], result[places.challenge_style] = challenge_script(), PAGE_STYLE
    result[places.lua] = LUA
    listed = []
    for name, certificate in sorted(picture.certificates.items()):
        result[places.certificate(name)] = certificate.pem
        listed.append(" ".join((places.certificate(name), *certificate.patterns)))
    result[places.certificate_list] = "".join(f"{line}\n" for line in listed)
    for name, authority in sorted(picture.authorities.items()):
        result[places.authority(name)] = authority.pem
    result[str(places.root / "haproxy.cfg")] = configuration(frame, picture)
    return result


def configuration(frame: Frame, picture: Picture) -> str:
    """The configuration file."""
    plain, tls = _budget(frame)
    context = Context(
        frame.places,
        frame.edge_id,
        frame.https_port,
        plain_budget=plain,
        tls_budget=tls,
        connections_per_second=frame.connections_per_second,
        connections_at_once=frame.connections_at_once,
        watch_only=frame.watch_only,
        proxies=frame.proxies,
        forwarders=frame.forwarders,
        public=frame.public is not None,
    )
    sections = [
        _global(frame),
        _block(f"ring {RING}", sample_ring(frame.jailed(RING_SOCKET))),
        _defaults(),
        _block(f"defaults {HTTP} from {COMMON}", _http(frame)),
        _section(
            f"frontend web from {HTTP}",
            [*_web_binds(frame), *sample_log(context)],
            WEB_STEPS,
            context,
        ),
        *(_section(f"backend {name} from {HTTP}", [], steps, context) for name, steps in ANSWERS.items()),
        *_public(frame, context),
        _tables(frame),
        _samples(frame),
        _unused(frame),
    ]
    if frame.https:
        sections.append(
            _section(f"frontend tls from {COMMON}", _tls_binds(frame), PASS_STEPS, context, _tls_route())
        )
    sections += _backends(frame, picture, context)
    return "\n".join(sections)


def _global(frame: Frame) -> str:
    last = frame.traffic_threads
    lines = [
        "expose-experimental-directives",  # normalize-uri
        f"nbthread {last + 2}",
        f"maxconn {frame.maxconn}",
        # Changes and table scans have a thread each: a scan of a million entries must not delay a block.
        f"stats socket {frame.change_socket} mode 600 level admin expose-fd listeners thread {last + 1}",
        f"stats socket {frame.scan_socket} mode 600 level admin thread {last + 2}",
        "stats timeout 1h",
        "hard-stop-after 1h",
        "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        "ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
        "ssl-default-server-options ssl-min-ver TLSv1.2",
        "tune.ssl.default-dh-param 2048",
        # A stream that its client has reset counts until it has ended here (CVE-2023-44487).
        "tune.h2.max-concurrent-streams 50",
        *(f"set-var {name} int(0)" for each in Refusal for name in (each.counter, each.watched)),
        f"tune.bufsize {BUFFER}",
        "quiet",  # else every line of the samples would come to lie in HAProxy's own log
        f"lua-load-per-thread {frame.places.lua}",
        "tune.ssl.capture-buffer-size 192",  # what clients offer in their handshakes
    ]
    if frame.user is not None:
        lines += [f"user {frame.user}", f"chroot {frame.places.root / 'jail'}"]
    return _block("global", lines)


def _defaults() -> str:
    return _block(
        f"defaults {COMMON}",
        [
            "balance roundrobin",
            "timeout connect 5s",
            "timeout http-request 10s",
            "timeout http-keep-alive 15s",
            "timeout client 2m",
            "timeout server 2m",
            "timeout queue 10s",
            "timeout tunnel 1h",
            "timeout client-fin 10s",
            "option redispatch",
            # Only what has never reached an origin is sent again: to repeat more (``retry-on``) HAProxy keeps
            # a copy of each request, which took a fifth of a request's instructions.
            "retries 2",
        ],
    )


def _http(frame: Frame) -> list[str]:
    """What the proxies that speak HTTP add to that."""
    return [
        "mode http",
        # Else each part of a stream (an event, a gRPC message) waits up to 200 ms for the next one.
        "option http-no-delay",
        # At a reload an idle connection gets one more answer, with a 'close', before it is closed:
        # a request that was just on its way would be lost otherwise.
        "option idle-close-on-response",
        *(
            f'http-error status {status} content-type "text/html; charset=utf-8"'
            f" file {frame.places.origin_page} hdr Cache-Control no-store hdr Retry-After 10"
            for status in (502, 503, 504)
        ),
    ]


def _threads(frame: Frame) -> str:
    return "thread 1" if frame.traffic_threads == 1 else f"thread 1-{frame.traffic_threads}"


def _web_binds(frame: Frame) -> list[str]:
    """Plain HTTP and the inner end of the hop. Each kind of listener has its share of the connection budget:
    were it one pot, connections waiting at the TLS port could leave none for the hop that serves them."""
    plain, tls = _budget(frame)
    lines = [f"bind {address} maxconn {plain} {_threads(frame)}" for address in frame.http]
    if frame.https:
        lines.append(
            f"bind abns@{_hop_name(frame)} accept-proxy id {HOP_ID} maxconn {tls * _sockets(frame.https)}"
            f" ssl strict-sni crt-list {frame.places.certificate_list} alpn h2,http/1.1 {_threads(frame)}"
        )
    return [f"maxconn {frame.maxconn}", *lines]


def _tls_binds(frame: Frame) -> list[str]:
    _, tls = _budget(frame)
    binds = [f"bind {address} maxconn {tls} {_threads(frame)}" for address in frame.https]
    return ["mode tcp", f"maxconn {frame.maxconn}", *binds]


def _budget(frame: Frame) -> tuple[int, int]:
    """Connections that each plain and each TLS socket may hold. An HTTPS connection counts twice, at the TLS
    port and behind the hop, so of ``maxconn`` a quarter is for plain HTTP and three eighths for HTTPS."""
    tls_share = frame.maxconn * 3 // 8 if frame.https else 0
    plain_share = frame.maxconn - 2 * tls_share
    return plain_share // max(1, _sockets(frame.http)), tls_share // max(1, _sockets(frame.https))


def _sockets(binds: tuple[str, ...]) -> int:
    """How many sockets HAProxy opens for them: an address may be a list of several."""
    return sum(bind.count(",") + 1 for bind in binds)


def _tls_route() -> list[str]:
    return [
        "use_backend %[var(sess.slot)] if { var(sess.slot) -m found }",
        f"default_backend {HOP}",
    ]


def _tables(frame: Frame) -> str:
    """Counters: of each site; of each client of a site; of each source of connections; and what is open for
    long (see ``rules``). A full table forgets who was idle the longest, never who is connected."""
    tables = {
        "sites": f"type string len 24 size 100k expire 24h store gpc({COUNTERS}),http_req_cnt,"
        "http_req_rate(10s),http_err_cnt,conn_cnt,conn_cur,bytes_out_cnt",
        # Remembered for longer than anybody may be ahead of his rate: see ``LONGEST_BURST_SECONDS``.
        "clients": f"type string len 48 size {frame.clients} expire 90s store gpt0,conn_cur,"
        "bytes_in_rate(10s),bytes_out_rate(10s)",
        "sources": f"type ipv6 size {frame.clients} expire 30s store gpc0,"
        f"gpc0_rate({CONNECTION_SECONDS}s),conn_cur",
        # Clearances of a site that networks have earned, by following a link and by a proof of work; and what
        # was shown for them, so that it counts once.
        "earned": f"type string len 64 size 100k expire {EARNED_SECONDS}s"
        f" store gpc(2),gpc_rate(2,{EARNED_SECONDS}s)",
        "shown": f"type string len 40 size 200k expire {EARNED_SECONDS}s store gpc0",
        # Clients that ask sites which challenge them, and have no clearance.
        "strangers": f"type ipv6 size {frame.clients} expire {3 * CEILING_SECONDS}s"
        f" store gpc0,gpc0_rate({CEILING_SECONDS}s)",
        # Beyond any number of streams: who could fill it would keep what others open from being noted.
        # Memory is taken entry by entry, less than the stream itself takes.
        "open": "type string len 1024 size 1m expire 1h store conn_cur",
    }
    return "\n".join(
        _block(f"backend {name} from {COMMON}", [f"stick-table {each}"]) for name, each in tables.items()
    )


def _public(frame: Frame, context: Context) -> Iterator[str]:
    if frame.public is None:
        return
    readers = f"type ipv6 size 10k expire {3 * READER_SECONDS}s store gpc0,gpc0_rate({READER_SECONDS}s)"
    yield _block(f"cache {CACHE}", CACHE_LINES)
    yield _block(f"backend {READERS} from {COMMON}", [f"stick-table {readers}"])
    yield _section(
        f"backend {PUBLIC} from {HTTP}", public_lines(), PUBLIC_STEPS, context, public_server(frame.public)
    )


def _samples(frame: Frame) -> str:
    """The way of the samples from the ring to the agent. While there is no agent a ring tries again at once,
    thousands of times a second, and so does a backend whose socket nobody listens at: to take what the ring
    sends only after a second leaves one try a second."""
    owner = f" user {frame.user}" if frame.user else ""
    socket = frame.places.root / "jail" / RING_SOCKET
    listen = [
        "mode tcp",
        f"bind unix@{socket} mode 600{owner} {_threads(frame)}",
        "tcp-request inspect-delay 1s",
        "tcp-request content accept if WAIT_END",
        f"default_backend {SAMPLES}",
    ]
    agent = [
        "mode tcp",
        "retries 0",
        "timeout connect 1s",
        f"server agent unix@{frame.jailed(SAMPLES_SOCKET)}",
    ]
    return "\n".join(
        (
            _block(f"frontend {SAMPLES}-in from {COMMON}", listen),
            _block(f"backend {SAMPLES} from {COMMON}", agent),
        )
    )


def _unused(frame: Frame) -> str:
    """HAProxy keeps only maps that some rule names; these must be there although none may."""
    maps = (META, Maps.PASS_HOSTS, Maps.PASS_WILDCARDS)
    rules = [f"http-request set-var(txn.none) str(none),map({frame.places.map(name)})" for name in maps]
    return _block(f"backend unused from {HTTP}", rules)


def _backends(frame: Frame, picture: Picture, context: Context) -> Iterator[str]:
    in_slot: dict[str, list[tuple[str, Server]]] = defaultdict(list)
    for (backend, name), server in sorted(picture.servers.items()):
        in_slot[backend].append((name, server))
    if frame.https:
        yield _block(
            f"backend {HOP} from {COMMON}",
            ["mode tcp", f"server {HOP} abns@{_hop_name(frame)} send-proxy-v2"],
        )
    for slot in slot_names(Service.TCP, frame.pass_slots):
        yield _block(f"backend {slot} from {COMMON}", ["mode tcp", *_servers(in_slot[slot])])
    yield _section(f"defaults {SITES} from {HTTP}", [], SITE_STEPS, context)
    for slot in slot_names(Service.WEB, frame.web_slots):
        yield _block(f"backend {slot} from {SITES}", _servers(in_slot[slot]))


def _servers(servers: list[tuple[str, Server]]) -> list[str]:
    return [f"server {name} {server.arguments} maxconn {server.maxconn}" for name, server in servers]


def _hop_name(frame: Frame) -> str:
    """Abstract sockets are shared by a whole network namespace, so the name must be this edge's own."""
    return f"holdfast-{hashlib.sha256(str(frame.places.root).encode()).hexdigest()[:12]}"


def _section(
    title: str, head: list[str], steps: tuple[Step, ...], context: Context, tail: list[str] | None = None
) -> str:
    lines = [title, *(f"  {line}" for line in head)]
    for step, rules in steps:
        lines += [f"  # {step}", *(f"  {line}" for line in rules(context))]
    return "\n".join([*lines, *(f"  {line}" for line in tail or [])]) + "\n"


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) + "\n"
