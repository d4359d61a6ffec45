"""A site's limits as HAProxy's rules read them: one text of numbers, so that one look-up gets them all and a
change is one command. A site has an entry only where it differs from a new site."""

from __future__ import annotations

from typing import Final

from holdfast.model.site import LONGEST_BURST_SECONDS, Limits, Site

FIELDS: Final = ("interval", "tolerance", "at_once", "slots", "queue", "bytes", "body")
"""Their order in the text; HAProxy counts from 1."""
BYTES_SECONDS: Final = 10
"""The window over which a client's bytes are averaged."""
ANY: Final = 2_147_483_647
UNLIMITED_TOLERANCE: Final = LONGEST_BURST_SECONDS * 1_000_000
"""Microseconds: who had used up a limit that is gone now, and HAProxy's threads, whose clocks differ."""


def slots_of(site: Site) -> int:
    """How many requests all origins of a site take at the same time."""
    return len(site.origins) * site.limits.origin_connections


def entry(limits: Limits, slots: int) -> str:
    """The text for a site whose origins take ``slots`` requests at the same time.

    ``interval``: microseconds between two requests of a client that keeps to its rate, 0 for any number of
    requests; ``tolerance``: microseconds that it may be ahead of it, so that a burst takes all of them;
    ``bytes``: in ``BYTES_SECONDS``.
    """
    rate = limits.requests_per_second
    interval = 1_000_000 // rate if rate else 0
    numbers = (
        interval,
        interval * (limits.burst - 1) if rate else UNLIMITED_TOLERANCE,
        limits.requests_at_once,
        slots,
        limits.queue,
        limits.bytes_per_second * BYTES_SECONDS or ANY,
        limits.body_bytes,
    )
    return ":".join(map(str, numbers))


DEFAULT: Final = entry(Limits(), Limits().origin_connections)
"""A new site's, with one origin."""


def number(field: str, of: str = "var(txn.lim)") -> str:
    """The expression for one of the numbers."""
    return f"{of},field({FIELDS.index(field) + 1},:)"
