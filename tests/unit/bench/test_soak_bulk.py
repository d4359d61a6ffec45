"""What is read of the tools' words, and how the bulk is paced."""

from __future__ import annotations

import pytest

from bench.soak.bulk import corrected, read_curl, read_wrk

WRK = """  1 threads and 96 connections
  5000 requests in 5.00s, 9.67MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
"""


def test_wrk() -> None:
    told = read_wrk(WRK)
    assert told.rate == 1000
    assert told.failures == {"answers other than 2xx and 3xx": 4, "connections that broke": 3}
    assert read_wrk(WRK.replace("  S", "").replace("  N", "").splitlines()[1]).failures == {}


def test_curl_tells_each_request_but_the_last_one() -> None:
    told = read_curl("200 2 \n200 2 \n503 2 \n000 0 refused\n000 0 it was ended\n", 2.0)
    assert (told.requests, told.rate) == (4, 2.0)
    assert told.failures == {"503 2 ": 1, "000 0 refused": 1}


@pytest.mark.parametrize("answer_ms", [0.5, 5, 50])
def test_the_pause_comes_to_what_brings_the_wanted_rate(answer_ms: float) -> None:
    pause, connections, wanted = 1.0, 100, 1000.0
    for _ in range(20):
        reached = 1000 * connections / (pause + answer_ms)
        pause = corrected(pause, connections, wanted, reached)
    assert reached == pytest.approx(wanted, rel=0.01)


def test_an_unknown_rate_changes_no_pause() -> None:
    assert corrected(7.0, 10, 0.0, 100.0) == corrected(7.0, 10, 100.0, 0.0) == 7.0
