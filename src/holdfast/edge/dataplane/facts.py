"""Nouns to pictures: what HAProxy should hold for one site, one blocked scope, one source.

Each function answers for a *unit*: the pictures of different units never name the same thing, so that a
change of one unit is planned without looking at the others.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.limits import DEFAULT, entry, slots_of
from holdfast.edge.dataplane.pages import BlockNotice, problem, record
from holdfast.edge.dataplane.picture import Authority, Flag, Listed, Maps, Picture, Server
from holdfast.model.ban import Ban
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Provider,
    Scope,
    SiteScope,
)
from holdfast.model.errors import error
from holdfast.model.hostname import WILDCARD
from holdfast.model.site import Network, Origin, Protocol, Service, Site

ALLOW_MASKS = ((8, 32), (16, 48), (24, 56), (32, 64), (32, 128))
"""Prefix lengths (IPv4, IPv6) at which HAProxy looks a source up in the allow list of a site."""
MOST_ALLOW_ENTRIES = 256


CHECK = "check inter 30s fastinter 1s downinter 2s observe layer4 error-limit 3 on-error fastinter"
"""For ten thousand origins each two seconds took a seventh of a core. Visitors see first that an
origin is down: three of their connections that fail have it checked at once, and then every second."""


@dataclass(frozen=True, slots=True)
class SiteId:
    """A site's number in the data plane, never reused. The customer's number is part of it, so that a
    block of a whole customer is one entry."""

    customer: int
    site: int

    def __str__(self) -> str:
        return f"{self.customer}-{self.site}"


def site_facts(site: Site, site_id: SiteId, slot: str, places: Places, signing_key: bytes = b"") -> Picture:
    """What HAProxy should hold for ``site`` in the backend ``slot``.

    ``signing_key``: the site's own, where it wants its requests signed.

    Raises HoldfastError when an allow list is too fine to be looked up cheaply.
    """
    sid = str(site_id)
    picture = Picture(maps={(Maps.BACKENDS, sid): slot})
    exact, wild = (
        (Maps.HOSTS, Maps.WILDCARDS)
        if site.service is Service.WEB
        else (Maps.PASS_HOSTS, Maps.PASS_WILDCARDS)
    )
    for pattern in site.hostnames:
        if pattern.startswith(WILDCARD):
            picture.maps[wild, pattern.removeprefix(WILDCARD)] = sid
        else:
            picture.maps[exact, pattern] = sid
    for origin in site.origins:
        _add_origin(picture, site, origin, sid, slot, places)
    if (own := entry(site.limits, slots_of(site))) != DEFAULT:
        picture.maps[Maps.LIMITS, sid] = own
    if site.service is Service.WEB:
        _add_web_facts(picture, site, sid, signing_key)
    return picture


def _add_web_facts(picture: Picture, site: Site, sid: str, signing_key: bytes) -> None:
    flags = 0
    for network in site.allow:
        flags |= Flag.ALLOW
        for each in allow_keys(network):
            picture.maps[Maps.ALLOW, f"{sid}|{each}"] = "1"
    if site.limits.bytes_per_second:
        flags |= Flag.BYTES
    if site.watch_only:
        flags |= Flag.WATCH
    if site.sign:
        flags |= Flag.SIGN
        picture.maps[Maps.SIGNING, sid] = b64encode(signing_key).decode()
    if site.https.value != "optional":
        flags |= Flag.REDIRECT
    if site.https.value == "strict":
        flags |= Flag.HSTS
    if flags:
        picture.maps[Maps.FLAGS, sid] = str(flags)
    if site.certificate is not None:
        name = f"{sid}-{_digest(site.certificate.pem, *site.hostnames)}"
        picture.certificates[name] = Listed(site.hostnames, site.certificate.pem)


def _add_origin(picture: Picture, site: Site, origin: Origin, sid: str, slot: str, places: Places) -> None:
    host = f"[{origin.address}]" if origin.address.version == 6 else str(origin.address)
    words = [f"{host}:{origin.port}", "pool-max-conn 256", "pool-purge-delay 10s", CHECK]
    if site.service is Service.WEB and origin.tls is not None:
        authority = "@system-ca"
        if origin.tls.authority is not None:
            name = f"ca-{sid}-{_digest(origin.tls.authority)}"
            picture.authorities[name] = Authority(pem=origin.tls.authority)
            authority = places.authority(name)
        server_name = origin.tls.server_name
        alpn = "h2" if origin.protocol is Protocol.HTTP2 else "http/1.1"
        words += [f"ssl verify required ca-file {authority} sni str({server_name}) verifyhost {server_name}"]
        words += [f"alpn {alpn} check-ssl check-sni {server_name}"]
    elif site.service is Service.WEB and origin.protocol is Protocol.HTTP2:
        words.append("proto h2")
    arguments = " ".join(words)
    server = Server(site.limits.origin_connections, arguments=arguments)
    picture.servers[slot, f"o{_digest(arguments)}"] = server


def allow_keys(network: Network) -> list[str]:
    """The keys under which ``network`` is looked up: a step of ``ALLOW_MASKS`` and the address so masked. The
    address alone would not tell 10.0.0.0/24 from 10.0.0.0/8. An odd prefix is spelled out.

    Raises HoldfastError beyond ``MOST_ALLOW_ENTRIES`` of them.
    """
    family = 0 if isinstance(network, IPv4Network) else 1
    steps = sorted({masks[family] for masks in ALLOW_MASKS})
    length = next(length for length in steps if length >= network.prefixlen)
    if 2 ** (length - network.prefixlen) > MOST_ALLOW_ENTRIES:
        raise error(
            f"the allow list entry {network} would take {2 ** (length - network.prefixlen)} entries",
            f"write it as networks of one of the lengths {', '.join(f'/{length}' for length in steps)}",
        )
    step = next(step for step, masks in enumerate(ALLOW_MASKS) if masks[family] == length)
    return [f"{step}|{part.network_address}" for part in network.subnets(new_prefix=length)]


def block_facts(
    scope: Scope,
    enforcements: Iterable[Enforcement],
    sites: Mapping[str, SiteId],
    customers: Mapping[str, int],
    provider: Provider,
) -> Picture:
    """What HAProxy should hold for the blocks of one scope: of several, visitors see the one that lasts
    longest. A scope whose site or customer is not on this edge needs nothing here.

    ``enforcements``: those of the whole unit. A block of a longer path carries that of a shorter one around
    it if this one lasts longer: HAProxy looks up the longest only, and must find one that is in force."""
    key = scope_key(scope, sites, customers)
    around = [each for each in enforcements if _includes(each.scope, scope)]
    chosen = max(around, key=lambda each: (each.until, each.id), default=None)
    if chosen is None or key is None:
        return Picture()
    notice = BlockNotice(
        id=chosen.id,
        status=chosen.status,
        provider=provider.name,
        provider_url=provider.url,
        ground=chosen.ground,
        since=chosen.since,
        until=chosen.until,
        statement=provider.statement.replace("{id}", chosen.id),
        record=provider.record.replace("{id}", chosen.id),
        appeal=provider.appeal.replace("{id}", chosen.id),
        authority=chosen.authority,
    )
    line, document = record(notice), problem(notice)
    record_id = f"{chosen.id}.{_digest(line, document, *key)}"
    picture = Picture(
        maps={
            (Maps.BLOCK_RECORDS, record_id): line,
            (Maps.BLOCK_PROBLEMS, record_id): document,
            key: record_id,
        }
    )
    if isinstance(scope, PathScope):
        picture.maps[Maps.BLOCK_PATHS, str(sites[scope.site])] = "1"
    return picture


def _includes(outer: Scope, inner: Scope) -> bool:
    """Whether a block of ``outer``, of the same unit, touches all of ``inner``."""
    if isinstance(outer, PathScope) and isinstance(inner, PathScope):
        return outer.site == inner.site and inner.prefix.startswith(outer.prefix)
    return outer == inner


def scope_key(
    scope: Scope, sites: Mapping[str, SiteId], customers: Mapping[str, int]
) -> tuple[str, str] | None:
    """The one entry that puts a block of ``scope`` in force; None where this edge does not serve it."""
    match scope:
        case CustomerScope(customer):
            return (Maps.BLOCK_CUSTOMERS, str(customers[customer])) if customer in customers else None
        case SiteScope(site):
            return (Maps.BLOCK_SITES, str(sites[site])) if site in sites else None
        case HostScope(hostname):
            return (Maps.BLOCK_HOSTS, hostname)
        case PathScope(site, prefix):
            return (Maps.BLOCK_PREFIXES, f"{sites[site]}{prefix}") if site in sites else None


def source_facts(source: Network, ban: Ban | None, cleared: datetime | None, *, is_allowed: bool) -> Picture:
    """What HAProxy should hold for one network, looked up by longest prefix before TLS. Addresses are shared
    by sites: what any site allows (``is_allowed``), or has cleared until ``cleared``, no ban touches."""
    picture = Picture()
    if is_allowed:
        picture.maps[Maps.SPARED, str(source)] = "1"
    if cleared is not None:
        picture.maps[Maps.CLEARED, str(source)] = str(_unix(cleared))
    if ban is not None:
        picture.maps[Maps.BANS, str(source)] = str(_unix(ban.until))
    return picture


def _unix(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
