"""One soak, from the start of the edge to its end: who runs when. The parts are the other files."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.edge import Edge
from bench.soak import hostile, world
from bench.soak.aftermath import look_back
from bench.soak.bulk import Bulk
from bench.soak.changes import SOMETIMES, Asker, Changer
from bench.soak.ledger import Ledger
from bench.soak.result import Plan, Result
from bench.soak.samples import Sample, Sampler, Use, judged
from bench.soak.upheavals import Upheavals
from bench.soak.visitor import Visitor
from bench.soak.visitors import CROWD, fresh
from tests.feature.nginx import nginx_origin
from tests.feature.origins import Origin, origin

FIRST_SOURCE = 3
"""The first visitor's address is 127.0.0.3."""
TELL_SECONDS = 5
Say = Callable[[str], None]


async def soak(plan: Plan, say: Say) -> Result:
    """Everything; whatever was started has ended on leaving, however that comes about."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="holdfast-soak-")))
        edge = Edge(directory)
        stack.push_async_callback(asyncio.to_thread, edge.__exit__, None, None, None)  # it waits for the end
        first, second = [await stack.enter_async_context(_nginx(directory / name)) for name in ("1", "2")]
        app = await stack.enter_async_context(origin("app"))
        ports = world.Ports(edge.http, edge.https, first, second, app.port)
        sites = world.World(directory, ports, edge.settings())
        sites.write()
        await asyncio.to_thread(_begin, edge)
        result = Result(plan, Ledger())
        await _under_load(result, edge, sites, app, say)
        say("the traffic has ended; what is left?")
        result.faults += await asyncio.to_thread(look_back, edge)
    return result


@contextlib.asynccontextmanager
async def _nginx(directory: Path) -> AsyncIterator[int]:
    directory.mkdir()  # noqa: ASYNC240 - before anything else runs
    async with nginx_origin(directory) as port:
        yield port


def _begin(edge: Edge) -> None:
    edge.up()
    edge.wait_admin().close()


async def _under_load(result: Result, edge: Edge, sites: world.World, app: Origin, say: Say) -> None:
    plan, ledger, draw = result.plan, result.ledger, random.Random(result.plan.seed)
    bulk = Bulk(sites.directory, sites.ports, world.bulk_hosts(), ledger, plan.slice_seconds)
    abandoned = threading.Event()
    changer = Changer(Asker(edge, abandoned), sites, ledger, random.Random(draw.random()), hostile.BANNED)
    upheavals = Upheavals(edge, Asker(edge, abandoned), ledger, random.Random(draw.random()))
    sampler = Sampler(edge, ledger, lambda: bulk.rate, lambda: ledger.total - bulk.requests, result.samples)

    def tell(sample: Sample) -> None:
        if int(sample.at) // TELL_SECONDS != int(sample.at - plan.sample_seconds) // TELL_SECONDS:
            counts = changer.made.total(), upheavals.reloads, sum(upheavals.restarts.values())
            say(_progress(sample, ledger, *counts))

    works: list[Callable[[threading.Event], None]] = [
        lambda stop: changer.run(stop, plan.change_seconds),
        lambda stop: upheavals.run(stop, plan.reload_every, plan.restart_every),
        lambda stop: sampler.run(stop, plan.sample_seconds, tell),
    ]
    async with _going_on(
        [*_visitors(plan, sites, ledger, draw), *_horde(sites, ledger), lambda: _forget(app)]
    ):
        result.most_rate = await bulk.calibrate(plan.calibrate_seconds)
        say(f"carries at most {result.most_rate:,.0f} requests/s of the bulk; the soak begins")
        async with asyncio.TaskGroup() as load:
            for stream in bulk.streams:
                load.create_task(bulk.run(stream))
            load.create_task(bulk.run_curl())
            result.begin = ledger.now
            await _in_threads(works, plan.seconds, abandoned)
            result.end = ledger.now
            bulk.stopping = True  # the last slices are counted too
    result.changes, result.reloads, result.restarts = (
        dict(changer.made),
        upheavals.reloads,
        upheavals.restarts,
    )
    result.workers = len(sampler.workers)
    if result.workers > (most := 1 + upheavals.most_reloads):
        result.faults.append(f"{result.workers} workers were seen where there should be {most} at most")
    result.flatness = judged(result.samples, result.begin, result.end, plan.floors)
    result.faults += [f"never refused: {kind}" for kind in hostile.missing(ledger.hostile)]


@contextlib.asynccontextmanager
async def _going_on(works: Iterable[Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Each again and again, until the end. One that breaks ends the soak."""

    async def forever(work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(forever(work)) for work in works]
        yield
        for task in tasks:
            task.cancel()


def _visitors(
    plan: Plan, sites: world.World, ledger: Ledger, draw: random.Random
) -> Iterator[Callable[[], Awaitable[None]]]:
    """The crowd, each from an address of its own, and one that is banned now and then."""
    kinds = [kind for kind, count in CROWD for _ in range(count)]
    sources = [f"127.0.0.{number}" for number in range(FIRST_SOURCE, FIRST_SOURCE + len(kinds))]
    for kind, source in (*zip(kinds, sources, strict=True), (fresh, SOMETIMES)):
        visitor = Visitor(sites.ports, ledger, source, plan.patience, random.Random(draw.random()))
        yield functools.partial(kind, visitor)


def _horde(sites: world.World, ledger: Ledger) -> Iterator[Callable[[], Awaitable[None]]]:
    for kind in hostile.HORDE:
        yield functools.partial(kind, sites.ports, ledger)


async def _forget(app: Origin) -> None:
    """The origin keeps what it was asked, for tests that are shorter than this."""
    app.requests.clear()
    await asyncio.sleep(1)


async def _in_threads(
    works: Iterable[Callable[[threading.Event], None]], seconds: float, abandoned: threading.Event
) -> None:
    """Have ``works`` run in a thread each, as they wait for answers, and stop them after ``seconds``. One
    that breaks ends the soak."""
    stop = threading.Event()
    running = [asyncio.ensure_future(asyncio.to_thread(work, stop)) for work in works]
    try:
        done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except BaseException:
        abandoned.set()
        raise
    finally:
        stop.set()
        await asyncio.wait(running)
    for task in running:
        task.result()


def _progress(sample: Sample, ledger: Ledger, changes: int, reloads: int, restarts: int) -> str:
    def told(used: Use | None) -> str:
        return f"{used.memory:.0f} MiB {used.descriptors} fd" if used else "away"

    return (
        f"{sample.rate:,.0f}/s  {ledger.total:,} requests, {ledger.unexplained} unexplained failures;"
        f"  {changes} changes, {reloads} reloads, {restarts} restarts;"
        f"  HAProxy {told(sample.worker)} (+{len(sample.leaving)} leaving), agent {told(sample.agent)}"
    )
