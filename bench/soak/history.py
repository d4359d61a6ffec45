"""What was the case when, as far as a client can know: blocks, sites, bans, reloads. Pure but for its lists.

A change takes effect at some moment between its request and its answer. So each fact has four times, and a
request is judged by whether something *can* have been the case while it was under way, or *must* have been.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

Key = tuple[str, ...]
"""A scope: ``("site", NAME)``, ``("host", HOSTNAME)``, ``("path", SITE, PREFIX)``, ``("customer", NAME)`` are
blocked; ``("here", SITE)`` is served; ``("ban", SOURCE)``; ``("reload",)`` is under way."""

RELOAD: Key = ("reload",)
KEEP_SECONDS = 900.0
"""Longer than any request lives."""


@dataclass(slots=True)
class Span:
    """Something is the case: perhaps from ``began`` and surely from ``sure`` on; surely until ``unsure`` and
    perhaps until ``over``. Each is written before the request is sent, or after its answer has come: a
    reader in another thread is never told more than is certain."""

    began: float
    sure: float = math.inf
    unsure: float = math.inf
    over: float = math.inf


@dataclass
class History:
    """Written by who makes the changes, read by who judges requests."""

    spans: dict[Key, list[Span]] = field(default_factory=lambda: defaultdict(list))

    def begin(self, key: Key, at: float) -> Span:
        """Something will be the case; forgets what was over long ago."""
        kept = [span for span in self.spans[key] if span.over > at - KEEP_SECONDS]
        span = Span(at)
        self.spans[key] = [*kept, span]  # a new list: readers go on with the old one
        return span

    def can(self, keys: Iterable[Key], start: float, end: float) -> bool:
        """Whether one of ``keys`` may have been the case at some moment from ``start`` to ``end``."""
        return any(
            span.began <= end and start <= span.over for key in keys for span in self.spans.get(key, ())
        )

    def must(self, keys: Iterable[Key], start: float, end: float) -> bool:
        """Whether one of ``keys`` was the case from ``start`` to ``end``, without a doubt."""
        return any(
            span.sure <= start and end <= span.unsure for key in keys for span in self.spans.get(key, ())
        )

    def begins(self, keys: Iterable[Key], start: float, end: float) -> bool:
        """Whether one of ``keys`` may have begun to be the case between ``start`` and ``end``."""
        return any(
            span.began <= end and start <= span.sure for key in keys for span in self.spans.get(key, ())
        )
