"""Who holds a slot of a site too slowly while others wait for it. Decisions only; ``relief`` acts on them.

HAProxy 2.6 knows no least rate of a body: a client that sends or takes a few bytes now and then keeps an
origin's slot for as long as it likes, and as many of them as there are slots shut everybody else out. Only
those are judged that let the edge wait: a slow origin is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from holdfast.edge.dataplane.answers import Progress
from holdfast.model.site import Network

YOUNG_SECONDS = 2
"""A request is not judged before: connections begin slowly."""
FLOOR = 2_000
"""Bytes a second below which a client is slow: a modem of the nineties was faster."""
FLOOR_DOUBLES_SECONDS = 3.0
"""The longer others wait, the more is asked of those who hold the slots ..."""
HIGHEST_FLOOR = 8_000
"""... but never more than this: 64 kbit/s."""


@dataclass(frozen=True, slots=True)
class Look:
    """The holders of a site's slots at one moment."""

    at: float
    """Seconds, by a clock that never goes back."""
    holders: Mapping[str, Progress]
    """By id."""


def floor(queued_seconds: float) -> float:
    """Bytes a second that are asked of a holder, once others have waited that long."""
    return float(min(HIGHEST_FLOOR, FLOOR * 2 ** (queued_seconds / FLOOR_DOUBLES_SECONDS)))


def slowest(
    before: Look, now: Look, waiting: int, least: float, allowed: Iterable[Network] = ()
) -> list[Progress]:
    """Whom to end: the slowest, at most as many as others are ``waiting``, none that has moved ``least`` bytes
    a second since the look ``before``, none that the site's allow list names."""
    spared = tuple(allowed)
    seconds = now.at - before.at
    rates = {
        holder: rate
        for id, holder in now.holders.items()
        if (former := before.holders.get(id)) is not None
        and holder.age >= YOUNG_SECONDS
        and (rate := _rate(former, holder, seconds)) is not None
        and rate < least
        and not any(ip_address(holder.source) in network for network in spared)
    }
    return sorted(rates, key=lambda holder: (rates[holder], -holder.age, holder.id))[:waiting]


def _rate(former: Progress, holder: Progress, seconds: float) -> float | None:
    """Bytes a second that the client has let through; None where it is not the client that is waited for."""
    if seconds <= 0:
        return None
    if former.is_uploading and holder.is_uploading:
        return (holder.uploaded - former.uploaded) / seconds
    if former.is_unread and holder.is_unread:
        return (holder.downloaded - former.downloaded) / seconds
    return None


def client_of(source: str) -> str:
    """The address under which a client is counted: IPv4, or the /64 of an IPv6 one."""
    address = ip_address(source)
    length = 32 if address.version == 4 else 64
    return str(ip_network((address, length), strict=False).network_address)
