"""From calm traffic to the limits of one source: pure functions, one policy for all peers.

The manuals agree on the way: watch calm traffic with the limits counted but not enforced, and set them
above what it needs (nginx: ``limit_req_dry_run``,
https://nginx.org/en/docs/http/ngx_http_limit_req_module.html; HAProxy: read the rates off ``show table``,
https://www.haproxy.com/blog/introduction-to-haproxy-stick-tables). ``CalmProfile.of`` does that counting on
a recording.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

HEADROOM = 2.0
"""Visitors who were not in the recording need more than those who were."""
KEPT_UP_SECONDS = 60.0
"""A rate that a source holds for so long is one that it keeps up; what is shorter is a burst."""


class Calm(Protocol):
    @property
    def rate(self) -> float:
        """Requests a second that one source keeps up: p99.9 of the sources."""

    @property
    def burst(self) -> int:
        """The most by which any source was ahead of that rate: what a leaky bucket of that rate must hold."""

    @property
    def connections(self) -> int:
        """The most connections, or requests under way, of one source at once."""

    @property
    def origin_connections(self) -> int:
        """Requests that the origin works on at once when it is at its best, by a load test; 0: not known."""


@dataclass(frozen=True, slots=True)
class CalmProfile:
    rate: float
    burst: int
    connections: int = 6
    """Six is what browsers open to one host over HTTP/1.1."""
    origin_connections: int = 0

    @classmethod
    def of(
        cls, requests: Iterable[tuple[float, str]], connections: int = 6, origin_connections: int = 0
    ) -> Self:
        """From the moment and the source of every request, in any order."""
        times: defaultdict[str, list[float]] = defaultdict(list)
        for moment, source in requests:
            times[source].append(moment)
        for each in times.values():
            each.sort()
        rates = sorted(_busiest(each, KEPT_UP_SECONDS) / KEPT_UP_SECONDS for each in times.values())
        rate = rates[math.ceil(0.999 * len(rates)) - 1] if rates else 0.0
        burst = max((_ahead(each, max(rate, 1.0)) for each in times.values()), default=0)
        return cls(rate, burst, connections, origin_connections)


@dataclass(frozen=True, slots=True)
class Limits:
    """What every peer is told, in its own words. Without training: the examples of the manuals."""

    rate: int = 10
    burst: int = 20
    """Both: https://blog.nginx.org/blog/rate-limiting-nginx."""
    connections: int = 10
    """https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html, the example ``perip``."""
    origin_connections: int = 30
    """https://www.haproxy.com/blog/four-examples-of-haproxy-rate-limiting."""

    @classmethod
    def above(cls, calm: Calm) -> Self:
        return cls(
            rate=max(1, math.ceil(HEADROOM * calm.rate)),
            burst=max(cls().burst, math.ceil(HEADROOM * calm.burst)),
            connections=max(cls().connections, math.ceil(HEADROOM * calm.connections)),
            origin_connections=calm.origin_connections or cls().origin_connections,
        )

    def within(self, seconds: int) -> int:
        """The most requests of one source in any span of so many seconds."""
        return self.burst + self.rate * seconds


def _busiest(times: Sequence[float], seconds: float) -> int:
    """The most moments in any span of so many seconds; ``times`` is sorted."""
    window: deque[float] = deque()
    most = 0
    for moment in times:
        window.append(moment)
        while moment - window[0] >= seconds:
            window.popleft()
        most = max(most, len(window))
    return most


def _ahead(times: Sequence[float], rate: float) -> int:
    """What a bucket that leaks ``rate`` a second held at the most; ``times`` is sorted."""
    level, before, most = 0.0, 0.0, 0.0
    for moment in times:
        level = max(0.0, level - (moment - before) * rate) + 1.0
        before, most = moment, max(most, level)
    return math.ceil(most)
