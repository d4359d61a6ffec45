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


def interval(limits: Limits) -> int:
    """Microseconds between two requests of a client that keeps to its rate; 0: any number of requests."""
    return 1_000_000 // limits.requests_per_second if limits.requests_per_second else 0


def tolerance(limits: Limits) -> int:
    """Microseconds that a client may be ahead of its rate: a burst takes all of them."""
    return interval(limits) * (limits.burst - 1) if limits.requests_per_second else UNLIMITED_TOLERANCE


def entry(limits: Limits, slots: int) -> str:
    """The text for a site whose origins take ``slots`` requests at the same time; ``bytes`` are those of
    ``BYTES_SECONDS``."""
    numbers = (
        interval(limits),
        tolerance(limits),
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
