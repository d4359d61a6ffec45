"""The conjunctions of feature = value that are frequent in a window, counted there and in a reference.

Level by level: a conjunction can be frequent only where its parts are, so that the few frequent values of
a feature are numbered 1, 2, … and a pair of such numbers is, again, one number. Counting is then an array
look-up, exact (nothing is hashed), and features of which every value is rare, as random paths are, cost
nothing. Not here: which conjunction is the signature (``signature``).

Source: Agrawal and Srikant, "Fast algorithms for mining association rules", VLDB 1994 (Apriori).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from holdfast.shield.features import TEMPLATES, Codes, Feature, Weights

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ids = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Values:
    """The frequent conjunctions of the same features, in the order of their codes."""

    codes: Codes
    """Shape (conjunctions, features)."""
    weight: Floats
    """Shape (conjunctions,): of the window's requests that show each one."""
    ids: Ids
    """Shape (window + reference,): which one each request shows, counted from 1; 0: none of them."""


class Conjunctions:
    """All that are frequent, of every template, numbered in the templates' order and then by their codes.

    ``least_rows`` and ``least_weight``: what requests of the window must show a conjunction, at least, for
    it to be frequent. The order of the requests does not matter where sums of their weights are exact.
    ``unknown``: features that nothing is known of; no conjunction holds one.
    """

    def __init__(
        self,
        window: Codes,
        weights: Weights,
        normal: Codes,
        *,
        least_rows: int,
        least_weight: float,
        unknown: frozenset[Feature] = frozenset(),
    ) -> None:
        self._weights = weights
        self._least_rows = least_rows
        self._least_weight = least_weight
        self._columns = np.concatenate((window, normal)).T.copy()
        self._known: dict[tuple[Feature, ...], Values] = {}
        self._each = [
            self._values(each.features)
            if unknown.isdisjoint(each.features)
            else self._none(len(each.features))
            for each in TEMPLATES
        ]
        counts = [len(each.codes) for each in self._each]
        self._starts = list(accumulate(counts, initial=0))
        self.templates: Ids = np.repeat(np.arange(len(TEMPLATES)), counts)
        """Shape (conjunctions,): the place of each one's template in ``TEMPLATES``."""
        self.weight: Floats = np.concatenate([each.weight for each in self._each])
        """Shape (conjunctions,): of the window's requests that show each one."""

    def codes(self, number: int) -> tuple[int, ...]:
        place = self.templates[number]
        return tuple(self._each[place].codes[number - self._starts[place]].tolist())

    def matched(self, number: int) -> tuple[Flags, Flags]:
        """Which requests of the window, and which of the reference, show this conjunction."""
        place = self.templates[number]
        shown = self._each[place].ids == number - self._starts[place] + 1
        return shown[: len(self._weights)], shown[len(self._weights) :]

    def weight_of(self, which: Flags) -> Floats:
        """Shape (conjunctions,): the weight of those of the window's requests that show each one."""
        rows = np.flatnonzero(which)
        return self._sums(rows, self._weights[rows])

    def hits_of(self, which: Flags) -> Floats:
        """Shape (conjunctions,): how many of those requests of the reference show each one."""
        rows = np.flatnonzero(which)
        return self._sums(rows + len(self._weights), np.ones(len(rows)))

    def _sums(self, rows: Ids, weights: Weights) -> Floats:
        sums = np.zeros(len(self.templates))
        for start, each in zip(self._starts, self._each, strict=False):  # the last start is the end
            if size := len(each.codes):
                sums[start : start + size] = np.bincount(each.ids[rows], weights, minlength=size + 1)[1:]
        return sums

    def _values(self, features: tuple[Feature, ...]) -> Values:
        if features not in self._known:
            *first, last = features
            self._known[features] = (
                self._joined(self._values(tuple(first)), self._values((last,)))
                if first
                else self._single(last)
            )
        return self._known[features]

    def _single(self, feature: Feature) -> Values:
        column = self._columns[feature]
        shown = np.sort(column[: len(self._weights)])
        starts = np.flatnonzero(np.append(True, shown[1:] != shown[:-1]))
        values = shown[starts[np.diff(starts, append=len(shown)) >= self._least_rows]]
        if not len(values):
            return self._none(1)
        places = np.searchsorted(values, column)
        ids = (places + 1) * (np.append(values, values[0])[places] == column)
        kept, weight, ids = self._frequent(ids, np.arange(len(values) + 1) > 0)
        return Values(values[kept - 1, np.newaxis], weight, ids)

    def _joined(self, left: Values, right: Values) -> Values:
        if not (len(left.codes) and len(right.codes)):
            return self._none(left.codes.shape[1] + right.codes.shape[1])
        lefts, rights = len(left.codes) + 1, len(right.codes) + 1
        both = np.ones((lefts, rights), dtype=np.bool_)
        both[0], both[:, 0] = False, False
        kept, weight, ids = self._frequent(left.ids * rights + right.ids, both.ravel())
        of_left, of_right = np.divmod(kept, rights)
        return Values(np.hstack((left.codes[of_left - 1], right.codes[of_right - 1])), weight, ids)

    def _frequent(self, ids: Ids, possible: Flags) -> tuple[Ids, Floats, Ids]:
        """Those ids that are possible and frequent, their weights, and the requests by their new numbers."""
        shown = ids[: len(self._weights)]
        rows = np.bincount(shown, minlength=len(possible))
        weight = np.bincount(shown, self._weights, minlength=len(possible)).astype(np.float64, copy=False)
        kept = np.flatnonzero(possible & (rows >= self._least_rows) & (weight >= self._least_weight))
        anew = np.zeros(len(possible), dtype=np.intp)
        anew[kept] = np.arange(1, len(kept) + 1)
        return kept, weight[kept], anew[ids]

    def _none(self, features: int) -> Values:
        requests = np.zeros(self._columns.shape[1], dtype=np.intp)
        return Values(np.zeros((0, features), dtype=np.uint32), np.zeros(0), requests)
