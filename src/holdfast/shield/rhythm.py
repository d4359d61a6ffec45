"""How many requests a second a site usually has: by the hour of its week, at today's pace, with its bursts.

Minutes are learned, spans are asked about. A minute is learned some minutes later, and only if no attack was
seen in it or since. What is learned is cut: nobody can teach more than a bounded factor (``HEADROOM``).
Not here: whether more than usual is an attack (``brain``), who comes (``baseline``).

The bound of a short span takes its count for a negative binomial: requests come in bunches (a page and its
images), so that the variance is ``bunching`` times the mean and the tail is geometric. Bunches that overlap
the span's ends make this grow with the span: in the log of NASA's server from 1 s to 60 s as the root of it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

MINUTE = 60.0
HOURS = 168
"""Of a week, the first one from Thursday 00:00 UTC, as unix time has it."""
COLD_SECONDS = 3600.0
COLD_REQUESTS = 1000.0
"""Before this much was learned, next to nothing is known of the site."""
COLD_UPPER = 50.0
"""Requests/s that a site may have of which nothing is known."""
COLD_FACTOR = 5.0
"""… or so many times the little that was seen."""
QUIET = 2.0
"""Requests/s that any site may learn: without this, one that had no visitors could never have any."""
HEADROOM = 8.0
"""Nothing above this many times the long-run level is learned or expected. The level's half life is two
weeks, so that whoever is never noticed drives it up by e^((8 - 1) ln 2 / 14) = 1.42 times a day at most. At a
site younger than that it is the site's age, but a day at least: 128 times in the first day, twice in the
eighth."""
LONGEST_IDLE = 86_400.0
"""Seconds without requests that are learned at once."""
PACE = 4.0
"""How far today may be from what the hour usually has, either way."""

_SLOT_MEMORY = 4.0  # weeks in an hour's mean, at most: a half life of three weeks
_PACE_HALF_LIFE = 20.0  # minutes
_PACE_PRIOR = 0.05  # requests/s: holds the pace of an empty site at 1
_DAY = 1440.0  # minutes
_LEVEL_HALF_LIFE = 14 * _DAY
_SPREAD_MEMORY = 2 * _DAY
_WAIT = 3  # minutes before what was seen is learned
_OUTAGE = 12.0  # requests: where so many were expected and none came, the site was down; that is no rhythm
_UNLIKELY = 16.0  # -ln of the probability that calm traffic passes the bound of a span: 1e-7
_SWINGS = 4.0
_MOST_BUNCHED = 50.0
_WIDEST_SWING = 0.5


class Expectation(NamedTuple):
    """Of one span, both in requests/s."""

    mean: float
    upper: float
    """What calm traffic practically never exceeds."""


class _Minute(NamedTuple):
    number: int
    """Minutes since 1970."""
    seconds: float
    rate: float
    mean: float
    """Of the seconds' counts, and their variance; both 0 where spans were longer than a second."""
    variance: float


