"""Hostile clients: refused, and kept apart in the counts. A soak in which one of ``REFUSED`` never was has
failed, as has one that serves the banned."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

from bench.soak.ledger import Ledger
from bench.soak.visitor import BROKEN
from bench.soak.wires import Line
from bench.soak.world import Ports
from tests.feature.wire import Wire

GREEDY, BANNED, SLOW_HEAD, SLOW_BODY = "127.0.0.251", "127.0.0.252", "127.0.0.253", "127.0.0.254"
REFUSED = ("over its limit", "banned", "slow head")
"""Kinds that the edge must have refused by the end. A body may be slow as long as two minutes pass without a
byte: that one gives up before, and what became of it is only told."""
REFUSAL_SECONDS = 12.0
"""A head must be whole within ten seconds."""
HOST, HONEST_HOST = "limited-a.soak.test", "steady-20-a.soak.test"


async def greedy(ports: Ports, ledger: Ledger) -> None:
    """One client over its limit: twenty requests a second where five are allowed."""
    async with Line(Wire, ports.http, GREEDY) as line:
        with contextlib.suppress(*BROKEN):
            while True:
                answer = await (await line.wire()).get(b"/", HOST)
                ledger.hostile[f"over its limit: {answer.status}"] += 1
                await asyncio.sleep(0.05)
                if answer.headers.get("connection") == "close":
                    return


async def banned(ports: Ports, ledger: Ledger) -> None:
    """A banned source tries again and again, on both ports; what it gets before the ban is its own affair."""
    ban = [("ban", BANNED)]
    for port, name in ((ports.http, None), (ports.https, HONEST_HOST)):
        began, outcome = time.monotonic(), "refused"
        async with Line(Wire, port, BANNED, name) as line:
            with contextlib.suppress(*BROKEN):
                outcome = str((await (await line.wire()).get(b"/", HONEST_HOST)).status)
        ended = time.monotonic()
        if outcome != "refused" and ledger.history.must(ban, began, ended):
            ledger.fail("hostile", f"port {port} from {BANNED}", "served though banned", began, ended)
        if ledger.history.can(ban, began, ended):
            ledger.hostile[f"banned: {outcome}"] += 1
    await asyncio.sleep(0.5)


async def slow_head(ports: Ports, ledger: Ledger) -> None:
    """A head that never ends."""
    head = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n"
    await _slowly(ports, ledger, "slow head", SLOW_HEAD, head, b"X-Slow: x\r\n")


async def slow_body(ports: Ports, ledger: Ledger) -> None:
    """A body that comes byte by byte."""
    head = "POST / HTTP/1.1\r\nHost: steady-0-a.soak.test\r\nContent-Length: 1000\r\n\r\n"
    await _slowly(ports, ledger, "slow body", SLOW_BODY, head, b"x")


async def _slowly(ports: Ports, ledger: Ledger, kind: str, source: str, head: str, more: bytes) -> None:
    """Send ``head``, then ``more`` every second until refused, or for as long as the edge may take."""
    outcome = "refused"
    async with Line(Wire, ports.http, source) as line:
        with contextlib.suppress(OSError, EOFError):
            wire = await line.wire()
            wire.writer.write(head.encode())
            feeding = asyncio.create_task(_feed(wire, more))
            try:
                async with asyncio.timeout(REFUSAL_SECONDS):
                    outcome = (await wire.reader.readuntil(b"\r\n")).split()[1].decode()
            except TimeoutError:
                outcome = "tolerated"
            finally:
                feeding.cancel()
    ledger.hostile[f"{kind}: {outcome}"] += 1


async def _feed(wire: Wire, more: bytes) -> None:
    while not wire.writer.is_closing():
        wire.writer.write(more)
        await asyncio.sleep(1)


HORDE = (greedy, banned, slow_head, slow_body)


def missing(hostile: Iterable[str]) -> list[str]:
    """Which kinds that must be refused never were, by the outcomes that were counted."""
    refusals = {"429", "refused", "408"}
    seen = {kind for kind, _, outcome in (each.partition(": ") for each in hostile) if outcome in refusals}
    return [kind for kind in REFUSED if kind not in seen]
