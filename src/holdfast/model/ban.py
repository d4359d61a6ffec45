"""A ban: a source whose connections are refused for a while, before TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network
from typing import Final

from holdfast.model.errors import error
from holdfast.model.site import Address, Network

LONGEST_BAN: Final = timedelta(seconds=60)
"""Addresses are shared: a ban that nobody renews is over within a minute."""


@dataclass(frozen=True, slots=True)
class Ban:
    """Connections from ``source`` are refused until ``until`` (aware, UTC)."""

    source: Network
    until: datetime
    reason: str = ""


def parse_network(text: str, place: str = "") -> Network:
    """An address or network in CIDR form; raises HoldfastError, naming the network that was meant."""
    try:
        return ip_network(text.strip())
    except ValueError:
        pass
    try:
        meant = ip_network(text.strip(), strict=False)
    except ValueError:
        raise error(
            f"{text!r} is not a network", "write it like 192.0.2.0/24 or 2001:db8::/48", place
        ) from None
    raise error(f"{text!r} has bits set outside its prefix", f"write {meant}", place)


def counted_as(address: Address) -> str:
    """The text under which HAProxy counts a client: an IPv4 address, or the first address of an IPv6 /64, as
    an IPv6 client has the whole of it to choose from."""
    length = 32 if address.version == 4 else 64
    return str(ip_network((address, length), strict=False).network_address)


MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as IPv6 sees them (RFC 4291, section 2.5.5.2)."""


def parse_source(text: str, place: str = "") -> Network:
    """A network to ban; raises HoldfastError, also for an IPv6 network that holds all of IPv4: HAProxy looks
    IPv4 addresses up in the IPv6 networks, too."""
    network = parse_network(text, place)
    if isinstance(network, IPv6Network) and network.overlaps(MAPPED):
        raise error(
            f"{network} would ban IPv4 addresses too",
            "name IPv4 networks as such, and a narrower IPv6 network (all public ones are in 2000::/3)",
            place,
        )
    return network
