"""Who holds a slot of a site and lets the edge wait, while others wait for the slot, loses it; nobody else
does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.status import SiteRow, as_table, take_snapshot
from tests.feature.lab import eventually, running, site, write_certificate
from tests.feature.origins import origin
from tests.feature.slow_holders import LARGER, Kind, give, holding, take
from tests.feature.visitors import visiting
from tests.feature.wire import connect

SLOTS = 5
SOURCES = SLOTS + 10
SECONDS = 12
PATIENCE = 10.0


async def row(edge: Edge, name: str) -> SiteRow:
    return next(row for row in (await take_snapshot(edge)).sites if row.name == name)


async def test_slow_clients_give_way_to_those_who_wait(tmp_path: Path) -> None:
    """A site for each kind, all at once; each has more slow clients than slots."""
    attacks = {
        **{"drips": Kind.DRIPS, "stalls": Kind.STALLS, "reads": Kind.READS},
        **{"tls-reads": Kind.READS, "tls-stalls": Kind.STALLS},
    }
    hosts = {name: f"{name}.test" for name in attacks}
    certificate = str(write_certificate(tmp_path / "one.pem", *hosts.values()))
    limits = {"origin_connections": SLOTS}
    async with origin() as one, AsyncExitStack() as stack:
        sites = [
            site(name, [host], one.port, certificate=certificate, limits=limits)
            for name, host in hosts.items()
        ]
        lab, edge = await stack.enter_async_context(running(tmp_path, sites))
        seen = {}
        for number, (name, kind) in enumerate(attacks.items()):
            attack = holding(
                lab, hosts[name], kind, SOURCES, network=f"127.0.{number + 1}", tls="tls" in name
            )
            seen[name] = await stack.enter_async_context(attack)
        async with visiting(lab, list(hosts.values()), patience=PATIENCE) as visits:
            await asyncio.sleep(SECONDS)
        for name in attacks:
            each, told = visits[hosts[name]], await row(edge, name)
            assert seen[name]["came"] >= SOURCES, name
            assert each.good >= 0.99, (name, each.statuses, seen[name])
            assert told.ended >= SLOTS, (name, told, seen[name])
            assert told.waited >= SLOTS, (name, told)
        assert seen["tls-stalls"]["429"] >= SOURCES, "who was ended pauses, over TLS too"
        assert not edge.crashed.done()
        head, *lines = as_table(await take_snapshot(edge)).splitlines()
        cells = next(line for line in lines if line.startswith("reads")).split()
        assert int(cells[head.split().index("ENDED")]) >= SLOTS


async def test_a_slow_origin_is_nobodys_fault(tmp_path: Path) -> None:
    """Neither while it does not answer, nor while it does not take what is sent to it."""
    over = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1000)
    async with server, origin() as one:
        limits = {"origin_connections": 2}
        sites = [
            site("a", ["a.test"], one.port, limits=limits),
            site("deaf", ["deaf.test"], server.sockets[0].getsockname()[1], limits=limits),
        ]
        async with running(tmp_path, sites) as (lab, edge), AsyncExitStack() as stack:
            held = []
            for request in (b"GET /?held=1 HTTP/1.1\r\n", b"POST /?held=1 HTTP/1.1\r\nContent-Length: 0\r\n"):
                for _ in range(2):
                    wire = await stack.enter_async_context(connect(lab.http))
                    held.append(asyncio.create_task(wire.ask(request + b"Host: a.test\r\n\r\n")))
            for _ in range(4):
                wire = await stack.enter_async_context(connect(lab.http))
                wire.writer.write(b"POST / HTTP/1.1\r\nHost: deaf.test\r\nContent-Length: 20000000\r\n\r\n")
                wire.writer.write(b"x" * 20_000_000)
            await asyncio.sleep(5)
            for name in ("a", "deaf"):
                told = await row(edge, name)
                assert (told.ended, told.waiting) == (0, 2), told
            one.release.set()
            assert [(await each).status for each in held] == [200] * 4
            over.set()


async def test_who_was_ended_has_no_place_in_the_queue(tmp_path: Path) -> None:
    """HAProxy keeps what was ended until the client has taken the rest of it."""
    limits = {"origin_connections": 2, "queue": 5}
    async with origin() as one, running(tmp_path, [site("a", ["a.test"], one.port, limits=limits)]) as made:
        lab, edge = made
        async with holding(lab, "a.test", Kind.READS, 7):

            async def nobody_waits() -> bool:
                return (await row(edge, "a")).ended >= 5

            await eventually(nobody_waits, 12)
            for _ in range(5):
                async with connect(lab.http) as wire:
                    assert (await wire.get(b"/", "a.test")).status == 200
            told = answers.streams(await edge.runtime.scan("show sess"))
            left = [each for each in told if each.backend.startswith("slot")]
            assert len(left) >= 6, "or this would prove nothing"


async def test_an_honest_client_keeps_its_slot_and_so_does_one_that_is_allowed(tmp_path: Path) -> None:
    """While slow ones around them are ended."""
    async with origin() as one:
        limits = {"origin_connections": SLOTS + 4}
        certificate = str(write_certificate(tmp_path / "one.pem", "a.test"))
        document = site(
            "a", ["a.test"], one.port, limits=limits, allow=["127.0.7.0/24"], certificate=certificate
        )
        async with running(tmp_path, [document]) as (lab, edge):
            honest = asyncio.create_task(take(lab, "a.test", "127.0.6.1", rate=1_000_000, seconds=6))
            allowed = asyncio.create_task(take(lab, "a.test", "127.0.7.1", rate=100, seconds=6))
            sent = asyncio.create_task(give(lab, "a.test", "127.0.6.2", rate=16_000, seconds=6))
            over_tls = asyncio.create_task(give(lab, "a.test", "127.0.7.2", rate=100, seconds=6, tls=True))
            await eventually(lambda: len(one.requests) == 4)
            async with holding(lab, "a.test", Kind.STALLS, SOURCES, tls=True):
                assert (await over_tls).status == 200
                assert (await honest, await allowed) == (LARGER, LARGER)
                assert ((await sent).status, (await sent).headers["x-body-bytes"]) == (200, "96000")
            assert (await row(edge, "a")).ended >= SLOTS, "or this would prove nothing"
