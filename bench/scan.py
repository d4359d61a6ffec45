"""Scans the table of clients a few times a second until its standard input ends; a process of its own.

Filtered (who asks more than so often), as detection does, every time; whole, now and then; and the
agent's metrics, as Prometheus reads them. The entries are written again before they expire.
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
from dataclasses import dataclass

REFRESH_SECONDS = 15
"""Entries expire after 30 s."""
HEAVY = 500
"""Requests in ten seconds from which a client is a heavy one; one in a hundred is made so."""
BATCH = 100


class Session:
    """An interactive session on HAProxy's socket for scans."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self.ask(["prompt", "set timeout cli 1h"])

    def ask(self, commands: list[str]) -> int:
        """Send commands and wait for all answers; returns their size in bytes."""
        self._socket.sendall("".join(f"{command}\n" for command in commands).encode())
        size, prompts, tail = 0, 0, b""
        while prompts < len(commands):
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionError("HAProxy has closed the session")
            size += len(data)
            data = tail + data  # a prompt may be cut in two; what is carried over is shorter than one
            prompts += data.count(b"\n> ")
            tail = data[-2:]
        return size

    def write(self, clients: range) -> None:
        """Entries for these clients, as many commands at a time as HAProxy's buffer holds."""
        for start in range(clients.start, clients.stop, BATCH):
            keys = range(start, min(start + BATCH, clients.stop))
            self.ask([f"set table clients key {_key(key)} data.http_req_rate {_rate(key)}" for key in keys])


def _key(client: int) -> str:
    return f"1-{client % 1000 + 1}|10.{client >> 16 & 255}.{client >> 8 & 255}.{client & 255}"


def _rate(client: int) -> int:
    seeded = random.Random(client)
    return seeded.randrange(HEAVY + 1, 5 * HEAVY) if client % 100 == 0 else seeded.randrange(1, HEAVY)


@dataclass
class Chore:
    """Something to do every so often, and what it took."""

    every: float
    work: Callable[[], object]
    due: float = 0.0
    count: int = 0
    longest: float = 0.0

    def do(self) -> None:
        began = time.monotonic()
        self.work()
        self.count += 1
        self.longest = max(self.longest, time.monotonic() - began)
        self.due = max(self.due + self.every, time.monotonic())


class Refresher:
    """Writes a share of the entries anew each time, all of them every ``REFRESH_SECONDS``."""

    def __init__(self, session: Session, clients: int, every: float) -> None:
        self._session = session
        self._clients = clients
        self._share = round(clients * every / REFRESH_SECONDS)
        self._next = 0

    def __call__(self) -> None:
        end = min(self._next + self._share, self._clients)
        self._session.write(range(self._next, end))
        self._next = end % self._clients


def main(path: str, clients: int, metrics: str) -> None:
    session = Session(path)
    session.write(range(clients))
    print("filled", flush=True)
    begun = time.monotonic()
    chores = {
        "filtered": Chore(0.25, lambda: session.ask([f"show table clients data.http_req_rate gt {HEAVY}"])),
        "whole": Chore(2.0, lambda: session.ask(["show table clients"]), due=begun + 1),
        "refresh": Chore(0.25, Refresher(session, clients, 0.25)),
        "metrics": Chore(15.0, lambda: _scrape(metrics), due=begun + 5),
    }
    while True:
        chore = min(chores.values(), key=lambda each: each.due)
        if select.select([sys.stdin], [], [], max(0.0, chore.due - time.monotonic()))[0]:
            break
        chore.do()
    del chores["refresh"]
    print(json.dumps({name: [each.count, round(1000 * each.longest)] for name, each in chores.items()}))


def _scrape(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address on loopback
            answer.read()
    except OSError:
        pass  # the agent is being replaced


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
