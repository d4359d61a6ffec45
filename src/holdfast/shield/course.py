"""How a site did, second by second: what came, what became of it, how fast the origin was, what was usual.

``Course`` keeps the last minute of one site, always, so that a record can begin before its attack. Not here:
what is kept of an attack (``record``), how it is drawn (``edge.attack_plot``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from holdfast.shield.counts import Counts
from holdfast.shield.sample import Sample

KEPT_SECONDS: Final = 60.0
MOST_TIMES: Final = 400
"""Times of the origin that are kept of one second; of more, every second one, then every fourth …"""
GAP_SECONDS: Final = 1.5
"""A site is looked at several times a second while anything comes: between rows that lie further apart
nothing came, or nobody looked."""


@dataclass(frozen=True, slots=True)
class Row:
    """A second or so: counts, not rates."""

    at: float
    """When it began, unix time."""
    seconds: float
    """How long it lasted."""
    requests: float = 0
    challenged: float = 0
    denied: float = 0
    dropped: float = 0
    earned: float = 0
    """Clearances that were given."""
    refused: float = 0
    """By a client's limit, or a block."""
    overflowed: float = 0
    """Refused as the queue was full."""
    waited: float = 0
    mean: float = 0
    """Requests/s that were usual at its end."""
    upper: float | None = None
    """Requests/s up to which it was usual; None: nothing was known."""
    answers: int = 0
    """Samples that tell how fast the origin was."""
    median: float | None = None
    """Within so many ms half of the origin's answers began; None: no sample reached it."""
    p95: float | None = None

    @property
    def passed(self) -> float:
        """Requests that were let through to the origin, as far as it is known."""
        kept = self.challenged + self.denied + self.dropped + self.earned + self.refused + self.overflowed
        return max(0.0, self.requests - kept)

    @property
    def end(self) -> float:
        return self.at + self.seconds


_COUNTED: Final = (
    *("requests", "challenged", "denied", "dropped", "earned", "refused", "overflowed", "waited"),
)
_COLUMNS: Final = tuple(each.name for each in fields(Row))
_TOLD: Final = ("upper", "median", "p95")
"""Where they are known."""


class Course:
    """The last minute of one site."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque()
        self._second = -1
        self._spans: list[Counts] = []
        self._times: list[float] = []
        self._stride = self._skipped = 0
        self._usual = 0.0, math.inf

    def add(self, counts: Counts, samples: Iterable[Sample], mean: float, upper: float) -> Row | None:
        """One look at the site; returns the row that it has completed, if any."""
        done = None
        second = int(counts.at - 1e-3)  # a span that ends with the second belongs to it
        if second != self._second:
            done = self.end()
            self._second = second
        if counts.seconds > 0:
            self._spans.append(counts)
        for sample in samples:
            if sample.origin_ms > 0:
                self._take(sample.origin_ms)
        self._usual = mean, upper
        return done

    def _take(self, milliseconds: float) -> None:
        self._skipped += 1
        if self._skipped > self._stride:
            self._skipped = 0
            self._times.append(milliseconds)
            if len(self._times) >= MOST_TIMES:
                del self._times[::2]
                self._stride = 2 * self._stride + 1

    def end(self) -> Row | None:
        """The row that is not complete yet, as far as it goes: nothing more is added to it."""
        spans, times = self._spans, sorted(self._times)
        self._spans, self._times, self._stride, self._skipped = [], [], 0, 0
        if not spans:
            return None
        mean, upper = self._usual
        row = Row(
            at=round(spans[0].at - spans[0].seconds, 3),
            seconds=round(sum(each.seconds for each in spans), 3),
            **{name: sum(getattr(each, name) for each in spans) for name in _COUNTED},
            mean=round(mean, 2),
            upper=round(upper, 2) if math.isfinite(upper) else None,
            answers=len(times),
            median=_quantile(times, 0.5),
            p95=_quantile(times, 0.95),
        )
        if self.rows and row.at < self.rows[-1].at:
            self.rows.clear()  # the clock was set back
        self.rows.append(row)
        while self.rows[0].end <= row.end - KEPT_SECONDS:
            self.rows.popleft()
        return row

    def end_before(self, second: float) -> Row | None:
        """The row that lies before it, where nothing has come since that would have completed it."""
        return self.end() if self._spans and self._second + 1 <= second else None

    def since(self, at: float) -> list[Row]:
        return [row for row in self.rows if row.end > at]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2) if ordered else None


# -- long courses ----------------------------------------------------------------------------------------


def coarser(rows: Sequence[Row]) -> list[Row]:
    """Half as many: each two neighbours become one, but where a gap lies between them."""
    merged: list[Row] = []
    at = 0
    while at < len(rows):
        pair = rows[at : at + 2]
        if len(pair) == 2 and pair[1].at - pair[0].end <= max(GAP_SECONDS, pair[0].seconds / 2):
            merged.append(_one(*pair))
            at += 2
        else:
            merged.append(pair[0])
            at += 1
    return merged


def _one(first: Row, second: Row) -> Row:
    """Counts add up. Of two medians the truth lies between, nearer to the one of more samples."""
    seconds = first.seconds + second.seconds
    uppers = [each.upper for each in (first, second) if each.upper is not None]
    return Row(
        at=first.at,
        seconds=round(seconds, 3),
        mean=round((first.mean * first.seconds + second.mean * second.seconds) / seconds, 2),
        upper=max(uppers) if uppers else None,
        answers=first.answers + second.answers,
        median=_between(first.median, first.answers, second.median, second.answers),
        p95=_between(first.p95, first.answers, second.p95, second.answers),
        **{name: getattr(first, name) + getattr(second, name) for name in _COUNTED},
    )


def _between(first: float | None, of_first: int, second: float | None, of_second: int) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return round((first * of_first + second * of_second) / (of_first + of_second), 2)


# -- as a document ---------------------------------------------------------------------------------------


def course_document(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """By columns: it packs better."""
    listed = list(rows)
    return {name: [getattr(row, name) for row in listed] for name in _COLUMNS}


def read_course(document: Mapping[str, Any]) -> list[Row]:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    columns = [map(_number if name in _TOLD else float, document[name]) for name in _COLUMNS]
    return [_row(*values) for values in zip(*columns, strict=True)]


def _row(at: float, seconds: float, *rest: Any) -> Row:
    row = Row(at, seconds, *rest)
    return replace(row, answers=int(row.answers))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
