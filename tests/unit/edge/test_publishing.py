"""When the public pages are made: never twice at once, never for nothing, and whatever becomes of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.edge import publishing
from holdfast.edge.publishing import Publisher
from holdfast.edge.release import IN_FORCE, PublicRecord
from holdfast.edge.store import Store
from holdfast.model.enforcement import Enforcement, SiteScope
from tests.feature.lab import eventually
from tests.feature.recorded import released

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Board:
    """Notes what it is to show; waits for ``free``; breaks as often as it is told."""

    def __init__(self, breaks: int = 0) -> None:
        self.shown: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()
        self.breaks = breaks
        self._busy = threading.Lock()

    def show(self, records: Sequence[PublicRecord]) -> None:
        assert self._busy.acquire(blocking=False), "one call at a time"
        self.free.wait(10)
        self._busy.release()
        if self.breaks:
            self.breaks -= 1
            raise RuntimeError("a page that nobody thought of")
        assert all(each.status == IN_FORCE for each in records)
        self.shown.append([each.release.enforcement.id for each in records])


@asynccontextmanager
async def publishers(directory: Path, board: Board | None) -> AsyncIterator[tuple[Store, Publisher]]:
    store = Store(directory)
    made = Publisher(board.show if board else None, directory, tuple, lambda: NOW)
    running = asyncio.create_task(made.run())
    try:
        yield store, made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        store.close()


def put(store: Store, identifier: str) -> None:
    block = Enforcement(identifier, SiteScope("a"), "g", NOW, NOW + timedelta(hours=1), "officer")
    store.put_release(released(block), 0)


async def test_who_waits_finds_it_shown(tmp_path: Path) -> None:
    board = Board()
    async with publishers(tmp_path, board) as (store, publisher):
        put(store, "D-1")
        await publisher.publish()
        assert board.shown == [["D-1"]]


async def test_what_changes_meanwhile_is_shown_together(tmp_path: Path) -> None:
    board = Board()
    async with publishers(tmp_path, board) as (store, publisher):
        board.free.clear()
        first = asyncio.create_task(publisher.publish())
        await asyncio.sleep(0.05)
        waiting = []
        for number in range(5):
            put(store, f"D-{number}")
            waiting.append(asyncio.create_task(publisher.publish()))
            await asyncio.sleep(0)
        board.free.set()
        await asyncio.gather(first, *waiting)
        assert board.shown[1:] == [[f"D-{number}" for number in range(5)]]


async def test_pages_that_break_keep_nobody_waiting_and_are_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "AGAIN_SECONDS", 0.05)
    board = Board(breaks=1)
    async with publishers(tmp_path, board) as (store, publisher):
        put(store, "D-1")
        await publisher.publish()
        assert board.shown == []
        await eventually(lambda: board.shown == [["D-1"]])


async def test_where_nobody_shows_anything_nobody_waits(tmp_path: Path) -> None:
    async with publishers(tmp_path, None) as (_, publisher):
        publisher.soon()
        await publisher.publish()
