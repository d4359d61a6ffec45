"""Who holds a slot of a site too slowly while others wait for it. Decisions only; ``relief`` acts on them.

HAProxy 2.6 knows no least rate of a body: a client that sends or takes a few bytes now and then keeps an
origin's slot for as long as it likes, and as many of them as there are slots shut everybody else out. Only
those are judged that let the edge wait: a slow origin is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from holdfast.edge.dataplane.answers import Progress
from holdfast.model.ban import counted_as
from holdfast.model.site import Address, Network

YOUNG_SECONDS = 2
"""A request is not judged before: connections begin slowly."""
FLOOR = 2_000
"""Bytes a second below which a client is slow: a modem of the nineties was faster."""
FLOOR_DOUBLES_SECONDS = 3.0
"""The longer others wait, the more is asked of those who hold the slots ..."""
HIGHEST_FLOOR = 8_000
"""... but never more than this: 64 kbit/s."""
SHORTEST_LOOK = 1.0
"""Seconds over which a rate is taken: a packet that is lost stops a good line for most of a second."""
READER_LOOK = 3.0
"""Of readers at first: HAProxy hears only now and then how far the kernel's buffer has emptied, a third of it
at a time, so that who takes bytes steadily seems to take them in lumps."""
LONGEST_LOOK = READER_LOOK


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


def reader_look(queued_seconds: float) -> float:
    """Seconds over which a reader is judged: fewer, the longer others wait."""
    return max(SHORTEST_LOOK, READER_LOOK - queued_seconds / 2)


def slowest(
    looks: Sequence[Look], waiting: int, queued_seconds: float, allowed: Iterable[Network] = ()
) -> list[Progress]:
    """Whom to end, by the last of several ``looks``: the slowest, at most as many as others are ``waiting``,
    none that has moved as many bytes as are asked of it, none that the site's allow list may name. Of those
    that are equally slow, first who has moved less in all its life."""
    spared = tuple(allowed)
    rates = {
        holder: rate
        for holder in looks[-1].holders.values()
        if holder.age >= YOUNG_SECONDS
        and (rate := _rate(looks, holder, queued_seconds)) is not None
        and rate < floor(queued_seconds)
        and not _is_spared(address_of(holder.source), spared)
    }
    ordered = sorted(rates, key=lambda each: (rates[each], _moved(each) / each.age, -each.age, each.id))
    return ordered[:waiting]


def _rate(looks: Sequence[Look], holder: Progress, queued_seconds: float) -> float | None:
    """Bytes a second that the client has let through; None where it is not the client that is waited for, or
    has not been for long enough."""
    now = looks[-1].at
    least = SHORTEST_LOOK if holder.is_uploading else reader_look(queued_seconds)
    for look in reversed(looks[:-1]):
        former = look.holders.get(holder.id)
        if former is None or not _is_same(former, holder):
            return None
        if now - look.at >= least:
            return (_moved(holder) - _moved(former)) / (now - look.at)
    return None


def _is_same(former: Progress, holder: Progress) -> bool:
    """The same request (an id may be given again), and the client let the edge wait then, too."""
    same = former.source == holder.source and former.age <= holder.age and _moved(former) <= _moved(holder)
    return same and ((former.is_uploading and holder.is_uploading) or (former.is_unread and holder.is_unread))


def _moved(holder: Progress) -> int:
    return holder.uploaded if holder.is_uploading else holder.downloaded


def _is_spared(source: Address | None, spared: Sequence[Network]) -> bool:
    """Who is not known may be one of them."""
    return bool(spared) if source is None else any(source in network for network in spared)


def address_of(source: str) -> Address | None:
    """The address of a client; None behind the TLS port, where HAProxy names its own socket."""
    try:
        return ip_address(source)
    except ValueError:
        return None


def client_of(source: str) -> str | None:
    """The address under which a client is counted; None as in ``address_of``."""
    address = address_of(source)
    return None if address is None else counted_as(address)
