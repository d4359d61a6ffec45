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
    """What one client may take of a site, and the site of its origins."""

    requests_per_second: int | None = None
    """For each client (IPv4 address, IPv6 /64), averaged over ten seconds; None: no limit."""
    origin_connections: int = 100
    """At the same time, to each origin; more requests wait in the site's own queue."""


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
