"""Prometheus metrics, on a private port. Each scrape reads HAProxy's counters anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from holdfast.edge.agent import Edge
from holdfast.edge.listen import parse_listeners
from holdfast.edge.status import SiteRow, Snapshot, take_snapshot
from holdfast.model.errors import error

SCRAPE_SECONDS = 10

SITE_COUNTERS: tuple[tuple[str, str, Callable[[SiteRow], float]], ...] = (
    ("holdfast_site_requests", "Requests to a site.", lambda row: row.requests),
    ("holdfast_site_waited", "Requests that found all slots taken.", lambda row: row.waited),
    ("holdfast_site_ended", "Requests ended for holding a slot too slowly.", lambda row: row.ended),
    (
        "holdfast_site_client_errors",
        "Requests that HAProxy or the origin found faulty.",
        lambda row: row.errors,
    ),
    ("holdfast_site_sent_bytes", "Bytes sent to visitors.", lambda row: row.bytes_out),
)
SITE_GAUGES: tuple[tuple[str, str, Callable[[SiteRow], float]], ...] = (
    (
        "holdfast_site_request_rate",
        "Requests a second, over ten seconds.",
        lambda row: row.requests_per_second,
    ),
    ("holdfast_site_waiting", "Requests waiting for an origin.", lambda row: row.waiting),
    ("holdfast_site_open", "Requests and connections open at the origins.", lambda row: row.connections),
    ("holdfast_site_origins", "Origins of a site.", lambda row: row.origins),
    ("holdfast_site_origins_up", "Origins that answer their health check.", lambda row: row.origins_up),
    ("holdfast_site_is_blocked", "1 while the whole site is blocked.", lambda row: float(bool(row.block))),
    ("holdfast_attack", "1 while an attack on a site goes on.", lambda row: float(bool(row.attack))),
    (
        "holdfast_site_is_switched",
        "1 while its owner's switch 'under attack' is on.",
        lambda row: float(row.switched),
    ),
)
SITE_REASONS: tuple[tuple[str, str, Callable[[SiteRow], Mapping[str, int]]], ...] = (
    ("holdfast_site_refused", "Requests refused, by reason.", lambda row: row.refused),
    ("holdfast_site_watched", "Requests that would have been refused, by reason.", lambda row: row.watched),
    (
        "holdfast_site_shielded",
        "What the shield did with requests: observed, challenged, denied, dropped, cleared.",
        lambda row: row.shield,
    ),
)
EDGE_REASONS: tuple[tuple[str, str, str, Callable[[Snapshot], Mapping[str, int]]], ...] = (
    (
        "holdfast_connections_refused",
        "Connections refused, by reason.",
        "reason",
        lambda each: each.refused_connections,
    ),
    (
        "holdfast_connections_watched",
        "Connections that would have been refused, by reason.",
        "reason",
        lambda each: each.watched_connections,
    ),
    (
        "holdfast_samples",
        "Sampled requests: read, malformed, dropped, of an unknown host.",
        "what",
        lambda each: each.samples,
    ),
)
EDGE_COUNTERS: tuple[tuple[str, str, Callable[[Snapshot], float]], ...] = (
    ("holdfast_commands", "Commands performed at run time.", lambda each: each.commands),
    ("holdfast_commands_refused", "Commands that HAProxy refused.", lambda each: each.refused),
    ("holdfast_reloads", "Reloads since the agent started.", lambda each: each.reloads),
    ("holdfast_starts", "Starts of HAProxy by this agent.", lambda each: each.starts),
    ("holdfast_unknown_hosts", "Requests for hosts that no site has.", lambda each: each.unknown_hosts),
    ("holdfast_malformed_requests", "Requests that could not be read.", lambda each: each.malformed),
)
EDGE_GAUGES: tuple[tuple[str, str, Callable[[Snapshot], float]], ...] = (
    ("holdfast_in_step", "1 while HAProxy holds what it should.", lambda each: float(not each.trouble)),
    ("holdfast_epoch", "The last change that was read back.", lambda each: each.epoch),
    ("holdfast_blocks", "Blocks in force.", lambda each: each.blocks),
    ("holdfast_blocks_withheld", "Stored blocks whose proof fails.", lambda each: each.withheld),
    ("holdfast_bans", "Sources banned.", lambda each: each.bans),
    ("holdfast_mitigations", "Mitigations in force.", lambda each: each.mitigations),
    (
        "holdfast_shield_tick_seconds_max",
        "The shield's slowest look at all sites since the agent's start.",
        lambda each: each.slowest_tick,
    ),
    ("holdfast_leaving_workers", "Workers finishing connections after a reload.", lambda each: each.leaving),
    ("holdfast_connections", "Connections open.", lambda each: float(each.haproxy.get("CurrConns", 0))),
    (
        "holdfast_connections_limit",
        "Connections that HAProxy may hold.",
        lambda each: float(each.haproxy.get("Maxconn", 0)),
    ),
)


class EdgeCollector(Collector):
    """Asks the agent's event loop for a snapshot, from the thread that serves the scrape."""

    def __init__(self, edge: Edge, loop: asyncio.AbstractEventLoop) -> None:
        self._edge = edge
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        coming = asyncio.run_coroutine_threadsafe(take_snapshot(self._edge), self._loop)
        return families(coming.result(SCRAPE_SECONDS))


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """The metrics of a snapshot."""
    for name, words, of_edge in EDGE_COUNTERS:
        yield CounterMetricFamily(name, words, value=of_edge(snapshot))
    for name, words, of_edge in EDGE_GAUGES:
        yield GaugeMetricFamily(name, words, value=of_edge(snapshot))
    for name, words, label, reasons_of_edge in EDGE_REASONS:
        counter = CounterMetricFamily(name, words, labels=[label])
        for reason, count in reasons_of_edge(snapshot).items():
            counter.add_metric([reason], count)
        yield counter
    for name, words, reasons_of_site in SITE_REASONS:
        counter = CounterMetricFamily(name, words, labels=["site", "reason"])
        for row in snapshot.sites:
            for reason, count in reasons_of_site(row).items():
                counter.add_metric([row.name, reason], count)
        yield counter
    for name, words, of_site in SITE_COUNTERS:
        counter = CounterMetricFamily(name, words, labels=["site"])
        for row in snapshot.sites:
            counter.add_metric([row.name], of_site(row))
        yield counter
    for name, words, of_site in SITE_GAUGES:
        gauge = GaugeMetricFamily(name, words, labels=["site"])
        for row in snapshot.sites:
            gauge.add_metric([row.name], of_site(row))
        yield gauge


def serve_metrics(edge: Edge, address: str) -> WSGIServer:
    """Serve them at ``host:port``; the caller shuts the server down. Raises HoldfastError."""
    (listener,) = parse_listeners([address], "edge.metrics")
    registry = CollectorRegistry()
    registry.register(_Lazy(EdgeCollector(edge, asyncio.get_running_loop())))
    try:
        server, _ = start_http_server(listener.port, str(listener.address or "::"), registry)
    except OSError as refused:
        raise error(
            f"cannot serve metrics at {address} ({refused.strerror})",
            "set [edge] metrics to a free private address",
        ) from refused
    return server


class _Lazy(Collector):
    """Registers without a first scrape: the registry would wait for the event loop that calls it."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._inner.collect()
