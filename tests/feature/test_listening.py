"""``*`` listens for IPv4 and IPv6, and an IPv4 client that comes in there is an IPv4 client."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.ban import Ban, parse_network
from tests.feature.lab import free_ports, running, site, write_certificate
from tests.feature.origins import origin
from tests.feature.wire import Wire, trusting

HOST = "a.test"


async def status(port: int, client: str, *, secure: bool) -> int:
    """What a client of that address gets; 0 where its connection is refused."""
    server = "::1" if ":" in client else "127.0.0.1"
    named: dict[str, Any] = {"ssl": trusting(), "server_hostname": HOST} if secure else {}
    try:
        reader, writer = await asyncio.open_connection(server, port, local_addr=(client, 0), **named)
    except ConnectionError:
        return 0
    try:
        return (await Wire(reader, writer).get(b"/", HOST)).status
    except (ConnectionError, EOFError):
        return 0
    finally:
        writer.close()


@pytest.mark.parametrize("listeners", [["*"], ["0.0.0.0", "[::]"]], ids=" ".join)  # noqa: S104 - on purpose
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_clients_are_told_apart_where_every_address_is_listened_at(
    tmp_path: Path, secure: bool, listeners: list[str]
) -> None:
    """By the origin, by limits, by the allow list and by bans."""
    http, https = free_ports(2)
    port = https if secure else http
    certificate = str(write_certificate(tmp_path / "a.pem", HOST))
    async with origin() as content:
        document = site(
            "a",
            [HOST],
            content.port,
            certificate=certificate,
            limits={"requests_per_second": 1},
            allow=["127.0.0.7"],
        )
        at = {
            "http": [f"{each}:{http}" for each in listeners],
            "https": [f"{each}:{https}" for each in listeners],
        }
        async with running(tmp_path, [document], **at) as (_, edge):
            for client in ("127.0.0.1", "127.0.0.2", "127.0.0.7", "::1"):
                assert await status(port, client, secure=secure) == 200
                assert content.requests[-1].all("x-forwarded-for") == [client]
            spent = [await status(port, "127.0.0.1", secure=secure) for _ in range(13)]
            assert set(spent) == {200, 429}
            assert await status(port, "127.0.0.2", secure=secure) == 200
            assert {await status(port, "127.0.0.7", secure=secure) for _ in range(13)} == {200}
            await edge.ban(Ban(parse_network("127.0.0.2"), datetime.now(UTC) + timedelta(minutes=1)))
            assert await status(port, "127.0.0.2", secure=secure) == 0
            assert await status(port, "127.0.0.7", secure=secure) == 200
