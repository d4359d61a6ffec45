"""Floods within one HTTP/2 connection harm nobody else, and HAProxy lives on, in bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.feature.frames import PREFACE, SETTINGS, frame
from tests.feature.http2_floods import CLOSED, HOLDS, PLAIN, WIDE, Flood, pings, settings_flood, stalled
from tests.feature.lab import eventually, running, site, write_certificate
from tests.feature.origins import origin
from tests.feature.visitors import visiting
from tests.feature.wire import trusting

SECONDS = 1.2
MOST_FRAMES, MOST_BYTES = 50_000, 4 << 20
GROWTH = 64 << 20
"""Far beyond what a connection may take (HAProxy's buffers are of 16 KB), far below what a flood sends."""


@functools.cache
def sent_at_once(flood: Callable[[], Flood]) -> tuple[bytes, int]:
    """What one connection sends, and how many frames that is: made before it is sent, so that the flood is
    limited by HAProxy and not by Python."""
    made, size = [], 0
    for each in itertools.islice(flood(), MOST_FRAMES):
        made.append(each)
        size += len(each)
        if size > MOST_BYTES:
            break
    return b"".join(made), len(made)


def pour(port: int, flood: Callable[[], Flood], settings: bytes, reads: bool) -> int:
    """Flood for SECONDS, on one connection after the other; how many frames. For a thread of its own."""
    deadline = time.monotonic() + SECONDS
    waves, frames = sent_at_once(flood)
    begin = PREFACE + frame(SETTINGS, 0, 0, settings)
    total = 0
    while time.monotonic() < deadline:
        left = memoryview(begin + waves)
        with contextlib.suppress(OSError), _connected(port) as tls:
            while time.monotonic() < deadline and (left or flood in HOLDS):
                left = left[_some(tls, left) :]
                if reads:
                    _discard(tls)
        total += max(0, frames * (len(waves) - len(left)) // len(waves))
    return total


@contextlib.contextmanager
def _connected(port: int) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        trusting(None, "h2").wrap_socket(plain, server_hostname="a.test") as tls,
    ):
        tls.settimeout(0)
        yield tls


def _some(tls: ssl.SSLSocket, left: memoryview) -> int:
    """Send what goes; how much that is."""
    if not left:  # to spin here would keep the visitors of the same process waiting
        time.sleep(0.01)
        return 0
    with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
        return tls.send(left[:65_536])
    select.select([tls], [tls], [], 0.01)
    return 0


def _discard(tls: ssl.SSLSocket) -> None:
    with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
        while got := tls.recv(65_536):
            del got
        raise ConnectionError


def resident(pid: int) -> int:
    """The memory that a process holds, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))


@pytest.mark.parametrize(
    ("flood", "settings", "reads"),
    [
        *(pytest.param(flood, b"", True, id=flood.__name__) for flood in PLAIN),
        pytest.param(stalled, CLOSED, True, id="stalled by HTTP/2"),
        pytest.param(stalled, WIDE, False, id="stalled by TCP"),
        pytest.param(pings, b"", False, id="pings, answers unread"),
        pytest.param(settings_flood, b"", False, id="settings, answers unread"),
    ],
)
async def test_a_flood_harms_nobody_else(
    tmp_path: Path, flood: Callable[[], Flood], settings: bytes, reads: bool
) -> None:
    certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
    async with origin("a") as one, origin("b") as two:
        flooded = site(
            "a", ["a.test"], one.port, certificate=certificate, limits={"origin_connections": 1_000}
        )
        async with running(tmp_path, [flooded, site("b", ["b.test"], two.port)]) as (lab, edge):
            worker = edge.processes.worker
            assert worker is not None
            assert (await lab.get("a.test")).status_code == 200
            before = resident(worker)
            async with visiting(lab, ["a.test", "b.test"]) as visits:
                assert await asyncio.to_thread(pour, lab.https, flood, settings, reads) >= 20
            for host, each in visits.items():
                assert (each.good, each.p95 < 0.5) == (1, True), (host, each)
            assert resident(worker) - before < GROWTH
            # What nobody waits for any more is not left at the origin.
            await eventually(lambda: one.open == 0)
            assert (edge.processes.worker, edge.starts, edge.reloads) == (worker, 1, 0)
