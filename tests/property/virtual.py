"""The reconciler against the model of HAProxy, without sockets and without waiting: time passes only when
nothing else is left to do, and where nothing ever will happen the test fails instead of hanging."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from holdfast.edge import reconcile
from holdfast.edge.dataplane.commands import Command
from holdfast.edge.dataplane.picture import META, Picture
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.reconcile import Reconciler
from tests.property.haproxy_model import Model
from tests.property.world import PLACES, World

T = TypeVar("T")
Hook = Callable[[int, str], None]
"""Called before each command that changes something, with its number and text; may raise."""


class Clock(selectors.SelectSelector):
    """Never waits: it lets the time pass."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.now += max(timeout, 0)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop on that clock."""

    def __init__(self) -> None:
        self._clock = Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def at_once(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)


def seen(text: str) -> bool:
    """Whether a command changes anything but the epoch."""
    return not text.startswith(("get map", f"set map {PLACES.map(META)}", f"add map {PLACES.map(META)}"))


class ModelRuntime(Runtime):
    """Commands go to a model of HAProxy, one by one, with everybody else's turn between two of them. What is
    under way when the model is replaced by another one is cut off."""

    def __init__(self, model: Model) -> None:
        super().__init__("/nowhere", "/nowhere")
        self.model = model
        self.model.maps.setdefault((META, "epoch"), "0")
        self.commands: list[str] = []
        self.before: Hook = lambda number, text: None
        self.after: Callable[[str], None] = lambda text: None
        self.refuses: Callable[[str], bool] = lambda text: False

    async def change(self, texts: Sequence[str]) -> list[str]:
        model = self.model
        answers = []
        for text in texts:
            await self._turn(model)
            if seen(text):
                self.before(len(self.commands), text)
                self.commands.append(text)
            answers.append("HAProxy does not like this" if self.refuses(text) else self.model.ask(text))
            self.after(text)
        return answers

    async def scans(self, texts: Sequence[str]) -> list[str]:
        model = self.model
        answers = []
        for text in texts:
            await self._turn(model)
            answers.append(model.ask(text + "\n"))
        return answers

    async def _turn(self, model: Model) -> None:
        await asyncio.sleep(0)
        if model is not self.model:
            raise lost("this is another worker")


@asynccontextmanager
async def reconciling(
    world: World, runtime: ModelRuntime, told: list[Command] | None = None
) -> AsyncIterator[Reconciler]:
    """A reconciler that runs; it has begun with everything in ``world``."""

    async def on_block(commands: Sequence[Command]) -> None:
        await asyncio.sleep(0)
        if told is not None:
            told.extend(commands)

    reconciler = Reconciler(
        runtime, PLACES, world.desired.facts, on_block=on_block, on_slots=lambda occupied: None
    )
    reconciler.begin(world.desired.units())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "BATCH_COMMANDS", 2)  # many places for others to come between
        task = asyncio.create_task(reconciler.run())
        try:
            waiting = asyncio.create_task(reconciler.synced.wait())
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
            yield reconciler
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def swept(reconciler: Reconciler, runtime: ModelRuntime, world: World) -> Picture:
    """What HAProxy holds once all is tidy, or after a minute."""
    for _ in range(60):
        if runtime.model.picture() == world.picture() and reconciler.synced.is_set():
            break
        await asyncio.sleep(1)
    return runtime.model.picture()


def lost(why: str) -> RuntimeLostError:
    return RuntimeLostError(why)
