"""Who takes part in a drill, from where, and what each request looks like. Pure: the n-th is always the same.

All sources are loopback addresses of ``SOURCES``. Visitors ask for the front page, which every site has; the
flood does too, each time with another query.
"""

from __future__ import annotations

import zlib
from enum import Enum
from ipaddress import IPv4Network
from typing import Final

SOURCES: Final = IPv4Network("127.64.0.0/10")
"""Where a drill's connections come from, whatever they say."""
VISITOR_NETWORKS, FLOOD_NETWORKS = 40, 200
TOOL: Final = "holdfast-drill/1.0"
"""The flood says what it is: so does the evidence, then."""
BROWSERS: Final = (
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
        " Safari/537.36",
        "text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/17.5 Safari/605.1.15",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
)
LANGUAGES: Final = ("de-DE,de;q=0.9", "en-GB,en;q=0.8", "fr-FR,fr;q=0.9", "ar,en;q=0.5")


class Party(Enum):
    VISITORS = "visitors"
    FLOOD = "flood"


def source(party: Party, number: int, seed: int) -> str:
    """The address that the n-th request comes from: a visitor of one of 40 networks, or one of 50,000 bots in
    200 networks."""
    drawn = _drawn(seed, party, "source", number)
    if party is Party.VISITORS:
        network = drawn % VISITOR_NETWORKS
        return f"127.80.{network}.{1 + network}"
    network = drawn % FLOOD_NETWORKS
    return f"127.{100 + network // 10}.{network % 10}.{1 + drawn // FLOOD_NETWORKS % 250}"


def request(party: Party, number: int, seed: int, host: str) -> bytes:
    """The n-th request, whole. Its connection is for it alone."""
    drawn = _drawn(seed, party, "request", number)
    if party is Party.FLOOD:
        lines = [f"GET /?{drawn:08x} HTTP/1.1", f"Host: {host}", f"User-Agent: {TOOL}", "Accept: */*"]
    else:
        agent, accept = BROWSERS[drawn % len(BROWSERS)]
        lines = [
            "GET / HTTP/1.1",
            f"Host: {host}",
            f"User-Agent: {agent}",
            f"Accept: {accept}",
            f"Accept-Language: {LANGUAGES[drawn // len(BROWSERS) % len(LANGUAGES)]}",
            "Accept-Encoding: gzip",
        ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _drawn(seed: int, *what: object) -> int:
    return zlib.crc32(f"{seed}/{what}".encode())
