"""Lines of a log → entries that are requests; what is none is counted, and the first of it told with its
reason.

Not here: how lines are read (``reading``), their order (``order``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from holdfast.model.errors import HoldfastError, error
from holdfast.replay.access_log import EXAMPLE, LONGEST_LINE, Entry, fault, parse
from holdfast.replay.telling import is_request

SHOWN: Final = 5
"""Malformed lines that are told of one by one."""
HOPELESS: Final = 1000
"""Lines without a single one of an access log, after which no more are read."""


class Malformed(NamedTuple):
    """A line that is no line of an access log."""

    number: int
    why: str


class Sieve:
    """One log's. ``name``: of its file, for errors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines = 0
        self.malformed = 0
        self.first: list[Malformed] = []
        """The first of them."""
        self.reasons: Counter[str] = Counter()
        """Of all of them."""
        self.no_requests = 0
        """Entries without a request of HTTP: broken off, TLS to the wrong port, something else altogether."""
        self.cut = 0
        """Lines that were too long."""

    def entries(self, lines: Iterable[str]) -> Iterator[Entry]:
        """Raises HoldfastError for what is no access log, and for an empty one."""
        for self.lines, line in enumerate(lines, 1):
            if len(line) > LONGEST_LINE:
                self.cut += 1
                line = line[:LONGEST_LINE]
            entry = parse(line)
            if entry is None:
                self._refuse(line)
            elif is_request(entry):
                yield entry
            else:
                self.no_requests += 1
        if not self.lines:
            raise error("the log is empty", "give one that holds requests", self.name)
        if self.malformed == self.lines:
            raise self._no_log()
        if self.no_requests + self.malformed == self.lines:
            raise error("the log holds no request of HTTP", "give one that does", self.name)

    def _refuse(self, line: str) -> None:
        why = fault(line)
        self.malformed += 1
        self.reasons[why] += 1
        if len(self.first) < SHOWN:
            self.first.append(Malformed(self.lines, why))
        if self.malformed == self.lines == HOPELESS:
            raise self._no_log()

    def _no_log(self) -> HoldfastError:
        number, why = self.first[0]
        return error(
            f"this is no access log: of its first {self.lines:,} lines none is in the combined or the common"
            f" format (line {number}: {why})",
            f"give a log with lines such as {EXAMPLE}",
            self.name,
        )
