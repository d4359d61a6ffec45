"""A site: a protected set of hostnames with its origins. Origins are somebody else's machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Service(StrEnum):
    """What the edge does for a site."""

    WEB = "web"
    """HTTP and HTTPS reverse proxy; TLS ends at the edge."""
    TCP = "tcp"
    """TLS passed through unopened to the origin, chosen by SNI."""


class Https(StrEnum):
    """What a visitor who comes over plain HTTP gets, and whether browsers are told to remember."""

    OPTIONAL = "optional"
    REDIRECT = "redirect"
    STRICT = "strict"
    """Redirect, and HSTS for a year (RFC 6797)."""


class Protocol(StrEnum):
    """How the edge speaks to an origin."""

    HTTP1 = "http/1.1"
    HTTP2 = "h2"


@dataclass(frozen=True, slots=True)
class OriginTls:
    """TLS towards an origin: the name that its certificate must carry, also sent as SNI."""

    server_name: str
    authority: str | None = None
    """PEM of the authorities to trust; None: those of the system."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a site's content comes from."""

    address: Address
    port: int
    tls: OriginTls | None = None
    protocol: Protocol = Protocol.HTTP1


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain with its private key, as one PEM without blank lines."""

    pem: str = field(repr=False)
    names: tuple[str, ...]
    """The patterns that it covers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client (an IPv4 address, an IPv6 /64) may take of a site, and a site of its origins."""

    requests_per_second: int = 100
    """Of one client, on average; 0: any number."""
    burst: int = 1000
    """Of one client, at once, after a while without requests."""
    requests_at_once: int = 200
    """Of one client, being answered or waiting at the same time."""
    bytes_per_second: int = 0
    """Of one client, in both directions, averaged over ten seconds; 0: any number."""
    body_bytes: int = 1 << 30
    """The longest body of a request that says its length."""
    origin_connections: int = 100
    """At the same time, to each origin; more requests wait in the site's own queue."""
    queue: int = 400
    """Requests that may wait for an origin; those beyond are told to come again."""


LONGEST_BURST_SECONDS = 60
"""A burst may be what the rate allows in this time: an idle client is remembered that long."""


@dataclass(frozen=True, slots=True)
class Site:
    """One protected site. ``name`` is unique on an edge and is what people type."""

    name: str
    customer: str
    hostnames: tuple[str, ...]
    """Patterns (see ``model.hostname``), each of them on one site only."""
    origins: tuple[Origin, ...]
    service: Service = Service.WEB
    https: Https = Https.OPTIONAL
    certificate: Certificate | None = None
    limits: Limits = Limits()
    allow: tuple[Network, ...] = ()
    """Sources that no rule after the enforcement touches."""
    watch_only: bool = False
    """Count what the limits would refuse, and refuse nothing."""
    under_attack: bool = False
    """The owner's switch: everybody is challenged."""
    sign: bool = False
    """Tell the origin by a signature that a request came through the edge."""
