"""RFC 6962, section 2.1, as it is written: recursive, over whole lists. What the implementation is compared
with; nothing of it is used here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class ModelTree:
    """MTH, PATH and PROOF over parts of one list of entries; each hash is computed once."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.hash = cache(self._hash)

    def _hash(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        if start == end:
            return sha256(b"")
        if end - start == 1:
            return sha256(b"\x00" + self.entries[start])
        k = largest_power_below(end - start)
        return sha256(b"\x01" + self.hash(start, start + k) + self.hash(start + k, end))

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end])."""
        n = end - start
        if n == 1:
            return []
        k = largest_power_below(n)
        if m < k:
            return [*self.path(m, start, start + k), self.hash(start + k, end)]
        return [*self.path(m - k, start + k, end), self.hash(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n]), for 0 < m < n."""
        return self._subproof(m, 0, n, True)

    def _subproof(self, m: int, start: int, end: int, is_whole: bool) -> list[bytes]:
        n = end - start
        if m == n:
            return [] if is_whole else [self.hash(start, end)]
        k = largest_power_below(n)
        if m <= k:
            return [*self._subproof(m, start, start + k, is_whole), self.hash(start + k, end)]
        return [*self._subproof(m - k, start + k, end, False), self.hash(start, start + k)]

    def node(self, level: int, index: int) -> bytes:
        """A complete subtree, as ``merkle.Node`` wants it."""
        end = (index + 1) << level
        assert end <= len(self.entries), "no such complete subtree"
        return self.hash(index << level, end)


class EvenTree:
    """A tree of any size, all of whose leaves are alike: a complete subtree's hash follows from its level."""

    def __init__(self, entry: bytes = b"") -> None:
        self._levels = [sha256(b"\x00" + entry)]
        while len(self._levels) < 64:
            self._levels.append(sha256(b"\x01" + self._levels[-1] * 2))
        self.root = cache(self._root)

    def _root(self, size: int) -> bytes:
        """MTH of that many leaves."""
        if size & (size - 1) == 0:
            return self.node(size.bit_length() - 1, 0) if size else sha256(b"")
        k = largest_power_below(size)
        return sha256(b"\x01" + self.root(k) + self.root(size - k))

    def node(self, level: int, index: int) -> bytes:
        return self._levels[level]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k
