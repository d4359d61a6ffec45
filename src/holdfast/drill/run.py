"""Runs a drill: visitors all the time, the flood among them, and looks on whether it still may.

Whatever ends it, nothing is sent any more when ``run`` has returned. Not here: whether it may begin
(``target``), what came of it (``verdict``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from holdfast.drill.parties import Party
from holdfast.drill.plan import MOST_OPEN, Plan
from holdfast.drill.result import Progress, Run
from holdfast.drill.stream import Stream
from holdfast.drill.tally import Answer, Outcome, count, share
from holdfast.drill.target import Target
from holdfast.model.errors import error

LOOK_SECONDS: Final = 0.2
VISITORS_OPEN: Final = MOST_OPEN // 4
EARLY_SECONDS: Final = 3.0
"""By then it is known whether the site serves at all."""
LEAST_SERVED: Final = 0.95
"""Of the visitors before the flood: else there is nothing that a flood could harm."""

Look = Callable[[float], Awaitable[None]]
"""Given the seconds that have passed; raises HoldfastError when the drill must stop."""
Tell = Callable[[Progress], None]


async def run(target: Target, plan: Plan, look: Look, tell: Tell) -> Run:
    """Raises HoldfastError when ``look`` does, and when the site does not serve even without a flood."""
    loop = asyncio.get_running_loop()
    begin, began = loop.time(), time.time()
    people = Stream(Party.VISITORS, target, plan.seed, begin, VISITORS_OPEN)
    flood = Stream(Party.FLOOD, target, plan.seed, begin, MOST_OPEN - VISITORS_OPEN)

    async def attack() -> None:
        early = min(EARLY_SECONDS, plan.calm)
        for seconds in (early, plan.calm - early):
            await asyncio.sleep(seconds)
            _check_served(target, people.answers)
        await flood.run(plan.rate, plan.flood)

    async def watch() -> None:
        told = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            passed = loop.time() - begin
            await look(passed)
            if passed >= told + 1:
                told = int(passed)
                tell(Progress(passed, flood.sent, (*people.answers, *flood.answers)))

    sending = [
        asyncio.create_task(people.run(plan.visitors, plan.seconds)),
        asyncio.create_task(attack()),
    ]
    watching = asyncio.create_task(watch())
    try:
        await _first_failure(sending, watching)
    finally:
        for task in (*sending, watching):
            task.cancel()
        await asyncio.gather(*sending, watching, return_exceptions=True)
    return Run(plan, began, flood.sent, (*people.answers, *flood.answers))


async def _first_failure(sending: list[asyncio.Task[None]], watching: asyncio.Task[None]) -> None:
    """Return when all is sent; raise what goes wrong before."""
    waiting: set[asyncio.Task[None]] = {*sending, watching}
    while not all(task.done() for task in sending):
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


def _check_served(target: Target, answers: list[Answer]) -> None:
    counts = count(answers, Party.VISITORS)
    if share(counts, Outcome.SERVED) < LEAST_SERVED:
        said = ", ".join(f"{number} {outcome.value}" for outcome, number in counts.most_common())
        raise error(
            f"{target.site} does not serve its front page, with no flood yet ({said})",
            f"see what it says: curl -i http://{target.authority}/ --resolve {target.host}:{target.port}:"
            f"{target.address}",
            "SITE",
        )
