"""Lines that are none, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.replay.access_log import LONGEST_LINE, line_of
from holdfast.replay.sieve import HOPELESS, SHOWN, Malformed, Sieve
from tests.unit.replay.logs import entry

GOOD = line_of(entry())


def sift(*lines: str) -> tuple[Sieve, int]:
    sieve = Sieve("access.log")
    return sieve, len(list(sieve.entries(lines)))


def test_every_line_is_an_entry_or_is_counted() -> None:
    nothing = line_of(entry(request="-", status=408))
    sieve, entries = sift(GOOD, "hello", "", GOOD, nothing)
    assert (sieve.lines, entries, sieve.malformed, sieve.no_requests) == (5, 2, 2, 1)
    assert sieve.first == [Malformed(2, "there is no time in brackets"), Malformed(3, "it is empty")]
    assert sieve.reasons == {"there is no time in brackets": 1, "it is empty": 1}


def test_only_the_first_are_told_one_by_one() -> None:
    sieve, _ = sift(GOOD, *["hello"] * 50)
    assert len(sieve.first) == SHOWN
    assert sieve.malformed == 50


def test_a_long_line_is_cut_and_counted() -> None:
    sieve, entries = sift(line_of(entry(agent="a" * 2 * LONGEST_LINE)), GOOD)
    assert (entries, sieve.cut, sieve.malformed) == (2, 1, 0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "access.log: the log is empty; give one that holds requests"),
        (["hello"], "none is in the combined or the common format (line 1: there is no time in brackets)"),
        (["", ""], "line 1: it is empty"),
        ([line_of(entry(request="-"))], "the log holds no request of HTTP"),
    ],
)
def test_what_is_no_log_says_what_is_expected(lines: list[str], said: str) -> None:
    with pytest.raises(HoldfastError) as wrong:
        sift(*lines)
    assert said in str(wrong.value)


def test_what_is_no_log_is_not_read_to_its_end() -> None:
    read = []

    def endless() -> Iterator[str]:
        while True:
            read.append(1)
            yield "hello"

    with pytest.raises(HoldfastError) as wrong:
        list(Sieve("core").entries(endless()))
    assert len(read) == HOPELESS
    assert '[17/May/2015:10:05:03 +0000] "GET /page HTTP/1.1" 200 5316' in str(wrong.value)
