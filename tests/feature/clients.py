"""Clients that come from addresses of their own choosing, and what they are answered; their bans."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from holdfast.model.ban import Ban, parse_network
from tests.feature.lab import Lab
from tests.feature.wire import Answer, connect, trusting

REFUSED = 0
"""Stands for the status of a request whose connection is refused."""
BURST = 10
"""What ``requests_per_second = 1`` allows at once: ten seconds' worth."""


async def ask(
    lab: Lab,
    source: str = "127.0.0.1",
    host: str = "a.test",
    path: str = "/",
    *lines: str,
    method: str = "GET",
    secure: bool = False,
) -> Answer:
    """One request on a connection of its own; status ``REFUSED`` without an answer."""
    port, tls = (lab.https, trusting()) if secure else (lab.http, None)
    try:
        async with connect(port, source=source, tls=tls, name=host if secure else None) as wire:
            return await wire.get(path.encode(), host, *lines, method=method)
    except (ConnectionError, EOFError, ssl.SSLError):
        return Answer(REFUSED, {})


async def status(
    lab: Lab, source: str = "127.0.0.1", host: str = "a.test", path: str = "/", *, secure: bool = False
) -> int:
    return (await ask(lab, source, host, path, secure=secure)).status


async def statuses(lab: Lab, count: int, source: str = "127.0.0.1", host: str = "a.test") -> list[int]:
    """Of requests one after the other on one connection: as fast as a client can."""
    async with connect(lab.http, source=source) as wire:
        return [(await wire.get(b"/", host)).status for _ in range(count)]


async def spend(lab: Lab, source: str = "127.0.0.1", host: str = "a.test", burst: int = BURST) -> None:
    """Use up a client's burst; just one more is refused."""
    assert await statuses(lab, burst + 1, source, host) == [200] * burst + [429], source


def ban(source: str, seconds: float = 60) -> Ban:
    """For a minute, which is the longest that a ban may last."""
    return Ban(parse_network(source), datetime.now(UTC) + timedelta(seconds=seconds))
