"""What the answers of one site usually are: how fast its origin is, how many fail, how many go to strangers.

Sums that fade with a half life of two days. Not here: how many requests come (``rhythm``), who is a stranger
(``networks``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.shield.packing import pack, unpack
from holdfast.shield.sample import Sample

_HALF_LIFE = 2 * 86_400.0
_FASTEST, _PER_OCTAVE, _TIMES = 0.25, 6, 108  # buckets of the origin's time, from 0.25 ms to 65 s


class Usual:
    """One site's."""

    def __init__(self) -> None:
        self._all = self._errors = self._judged = self._strangers = 0.0
        self._times = np.zeros(_TIMES)

    @property
    def newcomers(self) -> float:
        """The share of requests that are from strangers; 1 where nothing is known."""
        return self._strangers / self._judged if self._judged > 0 else 1.0

    @property
    def errors(self) -> float:
        """The share of requests that are answered 5xx or not at all."""
        return self._errors / self._all if self._all > 0 else 0.0

    def origin_ms(self, share: float) -> float:
        """The time within which this share of the origin's answers begins, to a tenth; 0 where it was never
        asked."""
        total = float(self._times.sum())
        if total <= 0:
            return 0.0
        upto = np.cumsum(self._times)
        bucket = min(int(np.searchsorted(upto, share * total)), _TIMES - 1)
        return float(_FASTEST * 2 ** ((bucket + 0.5) / _PER_OCTAVE))

    def fade(self, seconds: float) -> None:
        """So much time has passed."""
        fade = 0.5 ** (seconds / _HALF_LIFE)
        self._times *= fade
        self._all, self._errors = self._all * fade, self._errors * fade
        self._judged, self._strangers = self._judged * fade, self._strangers * fade

    def learn(self, sample: Sample, weight: float) -> None:
        self._all += weight
        if sample.status >= 500 or sample.status == 0:
            self._errors += weight
        if sample.origin_ms > 0:
            bucket = int(math.log2(max(sample.origin_ms / _FASTEST, 1.0)) * _PER_OCTAVE)
            self._times[min(bucket, _TIMES - 1)] += weight

    def judge(self, weight: float, is_stranger: bool) -> None:
        """Of a site that is old enough to tell."""
        self._judged += weight
        if is_stranger:
            self._strangers += weight

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "usual": [self._all, self._errors, self._judged, self._strangers],
            "times": pack(self._times.astype("<f4").tobytes()),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Usual:
        """The inverse."""
        new = cls()
        new._all, new._errors, new._judged, new._strangers = map(float, document["usual"])
        new._times = np.frombuffer(unpack(document["times"]), "<f4").astype(np.float64)
        if len(new._times) != _TIMES:
            raise ValueError(f"{len(new._times)} buckets of times, not {_TIMES}")
        return new
