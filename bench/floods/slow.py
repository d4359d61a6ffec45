"""Slow clients: headers or a body that never end, a few octets at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

from bench.floods.records import Bot
from bench.floods.shots import BotState, Schedule, Shooter, Shot

BODY = 1_000_000


class Slow:
    """Holds up to ``connections`` open, begins new ones at the schedule's rate."""

    def __init__(self, shooter: Shooter, schedule: Schedule, aim: tuple[str, int], flood: int) -> None:
        self.records: list[Bot] = []
        self.held_back = 0
        self._shooter = shooter
        self._schedule = schedule
        self._aim = aim
        self._flood = flood

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        begun, open_now = 0, set[asyncio.Task[None]]()
        while (now := time.monotonic()) < self._schedule.end:
            while begun < self._schedule.due(now) and len(open_now) < self._shooter.spec.connections:
                begun += 1
                if chosen := self._shooter.next(now):
                    task = asyncio.create_task(self._hold(*chosen))
                    open_now.add(task)
                    task.add_done_callback(open_now.discard)
            begun = max(begun, self._schedule.due(now) - self._shooter.spec.connections)
            await asyncio.sleep(0.02)
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    async def _hold(self, bot: BotState, shot: Shot) -> None:
        sent, done, data = time.monotonic(), None, b""
        try:
            data = await self._drip(bot, shot)
            done = time.monotonic()
        except OSError:
            done = time.monotonic()
        finally:
            status = int(data[9:12]) if data[9:12].isdigit() else 0
            origin = b"x-origin: 1" in data.lower()
            self.records.append(Bot(sent, done, bot.address, self._flood, shot.key, status, origin))

    async def _drip(self, bot: BotState, shot: Shot) -> bytes:
        """Until the server answers or ends it. Raises OSError."""
        reader, writer = await asyncio.open_connection(*self._aim, local_addr=(bot.address, 0))
        try:
            answer = asyncio.create_task(reader.read(4096))
            if self._shooter.spec.client == "slow-headers":
                writer.write(shot.http1()[:-2])
                drops = b"X-Wait: 1\r\n"
            else:
                more = [*shot.headers, ("Content-Length", str(BODY))]
                writer.write(replace(shot, method="POST", headers=more, body=b"").http1())
                drops = b"a=1&"
            while not answer.done() and time.monotonic() < self._schedule.end:
                await asyncio.wait([answer], timeout=self._shooter.spec.drip_seconds)
                with contextlib.suppress(ConnectionError):
                    writer.write(drops)
            if not answer.done():
                answer.cancel()
                raise asyncio.CancelledError
            return answer.result()
        finally:
            writer.transport.abort()
