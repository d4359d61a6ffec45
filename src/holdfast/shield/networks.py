"""The networks that one site knows: which /24 or /48 came in calm before this visit, and in how many hours.

Those seen in one hour only are apart from those that came again, so that a crowd of new ones does not push
the others out. Not here: who is visiting just now (``brain``), what a network sends (``programs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.shield.features import code, code_of
from holdfast.shield.packing import pack, pack_json, unpack, unpack_json

VISIT = 1800.0
"""Seconds. Who came first within this time is a stranger, still: during an attack nothing is learned, so a
new visitor stays a stranger for the whole of the visit; the baseline has to count alike."""
NEW_NETWORKS, REGULAR_NETWORKS = 2048, 4096
"""Seen in one hour only, in more than one."""
ADMIT = 8
"""When there is no room, one in so many new networks takes the place of the one that came last the longest
ago. Were it each, a site that more visit in an hour than there is room for would never know one again."""

_REFRESH = 300.0  # seconds: nobody is known before VISIT has passed, so there is no hurry
_HOUR = 3600.0


class _Seen:
    """A network: when it came first and last (unix time), in how many different hours."""

    __slots__ = ("code", "first", "hours", "last")

    def __init__(self, code: int, first: float, last: float, hours: int) -> None:
        self.code, self.first, self.last, self.hours = code, first, last, hours


class Networks:
    """One site's."""

    def __init__(self) -> None:
        self._new: dict[str, _Seen] = {}
        self._regular: dict[str, _Seen] = {}
        self._waiting = 0
        """Networks for which there was no room."""
        self._sorted: tuple[float, NDArray[np.uint32], NDArray[np.float64]] | None = None

    def knows(self, network: str, at: float, hours: int) -> bool:
        """Whether it came before this visit, in at least so many different hours."""
        seen = self._regular.get(network) or self._new.get(network)
        return seen is not None and seen.first <= at - VISIT and seen.hours >= hours

    def known(self, at: float) -> list[str]:
        """All of them, those that came last at the end."""
        both = (*self._new.items(), *self._regular.items())
        known = [(int(seen.last), network) for network, seen in both if seen.first <= at - VISIT]
        return [network for _, network in sorted(known)]

    def strangers(self, codes: NDArray[np.uint32], at: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of these networks were not known when they came, the latest at the end."""
        networks, first = self._by_code(float(at[-1]))
        if len(networks) == 0:
            return np.ones(len(codes), dtype=np.bool_)
        place = np.minimum(np.searchsorted(networks, codes), len(networks) - 1)
        known: NDArray[np.bool_] = (networks[place] == codes) & (first[place] <= at - VISIT)
        return ~known

    def _by_code(self, at: float) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Their codes, sorted, and when each came first; up to ``_REFRESH`` old."""
        if self._sorted is None or not 0 <= at - self._sorted[0] < _REFRESH:
            seen = [*self._new.values(), *self._regular.values()]
            codes = np.fromiter((each.code for each in seen), np.uint32, len(seen))
            first = np.fromiter((each.first for each in seen), np.float64, len(seen))
            order = np.argsort(codes, kind="stable")
            self._sorted = (at, codes[order], first[order])
        return self._sorted[1:]

    def learn(self, network: str, at: float) -> bool:
        """It came. Returns whether it was known before this visit."""
        seen = self._regular.get(network) or self._new.get(network)
        if seen is None:
            self._admit(network, at)
            return False
        again = at // _HOUR != seen.last // _HOUR
        seen.last, seen.first = at, min(seen.first, at)  # a clock that was set back
        if again:  # ordered by the hour in which each came last
            seen.hours += 1
            self._new.pop(network, None)
            self._regular.pop(network, None)
            self._regular[network] = seen
            if len(self._regular) > REGULAR_NETWORKS:
                del self._regular[next(iter(self._regular))]
        return seen.first <= at - VISIT

    def _admit(self, network: str, at: float) -> None:
        if len(self._new) >= NEW_NETWORKS:
            self._waiting += 1
            if self._waiting % ADMIT:
                return
        self._new[network] = _Seen(code_of[network], at, at, 1)
        if len(self._new) > NEW_NETWORKS:
            del self._new[next(iter(self._new))]

    def document(self) -> dict[str, Any]:
        """As JSON can hold it, to the second."""
        seen = [*self._new.items(), *self._regular.items()]
        visits = np.array([[int(one.first), int(one.last), one.hours] for _, one in seen], "<u4")
        return {
            "networks": pack_json([network for network, _ in seen]),
            "visits": pack(visits.T.reshape(3, -1).tobytes()),
            "new_networks": len(self._new),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Networks:
        """The inverse."""
        new = cls()
        networks = unpack_json(document["networks"])
        visits = np.frombuffer(unpack(document["visits"]), "<u4").reshape(3, -1).T.tolist()
        seen = (
            (network, _Seen(code(network), float(first), float(last), hours))
            for network, (first, last, hours) in zip(networks, visits, strict=True)
        )
        new._new = dict(islice(seen, int(document["new_networks"])))
        new._regular = dict(seen)
        return new
