"""An origin of known capacity: workers that sleep, and a backlog that can be exhausted.

``python -m bench.floods.origin SPEC.json`` serves until SIGTERM and then writes what reached it. What has
been read is worked on, also when whoever asked has gone: so does a server that runs scripts.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.floods.processes import end_with_parent
from bench.floods.records import Arrival, dump, key_of

BODY = b"<!doctype html><title>Origin</title>" + b"<p>What the visitor came for.</p>" * 30
HEAD = b"HTTP/1.1 %d %s\r\nX-Origin: 1\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
OK, FULL = HEAD % (200, b"OK", len(BODY)), HEAD % (503, b"Busy", 0)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLIENT = re.compile(rb"\r\nx-forwarded-for: *([^\r]*)", re.IGNORECASE)


@dataclass
class Site:
    """The workers behind one hostname. Time a worker slept too long, as any process oversleeps, is taken off
    its next request, so that the capacity is what is said."""

    hostname: str
    workers: int
    ms: float
    backlog: int
    costs: dict[str, float]
    seen: list[Arrival] = field(default_factory=list)
    waiting: deque[Work] = field(default_factory=deque)
    idle: int = 0

    def __post_init__(self) -> None:
        self.idle = self.workers

    def seconds(self, path: str) -> float:
        """What a request costs a worker: by the longest beginning of its path that has a price."""
        priced = [each for each in self.costs if path.startswith(each)]
        return (self.costs[max(priced, key=len)] if priced else self.ms) / 1000

    def take(self, work: Work) -> None:
        if self.idle:
            self.idle -= 1
            self.begin(work, time.monotonic())
        elif len(self.waiting) < self.backlog:
            self.waiting.append(work)
        else:
            self.finish(work, 503)

    def begin(self, work: Work, moment: float) -> None:
        loop = asyncio.get_running_loop()
        until = moment + self.seconds(work.path)
        loop.call_later(until - time.monotonic(), self.end, work, until)

    def end(self, work: Work, until: float) -> None:
        self.finish(work, 200)
        if self.waiting:
            self.begin(self.waiting.popleft(), max(until, time.monotonic() - 0.05))
        else:
            self.idle += 1

    def finish(self, work: Work, status: int) -> None:
        now = time.monotonic()
        self.seen.append(
            Arrival(work.at, now, self.hostname, work.address, key_of(work.path), work.before, status)
        )
        work.protocol.answer(work, status)


@dataclass(slots=True)
class Work:
    """One request."""

    protocol: Http
    at: float
    path: str
    address: str
    is_head: bool
    before: int


class Http(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.transport: asyncio.Transport | None = None
        self.data = b""
        self.rest = 0
        """Octets of a body that are still to come."""
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.look()

    def look(self) -> None:
        if self.rest:
            taken = min(self.rest, len(self.data))
            self.data, self.rest = self.data[taken:], self.rest - taken
        if self.is_busy or self.rest:
            return
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head, self.data = self.data[: end + 2], self.data[end + 4 :]
        if found := LENGTH.search(head):
            self.rest = int(found[1])
        elif CHUNKED.search(head):
            last = self.data.find(b"0\r\n\r\n")  # small bodies only: they come whole
            self.data = self.data[last + 5 :] if last >= 0 else b""
        self.is_busy = True
        self.site.take(self.work(head))
        if self.rest:
            self.look()

    def work(self, head: bytes) -> Work:
        method, path, _ = head.split(b" ", 2)
        clients = CLIENT.findall(head)
        client = clients[-1].rpartition(b",")[2].strip().decode("latin-1") if clients else ""
        where = path.decode("latin-1")
        return Work(self, time.monotonic(), where, client, method == b"HEAD", len(self.site.waiting))

    def answer(self, work: Work, status: int) -> None:
        self.is_busy = False
        if self.transport is None:
            return
        if status != 200:
            self.transport.write(FULL)
        else:
            self.transport.write(OK if work.is_head else OK + BODY)
        if self.data:
            self.look()


async def serve(spec: dict[str, Any]) -> list[Arrival]:
    """Serve the sites of ``spec`` until SIGTERM; returns what reached them."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    sites = [
        Site(each["hostname"], each["workers"], each["ms"], each["backlog"], each["costs"])
        for each in spec["sites"]
    ]
    ports: Iterable[int] = (each["port"] for each in spec["sites"])
    for site, port in zip(sites, ports, strict=True):
        await loop.create_server(lambda site=site: Http(site), "127.0.0.1", port, backlog=4096)  # type: ignore[misc]
    print("ready", flush=True)
    await over.wait()
    return [arrival for site in sites for arrival in site.seen]


def main() -> None:
    end_with_parent()
    spec = json.loads(Path(sys.argv[1]).read_text())
    dump(Path(spec["out"]), asyncio.run(serve(spec)))


if __name__ == "__main__":
    main()
