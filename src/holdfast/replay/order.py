"""Entries in nearly any order → whole seconds in order. Servers write a line when the answer is sent and
date it when the request came, so that slow ones come late.

What comes later than is waited for is left out and counted: put into the present, the lines of an older file
would look like a flood. So is a line that is alone far ahead of all others. Not here: what a second's
requests are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from holdfast.replay.access_log import Entry

WAIT_SECONDS: Final = 60
"""So long, by the log's own clock, a second is kept open for lines that belong into it."""
MOST_WAITING: Final = 200_000
"""Entries; beyond these the oldest second waits no longer."""
AHEAD_SECONDS: Final = 3600
"""A line that is further ahead than this waits for another one that agrees."""
ALONE: Final = 10
"""Entries after it that do not."""


class Second(NamedTuple):
    """All that came in it, as the log has it."""

    at: int
    """Its begin, unix time."""
    entries: list[Entry]


class Order:
    """One log's."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self.late = 0
        """Entries left out, as their second had been dealt with."""
        self.latest = 0
        """By how many seconds the latest of them was."""
        self.astray = 0
        """Entries left out, as they were alone far ahead."""
        self.sorted = 0
        """Entries of the log that were put back in order."""
        self._waiting: defaultdict[int, list[Entry]] = defaultdict(list)
        self._number = 0
        self._ahead: Entry | None = None
        self._since_ahead = 0

    def seconds(self, entries: Iterable[Entry]) -> Iterator[Second]:
        """Those with an entry, each once, in order."""
        newest, closed, begun = 0, 0, False
        for entry in entries:
            at = entry.at
            if not begun:
                newest, closed, begun = at, at - WAIT_SECONDS - 1, True
            if at > newest:
                if at > newest + AHEAD_SECONDS and not self._agrees(entry):
                    continue
                newest = at
                self._put(entry)
                self._catch_up(newest)
            elif at > closed:
                self._waiting[at].append(entry)
                self._number += 1
                self._since_ahead += 1
                self.sorted += at < newest and not entry.flood
                if self._number <= self._most:
                    continue
            else:
                self.late += 1
                self.latest = max(self.latest, newest - at)
                continue
            for second in sorted(self._waiting):
                is_waited_for = second >= newest - WAIT_SECONDS and self._number <= self._most
                if is_waited_for or second == newest:
                    break
                closed = second
                yield self._taken(second)
        self._end()
        for second in sorted(self._waiting):
            yield self._taken(second)

    def _put(self, entry: Entry) -> None:
        self._waiting[entry.at].append(entry)
        self._number += 1
        self._since_ahead += 1

    def _taken(self, second: int) -> Second:
        entries = self._waiting.pop(second)
        self._number -= len(entries)
        return Second(second, entries)

    def _agrees(self, entry: Entry) -> bool:
        """Whether another one was as far ahead; if none was, this one waits."""
        before, self._ahead, self._since_ahead = self._ahead, entry, 0
        if before is not None and abs(before.at - entry.at) <= AHEAD_SECONDS:
            self._ahead = before
            return True
        self.astray += before is not None
        return False

    def _catch_up(self, newest: int) -> None:
        """What was far ahead is not any more."""
        if self._ahead is not None and self._ahead.at <= newest + AHEAD_SECONDS:
            self._put(self._ahead)
            self._ahead = None

    def _end(self) -> None:
        if self._ahead is None:
            return
        if self._since_ahead < ALONE:
            self._put(self._ahead)
        else:
            self.astray += 1
        self._ahead = None
