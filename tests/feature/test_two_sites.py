"""One site's flood is that site's: while all its slots and its queue are taken, and connections and counters
are used up in its name, visitors of another site notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.status import SiteRow, take_snapshot
from tests.feature.lab import Lab, eventually, running, site
from tests.feature.origins import origin
from tests.feature.visitors import visiting
from tests.feature.wire import Answer, Wire, connect

SLOTS, QUEUE = 4, 12
LIMITS = {"origin_connections": SLOTS, "queue": QUEUE}
SECONDS = 4.0
CLIENTS = 1000


def address(number: int) -> str:
    """One of 60 000 clients."""
    return f"127.{20 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


async def ask(lab: Lab, source: str, path: str = "/", host: str = "a.test") -> Answer:
    """One request of ``source`` on a connection of its own; status 0 without an answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.http, local_addr=(source, 0))
        try:
            return await Wire(reader, writer).get(path.encode(), host)
        finally:
            writer.close()
    except (OSError, EOFError, TimeoutError):
        return Answer(0, {})


@asynccontextmanager
async def flooding(lab: Lab, clients: int, path: str = "/?held=1") -> AsyncIterator[Counter[int]]:
    """Requests to site A, each from an address of its own, and again once it is refused; what they got."""
    seen: Counter[int] = Counter()

    async def keep(number: int) -> None:
        while True:
            seen[(await ask(lab, address(number), path)).status] += 1
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(keep(number)) for number in range(clients)]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def row(edge: Edge, name: str) -> SiteRow:
    return next(row for row in (await take_snapshot(edge)).sites if row.name == name)


async def in_flight(edge: Edge, name: str) -> int:
    """Requests of a site that are answered or wait."""
    table = answers.table(await edge.runtime.scan("show table sites"))
    return next((each.counters["conn_cur"] for each in table if each.key == str(edge.desired.ids[name])), 0)


async def test_slots_and_queue_of_one_site_are_its_own(tmp_path: Path) -> None:
    """It holds as many requests as it has places; those beyond are told to come again, on a page."""
    async with origin() as one, origin() as two:
        sites = [
            site("a", ["a.test"], one.port, limits=LIMITS),
            site("b", ["b.test"], two.port, limits=LIMITS),
        ]
        async with running(tmp_path, sites, shield="watch") as (lab, edge), flooding(lab, 200) as seen:
            await eventually(lambda: seen[503] > 100)
            most = 0
            async with visiting(lab, ["b.test"]) as visits:
                loop = asyncio.get_running_loop()
                until = loop.time() + SECONDS
                while loop.time() < until:
                    most = max(most, await in_flight(edge, "a"))
                    assert one.open <= SLOTS
                    answer = await ask(lab, "127.8.0.1")
                    assert answer.status == 503
                    assert answer.headers["content-type"] == "text/html; charset=utf-8"
                    assert answer.headers["cache-control"] == "no-store"
                    assert 1 <= int(answer.headers["retry-after"]) <= 60
                    assert b'lang="de"' in answer.body
                    await asyncio.sleep(0.05)
            assert SLOTS + QUEUE <= most <= SLOTS + QUEUE + 2, "each request is counted before it is judged"
            assert set(visits["b.test"].statuses) == {200}
            assert visits["b.test"].p95 < 0.2, visits["b.test"].seconds
            a, b = await row(edge, "a"), await row(edge, "b")
            assert (a.refused["queue"] > 100, b.refused, b.waited, b.ended) == (True, {}, 0, 0)
            one.release.set()


async def test_connections_held_in_the_name_of_one_site(tmp_path: Path) -> None:
    """By 300 clients, fewer than the port takes: on some a request waits, on others one has been answered."""
    async with origin() as one, origin() as two, contextlib.AsyncExitStack() as stack:
        sites = [site("a", ["a.test"], one.port, limits=LIMITS), site("b", ["b.test"], two.port)]
        lab, _ = await stack.enter_async_context(running(tmp_path, sites, shield="watch"))
        for number in range(800):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", lab.http, local_addr=(address(number % 300), 0)
            )
            stack.callback(writer.close)
            path = "/?held=1" if number < SLOTS + QUEUE else "/"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        async with visiting(lab, ["b.test"]) as visits:
            await asyncio.sleep(SECONDS / 2)
        assert set(visits["b.test"].statuses) == {200}
        assert visits["b.test"].p95 < 0.2, visits["b.test"].seconds
        one.release.set()


async def test_a_full_table_of_clients_costs_another_site_nothing(tmp_path: Path) -> None:
    """More clients than are counted: those who are connected keep their place, and everybody is served."""
    async with origin() as one, origin() as two:
        sites = [
            site("a", ["a.test"], one.port),
            site("b", ["b.test"], two.port, limits={"requests_at_once": 2}),
        ]
        async with (
            running(tmp_path, sites, clients=CLIENTS, shield="watch") as (lab, edge),
            connect(lab.http) as wire,
        ):
            async with visiting(lab, ["b.test"]) as visits:
                for begin in range(0, 2 * CLIENTS, 50):
                    some = (ask(lab, address(number)) for number in range(begin, begin + 50))
                    assert {each.status for each in await asyncio.gather(*some)} == {200}
            assert set(visits["b.test"].statuses) == {200}
            head = (await edge.runtime.scan("show table clients data.conn_cur gt 0")).splitlines()[0]
            assert int(head.rpartition("used:")[2]) > CLIENTS * 0.9, "or this would prove nothing"
            assert (await wire.get(b"/", "b.test")).status == 200
            held = [asyncio.create_task(ask(lab, "127.8.0.1", "/?held=1", "b.test")) for _ in range(2)]
            await eventually(lambda: two.open == 2)
            for begin in range(0, CLIENTS + 100, 50):
                some = (ask(lab, address(5000 + number)) for number in range(begin, begin + 50))
                await asyncio.gather(*some)
            assert (await ask(lab, "127.8.0.1", host="b.test")).status == 429, "it is still counted"
            assert (await ask(lab, "127.8.0.2", host="b.test")).status == 200
            two.release.set()
            assert {each.status for each in await asyncio.gather(*held)} == {200}
