"""Floods over HTTP/2 and TLS: few connections, many requests at once on each."""

from __future__ import annotations

import asyncio
import itertools
import time

from bench.floods import frames
from bench.floods.answers import Answer
from bench.floods.http2 import Http2, context, open_http2
from bench.floods.records import Bot
from bench.floods.shots import BotState, Schedule, Shooter, Shot

TICK = 0.005
CATCH_UP = 0.25


class H2Flood:
    """Up to ``connections`` at a time, each of another source, each with up to ``streams`` requests."""

    def __init__(self, shooter: Shooter, schedule: Schedule, aim: tuple[str, int], flood: int) -> None:
        self.records: list[Bot] = []
        self.held_back = 0
        self._shooter = shooter
        self._schedule = schedule
        self._aim = aim
        self._flood = flood
        self._bots = itertools.cycle(shooter.bots)
        self._tls = context("library", http2=True)
        self._ready: list[tuple[Http2, BotState]] = []
        self._all: list[Http2] = []
        self._opening = 0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        sent, tasks = 0, set[asyncio.Task[None]]()
        spec = self._shooter.spec
        while (now := time.monotonic()) < self._schedule.end:
            due = self._schedule.due(now) - sent
            if due > (most := max(1, int(CATCH_UP * spec.rate))):
                self.held_back += due - most
                sent, due = sent + due - most, most
            self._ready = [each for each in self._ready if self._may_send(each[0])]
            self._all = [each for each in self._all if each.is_open]
            wanted = spec.connections if due else 0
            for _ in range(min(wanted - len(self._ready) - self._opening, 20)):
                task = asyncio.create_task(self._open())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if self._ready:
                sent += due
                for number in range(due):
                    self._shoot(*self._ready[number % len(self._ready)])
            await asyncio.sleep(TICK)
        await asyncio.sleep(min(spec.timeout, 2.0))
        for task in tasks:
            task.cancel()
        for connection in self._all:  # what is still waiting is recorded as without an answer
            connection.close()
        await asyncio.sleep(0.2)

    def _may_send(self, connection: Http2) -> bool:
        spec = self._shooter.spec
        is_over = not connection.is_open or connection.used >= spec.requests_per_connection
        if is_over and not connection.waiting:
            connection.close()
        return not is_over and len(connection.waiting) < spec.streams

    async def _open(self) -> None:
        bot = next(self._bots)
        self._opening += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._shooter.spec.timeout):
                connection = await open_http2(bot.address, *self._aim, self._tls, self._shooter.host)
            self._ready.append((connection, bot))
            self._all.append(connection)
        except OSError:  # refused: one request that was tried
            self._record(bot, self._shooter.shot(bot), began, time.monotonic(), None)
        finally:
            self._opening -= 1

    def _shoot(self, connection: Http2, bot: BotState) -> None:
        shot, sent = self._shooter.shot(bot), time.monotonic()
        head = frames.block(shot.method, self._shooter.host, shot.path, shot.headers)
        future = connection.send(head, shot.body)
        future.add_done_callback(lambda done: self._answered(done, bot, shot, sent))

    def _answered(self, done: asyncio.Future[Answer], bot: BotState, shot: Shot, sent: float) -> None:
        is_answered = not done.cancelled() and done.exception() is None
        self._record(bot, shot, sent, time.monotonic(), done.result() if is_answered else None)

    def _record(self, bot: BotState, shot: Shot, sent: float, done: float, answer: Answer | None) -> None:
        status, origin = (answer.status, answer.origin) if answer else (0, False)
        self.records.append(Bot(sent, done, bot.address, self._flood, shot.key, status, origin))
