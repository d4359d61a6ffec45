"""What the contestants are told, and what is read of wrk's words: the pure parts around the measurement."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from bench import usage
from bench.bystanders import visits
from bench.contest import own_sites, raised
from bench.load import is_refusal
from bench.peers import Ports, haproxy_configuration, nginx_configuration
from holdfast.edge.settings import SiteSettings

PORTS = Ports(proxied=10_001, page=10_002, limit=10_003, banned=10_004, bare=10_005)

QUIET = """Running 1s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  8312 requests in 203.44ms, 9.67MB read
Requests/sec:  40857.25
"""
TROUBLED = """  200 requests in 1.50m, 9.67MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 150
"""


def test_what_wrk_says_is_read() -> None:
    quiet, troubled = visits(QUIET), visits(TROUBLED)
    assert (quiet.requests, quiet.refused, quiet.broken) == (8312, 0, 0)
    assert quiet.rate == pytest.approx(40857.25, rel=1e-3)
    assert (troubled.refused, troubled.broken, troubled.failed) == (150, 10, 160)
    assert troubled.seconds == 90


def test_words_without_a_count_are_no_measurement() -> None:
    with pytest.raises(AssertionError, match="unable to connect"):
        visits("unable to connect to 127.0.0.1:1 Connection refused")


@pytest.mark.parametrize(
    ("answer", "expected", "refused"),
    [
        (b"", b"", True),
        (b"HTTP/1.1 200 OK", b"", False),
        (b"HTTP/1.1 403 Forbidden", b"HTTP/1.1 403", True),
        (b"HTTP/1.1 200 OK", b"HTTP/1.1 403", False),
        (b"", b"HTTP/1.1 403", False),
    ],
)
def test_a_refusal_is_what_was_expected_and_nothing_else(
    answer: bytes, expected: bytes, refused: bool
) -> None:
    assert is_refusal(answer, expected) is refused


def test_only_limits_that_are_on_are_raised() -> None:
    class Limits(BaseModel):
        rate: int = Field(default=100, ge=0, le=5000)
        off: int = Field(default=0, ge=0, le=7)
        unset: int | None = Field(default=None, le=8)
        unbounded: int = 3
        watch: bool = True
        origin_connections: int = Field(default=100, le=9)

    assert raised(Limits) == {"rate": 5000}


def test_the_sites_are_valid_and_the_first_says_nothing_of_limits() -> None:
    defaults, *others = own_sites(8080)
    assert "limits" not in defaults
    for site in (defaults, *others):
        SiteSettings.model_validate(site)


@pytest.mark.parametrize("page", [1, 2047, 2048, 2049, 10_000])
def test_the_page_of_nginx_has_the_size_that_was_asked_for(page: int) -> None:
    text = nginx_configuration(Path("/d"), PORTS, 8080, "127.0.0.2", page)
    part, body = re.search(r'set \$part "(x*)"', text), re.search(r'return 403 "(.*)"', text)
    assert part is not None
    assert body is not None
    assert len(body[1].replace("${part}", part[1])) == page
    assert max(map(len, text.split())) < 4096  # nginx takes no longer word


def test_the_peers_do_each_thing_at_its_port() -> None:
    for text in (
        nginx_configuration(Path("/d"), PORTS, 8080, "127.0.0.2", 100),
        haproxy_configuration(Path("/d"), PORTS, 8080),
    ):
        assert all(text.count(f"127.0.0.1:{port}") == 1 for port in range(10_001, 10_006))
        assert "127.0.0.1:8080" in text


def test_the_fine_clock_tells_the_time_of_a_process() -> None:
    began, before = time.process_time(), usage.spent(os.getpid())
    while time.process_time() < began + 0.02:
        pass
    assert usage.spent(os.getpid()) - before == pytest.approx(time.process_time() - began, abs=0.01)
