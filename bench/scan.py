"""Scans the table of clients a few times a second until its standard input ends; a process of its own.

Filtered (who asks more than so often), as detection does, every time; whole, now and then; and the
agent's metrics as Prometheus would read them. The entries are written again before they expire.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
import urllib.request
from collections.abc import Callable

SCAN_EVERY = 0.25
WHOLE_EVERY = 2.0
REFRESH_SECONDS = 15
"""Entries expire after 30 s."""
METRICS_EVERY = 15.0
HEAVY = 500
"""Requests in ten seconds from which a client is a heavy one; one in a hundred is made so."""


class Scanner:
    """An interactive session on HAProxy's socket for scans."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._ask(["prompt", "set timeout cli 1h"])

    def _ask(self, commands: list[str]) -> int:
        """Send commands; wait for all answers; returns their size in bytes."""
        self._socket.sendall("".join(f"{command}\n" for command in commands).encode())
        size, prompts, tail = 0, 0, b""
        while prompts < len(commands):
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionError("HAProxy has closed the session")
            # A prompt may be cut in two; the overlap is shorter than one, so that none counts twice.
            size += len(data)
            data = tail + data
            prompts += data.count(b"\n> ")
            tail = data[-2:]
        return size

    def write(self, clients: range) -> None:
        """Entries for these clients, in commands of a size that HAProxy's buffer holds."""
        for start in range(clients.start, clients.stop, 100):
            keys = range(start, min(start + 100, clients.stop))
            self._ask([f"set table clients key {_key(key)} data.http_req_rate {_rate(key)}" for key in keys])

    def heavy(self) -> int:
        return self._ask([f"show table clients data.http_req_rate gt {HEAVY}"])

    def whole(self) -> int:
        return self._ask(["show table clients"])


def _key(client: int) -> str:
    return f"1-{client % 1000 + 1}|10.{client >> 16 & 255}.{client >> 8 & 255}.{client & 255}"


def _rate(client: int) -> int:
    seeded = random.Random(client)
    return seeded.randrange(HEAVY + 1, 5 * HEAVY) if client % 100 == 0 else seeded.randrange(1, HEAVY)


def main(path: str, clients: int, metrics: str) -> None:
    scanner = Scanner(path)
    scanner.write(range(clients))
    print("filled", flush=True)
    taken: dict[str, list[float]] = {"heavy": [], "whole": [], "metrics": []}
    bytes_read = {"heavy": 0, "whole": 0, "metrics": 0}
    work: dict[str, tuple[float, Callable[[], int]]] = {
        "heavy": (SCAN_EVERY, scanner.heavy),
        "whole": (WHOLE_EVERY, scanner.whole),
        "metrics": (METRICS_EVERY, lambda: _scrape(metrics)),
    }
    due = {name: time.monotonic() + every for name, (every, _) in work.items()}
    share = round(clients * SCAN_EVERY / REFRESH_SECONDS)
    fresh = 0
    while not select.select([sys.stdin], [], [], max(0.0, min(due.values()) - time.monotonic()))[0]:
        name = min(due, key=lambda each: due[each])
        began = time.monotonic()
        bytes_read[name] = work[name][1]()
        taken[name].append(time.monotonic() - began)
        due[name] = max(due[name] + work[name][0], time.monotonic())
        if name == "heavy":
            scanner.write(range(fresh, min(fresh + share, clients)))
            fresh = fresh + share if fresh + share < clients else 0
    print(
        json.dumps(
            {
                name: {"count": len(each), "max_ms": round(1000 * max(each, default=0.0)), "bytes": bytes_read[name]}
                for name, each in taken.items()
            }
        ),
        flush=True,
    )


def _scrape(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address on loopback
            return len(answer.read())
    except OSError:
        return 0  # the agent is being replaced


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
