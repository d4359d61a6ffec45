"""What the machine offers is shared out so that HAProxy can start."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from holdfast.edge.machine import descriptors, haproxy_binary, haproxy_version, traffic_threads
from holdfast.model.errors import HoldfastError


@pytest.mark.parametrize("servers", [0, 128, 5_000, 12_544])
def test_connections_and_health_checks_fit_the_limit_of_open_files(servers: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = descriptors(servers)
    assert connections == 100 or 2 * connections + servers + 500 <= hard


def test_haproxy_is_found_and_told_its_version() -> None:
    assert haproxy_version(haproxy_binary()) >= (2, 6)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            "HAProxy version 2.4.22 2023/02/14\n+OPENSSL +THREAD +PCRE2",
            "HAProxy 2.4.22 is too old; install 2.6",
        ),
        ("HAProxy version 2.8.1 2023/07/03\n+OPENSSL -THREAD +PCRE2", "was built without THREAD"),
        ("something else", "of unknown version is too old"),
    ],
)
def test_an_unfit_haproxy_is_refused(tmp_path: Path, says: str, expected: str) -> None:
    program = tmp_path / "haproxy"
    program.write_text(f"#!/bin/sh\ncat <<'EOF'\n{says}\nEOF\n")
    program.chmod(0o755)
    with pytest.raises(HoldfastError, match=expected):
        haproxy_version(str(program))


def test_a_missing_haproxy_is_named_with_its_package() -> None:
    with pytest.raises(HoldfastError, match="apt-get install haproxy"):
        haproxy_version("/nowhere/haproxy")


def test_threads_follow_the_cores_unless_told() -> None:
    assert traffic_threads(None) >= 1
    assert traffic_threads(7) == 7
