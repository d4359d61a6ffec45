"""For each limit of a site, a client that goes beyond it: what a site refuses, or only counts if it watches.

The origin is one of ``origins``: what is held there is answered once enough has been asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from holdfast.edge.dataplane.reasons import Reason
from tests.feature.clients import ask, statuses
from tests.feature.lab import Lab, eventually
from tests.feature.origins import Origin
from tests.feature.wire import connect

PAUSE = 0.3
"""An answer that takes longer waits for the origin."""


@dataclass(frozen=True)
class Provocation:
    """What a site is set to, and what is then beyond it."""

    reason: Reason
    limits: dict[str, Any]
    provoke: Callable[[Lab, Origin, str], Awaitable[list[int]]]
    """At a host: asks for what is allowed, and then for more; how that is answered."""
    statuses: tuple[int, ...]
    """How what is beyond the limit is answered where it is refused."""


async def _too_fast(lab: Lab, one: Origin, host: str) -> list[int]:
    return (await statuses(lab, 5, host=host))[3:]


async def _too_much(lab: Lab, one: Origin, host: str) -> list[int]:
    assert (await ask(lab, host=host, path="/?count=50000")).status == 200
    await asyncio.sleep(PAUSE)  # HAProxy counts the last bytes a moment after its client has them
    return await statuses(lab, 2, host=host)


async def _too_long(lab: Lab, one: Origin, host: str) -> list[int]:
    async with connect(lab.http) as wire:
        request = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 101\r\n\r\n".encode()
        return [(await wire.ask(request + bytes(101))).status]


def _too_many(slots: int, waiting: int = 0) -> Callable[[Lab, Origin, str], Awaitable[list[int]]]:
    """One more than ``slots`` that are being answered and those that wait."""

    async def provoke(lab: Lab, one: Origin, host: str) -> list[int]:
        one.release.clear()
        held = [asyncio.create_task(ask(lab, host=host, path="/?held=1")) for _ in range(slots)]
        await eventually(lambda: one.open == slots)
        held += [asyncio.create_task(ask(lab, host=host, path="/?held=1")) for _ in range(waiting)]
        await asyncio.sleep(PAUSE if waiting else 0)
        more = asyncio.create_task(ask(lab, host=host))
        await asyncio.wait([more], timeout=PAUSE)
        one.release.set()
        assert [each.status for each in await asyncio.gather(*held)] == [200] * len(held)
        return [(await more).status]

    return provoke


PROVOCATIONS = {
    "rate": Provocation(Reason.RATE, {"requests_per_second": 1, "burst": 3}, _too_fast, (429, 429)),
    "at-once": Provocation(Reason.AT_ONCE, {"requests_at_once": 3}, _too_many(3), (429,)),
    # Nobody may take more than half of the slots of a site that has none left.
    "share": Provocation(Reason.AT_ONCE, {"origin_connections": 10}, _too_many(10), (429,)),
    "bytes": Provocation(Reason.BYTES, {"bytes_per_second": 1_000}, _too_much, (429, 429)),
    "body": Provocation(Reason.BODY, {"body_bytes": 100}, _too_long, (413,)),
    "queue": Provocation(Reason.QUEUE, {"origin_connections": 1, "queue": 1}, _too_many(1, 1), (503,)),
}