class Rhythm:
    """One site's. About 7 KB of memory, less than 3 KB as a document."""

    __slots__ = (
        *("_minute", "_count", "_seconds", "_second", "_part", "_n", "_sum", "_squares", "_spoiled"),
        *("_waiting", "_for", "_mean", "_top", "_hour", "_between"),
        *(
            "week",
            "seen",
            "level",
            "age",
            "requests",
            "actual",
            "usual",
            "last",
            "bunched",
            "counted",
            "swing",
        ),
    )

    def __init__(self) -> None:
        self.week = [0.0] * HOURS
        """Requests/s in each hour of the week, and how many weeks speak for it (0 to 4)."""
        self.seen = [0.0] * HOURS
        self.level = 0.0
        """Requests/s in the long run."""
        self.age = 0.0
        """Seconds learned."""
        self.requests = 0.0
        """Requests learned."""
        self.actual, self.usual, self.last = 0.0, 0.0, 0
        """The pace: what came lately, what the hours usually have, up to which minute."""
        self.bunched, self.counted = 1.0, 1.0
        """Sums of the seconds' variances and means."""
        self.swing = 0.04
        """Variance of a minute's rate, relative to its mean, beyond what bunches explain."""
        self._waiting = list[_Minute]()
        self._minute, self._spoiled, self._n = 0, False, 0
        self._count = self._seconds = self._second = self._part = self._sum = self._squares = 0.0
        self._for, self._mean, self._top, self._hour = -1, 0.0, 0.0, 0.0
        self._between: tuple[int | None, float, float] = (None, 0.0, 0.0)
        """An hour since 1970, what is usual in it and in the next; until anything is learned."""

    def learn(self, at: float, requests: float, seconds: float, exclude: bool = False) -> None:
        """``requests`` came in ``seconds`` from ``at`` (unix time) on. ``exclude``: under attack; then the
        minute is not learned, nor are those that still wait. Raises ``ValueError`` for what cannot be."""
        if not (requests >= 0 and seconds > 0):
            raise ValueError(f"{requests} requests in {seconds} s: must be at least 0, and more than 0 s")
        number = int(at // MINUTE)
        if number != self._minute:
            self._end(number)
        if exclude:
            self._spoiled = True
            self._waiting.clear()
        if self._spoiled:
            return
        self._count += requests
        self._seconds += seconds
        self._second += requests
        self._part += seconds
        if self._part >= 0.99:
            if self._part < 1.5:  # a longer span says nothing of single seconds
                rate = self._second / self._part
                self._n += 1
                self._sum += rate
                self._squares += rate * rate
            self._second = self._part = 0.0

    def expected(self, at: float, seconds: float) -> Expectation:
        """For a span of ``seconds`` (0.1 to 60) about ``at``."""
        number = int(at // MINUTE)
        if number != self._for:
            self._look(number)
        bunching = 1 + (self.bunching - 1) * math.sqrt(seconds)
        most = self._top * seconds
        most += math.sqrt(2 * _UNLIKELY * bunching * most) + _UNLIKELY * max(1 / 3, bunching - 0.6)
        upper = most / seconds
        return Expectation(self._mean, upper if self.is_warm else max(upper, COLD_UPPER))

    @property
    def is_warm(self) -> bool:
        """Whether enough was learned to say what is unusual; before that ``upper`` is a safe default."""
        return self.age >= COLD_SECONDS and self.requests >= COLD_REQUESTS

    @property
    def bunching(self) -> float:
        """Variance of the count of a second by its mean: 1 where requests come one by one."""
        return min(max(self.bunched / self.counted, 1.0), _MOST_BUNCHED)

    def _end(self, number: int) -> None:
        """Another minute begins."""
        if not self._spoiled and self._seconds >= MINUTE / 2:
            mean = self._sum / self._n if self._n > 20 else 0.0
            variance = max(self._squares - self._n * mean * mean, 0.0) / (self._n - 1) if mean else 0.0
            rate = self._count / self._seconds
            self._waiting.append(_Minute(self._minute, self._seconds, rate, mean, variance))
            while self._waiting and (len(self._waiting) > _WAIT or not self.is_warm):
                self._learn(self._waiting.pop(0))
        self._minute, self._spoiled, self._n = number, False, 0
        self._count = self._seconds = self._second = self._part = self._sum = self._squares = 0.0

    def _learn(self, minute: _Minute) -> None:
        self._look(minute.number)
        mean, usual, rate = self._mean, self._hour, minute.rate
        is_warm = self.is_warm
        if rate > 0:
            highest = self.expected(minute.number * MINUTE, minute.seconds).upper
            if is_warm:
                highest = min(highest, max(QUIET, HEADROOM * self.level))
            rate = min(rate, highest)
        if minute.rate == 0 and mean * minute.seconds >= _OUTAGE:
            return
        self._for, self._between = -1, (None, 0.0, 0.0)  # what was looked up is out of date from here on
        self._learn_spread(minute, mean, rate, is_warm)
        fade = 0.5 ** (max(minute.number - self.last, 0) / _PACE_HALF_LIFE)
        self.actual, self.usual = self.actual * fade + rate, self.usual * fade + usual
        self.last = minute.number
        weeks = minute.seconds / 3600
        slot = minute.number // 60 % HOURS
        self.week[slot] += (rate - self.week[slot]) * weeks / (self.seen[slot] + weeks)
        self.seen[slot] = min(self.seen[slot] + weeks, _SLOT_MEMORY)
        self.age += minute.seconds
        self.requests += rate * minute.seconds
        half_life = min(max(self.age / MINUTE, _DAY), _LEVEL_HALF_LIFE)
        gain = math.log(2) / half_life if self.is_warm else 1 / max(self.age / MINUTE, 1.0)
        self.level += (rate - self.level) * gain

    def _learn_spread(self, minute: _Minute, mean: float, rate: float, is_warm: bool) -> None:
        fade = 1 - 1 / _SPREAD_MEMORY
        if minute.mean > 0:
            self.bunched = self.bunched * fade + min(minute.variance, 3 * self.bunching * minute.mean)
            self.counted = self.counted * fade + minute.mean
        if is_warm and mean * minute.seconds >= 10:
            bunching = 1 + (self.bunching - 1) * math.sqrt(minute.seconds)
            off = min((rate / mean - 1) ** 2, 1.0) - bunching / (mean * minute.seconds)
            self.swing += (off - self.swing) / _SPREAD_MEMORY

    def _look(self, number: int) -> None:
        """What is expected in this minute."""
        season = self._hour = self._season(number)
        fade = 0.5 ** (max(number - self.last, 0) / _PACE_HALF_LIFE)
        pace = (self.actual * fade + _PACE_PRIOR) / (self.usual * fade + _PACE_PRIOR)
        pace = min(max(pace, 1 / PACE), PACE)
        if not self.is_warm:
            self._for, self._mean = number, season * pace
            self._top = COLD_FACTOR * max(self.level, self._mean)
            return
        if season > 0:
            pace = min(pace, max(QUIET, HEADROOM * self.level) / season)
        self._for, self._mean = number, season * pace
        # After a quiet spell the usual comes back, so the bound never lies below the usual hour's; an hour of
        # which little was seen may be twice as busy.
        swing = math.sqrt(min(max(self.swing, 0.0), _WIDEST_SWING**2))
        unseen = 1 + 1 / (1 + 8 * self.seen[number // 60 % HOURS])
        self._top = season * max(pace, 1.0) * unseen * (1 + _SWINGS * swing)

    def _season(self, number: int) -> float:
        """Requests/s that the hour usually has, between the middles of two hours."""
        hour = (number - 30) // 60
        share = (number - 30 - 60 * hour) / 60
        if hour != self._between[0]:
            self._between = hour, self._slot(hour % HOURS), self._slot((hour + 1) % HOURS)
        return self._between[1] * (1 - share) + self._between[2] * share

    def _slot(self, slot: int) -> float:
        """An hour of the week; as far as it was not seen, that hour on other days, or the level."""
        seen = self.seen[slot]
        if seen >= 1:
            return self.week[slot]
        rate, weight = self.level * 0.25, 0.25
        for day in range(slot % 24, HOURS, 24):
            if days := self.seen[day]:
                rate += self.week[day] * days
                weight += days
        return self.week[slot] * seen + rate / weight * (1 - seen)

    def to_document(self) -> dict[str, Any]:
        """All but the last minutes, as JSON can hold it."""
        week = np.array([self.week, self.seen], dtype="<f4").tobytes()
        return {"week": base64.b64encode(week).decode()} | {name: getattr(self, name) for name in _NUMBERS}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Rhythm:
        """The inverse, to 1e-6. Raises ``ValueError`` for what is no such document."""
        new = cls()
        try:
            week = np.frombuffer(base64.b64decode(document["week"]), dtype="<f4").reshape(2, HOURS)
            for name in _NUMBERS:
                setattr(new, name, type(getattr(new, name))(document[name]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no rhythm: {error}") from error
        numbers = (*week.ravel().tolist(), *(getattr(new, name) for name in _NUMBERS))
        if not all(math.isfinite(number) for number in numbers) or new.counted <= 0:
            raise ValueError("no rhythm: a number is not finite, or nothing was counted")
        new.week, new.seen = week.tolist()
        return new


def idle_minutes(begin: float, end: float) -> Iterator[tuple[float, float]]:
    """A time without requests, in parts that lie in one minute each; at most the last day of it."""
    at = max(begin, end - LONGEST_IDLE)
    while at < end:
        until = min(end, (at // 60 + 1) * 60)
        yield at, until - at
        at = until


_NUMBERS = ("level", "age", "requests", "actual", "usual", "last", "bunched", "counted", "swing")
