"""Why something was refused, by the numbers that HAProxy counts under.

A site's counters are the general-purpose counters (``gpc``) of its entry in the table ``sites``; those of the
whole edge, before any site is known, are process-wide variables.
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Why a request to a site was refused: the index of its counter."""

    BLOCKED = 0
    """The site, or this part of it, is blocked."""
    RATE = 1
    """Over the client's requests a second and its burst."""
    AT_ONCE = 2
    """Over the client's requests at the same time, or its share while the site is busy."""
    BYTES = 3
    """Over the client's bytes."""
    BODY = 4
    """The body is too long."""
    QUEUE = 5
    """The site's queue is full."""


LIMITS = (Reason.RATE, Reason.AT_ONCE, Reason.BYTES, Reason.BODY, Reason.QUEUE)
"""What a site's switch ``watch_only`` turns from refusing to counting."""
QUEUED = 6
"""Counts requests that came while all of the site's slots were taken, and waited."""
WATCHED = 6
"""Added to a reason: counts what would have been refused."""


class Verdict(IntEnum):
    """What the shield has done with a request: the index of its counter."""

    OBSERVED = 12
    CHALLENGED = 13
    DENIED = 14
    DROPPED = 15
    EARNED = 16
    """A clearance was given."""
    ASIDE = 17
    """Asked for on the way through a challenge: its style, its script, a solution."""


COUNTERS = 1 + max(Verdict)


class Refusal(IntEnum):
    """Why a connection was refused, before its site is known."""

    BANNED = 1
    RATE = 2
    """Over the client's new connections a second."""
    AT_ONCE = 3
    """Over the client's open connections."""

    @property
    def counter(self) -> str:
        """The process-wide variable that counts it."""
        return f"proc.refused_{self.name.lower()}"

    @property
    def watched(self) -> str:
        """The one that counts what would have been refused."""
        return f"proc.watched_{self.name.lower()}"
