"""When the public pages are made anew: after each change of what is in force, and at a start. Never on the
way of a block: a page that cannot be written changes nothing of what is in force.

Not here: what the pages say and where they lie: that is whoever has the ``Public``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import structlog

from holdfast.edge.configuration import Configuration
from holdfast.edge.release import IN_FORCE, LIFTED, NOT_IN_FORCE, OVER, PublicRecord
from holdfast.edge.store import Kept, all_releases
from holdfast.model.errors import HoldfastError
from holdfast.model.record import parse_stamp

AGAIN_SECONDS: Final = 60.0
"""After which pages that could not be made are tried again."""

log = structlog.get_logger()


class Public(Protocol):
    """Shows the public what is on record, at an address of this machine."""

    @property
    def address(self) -> str | None:
        """Where HAProxy reaches what serves the pages, such as ``127.0.0.1:9465``; None: nothing does."""

    def configure(self, configuration: Configuration) -> None:
        """What holds from now on: called at a start, and with each file that is applied. Raises
        HoldfastError, and changes nothing, where that cannot be."""

    def show(self, records: Sequence[PublicRecord]) -> None:
        """Given every release there ever was, by id; returns when the public sees them as they are now.
        Called in a thread, once at a time. What it raises is logged, and it is then called again."""

    async def run(self) -> None:
        """Keep serving until cancelled; that goes on without the agent, as HAProxy does."""

    async def stop(self) -> None:
        """End the serving."""


class Publisher:
    """Calls ``show``, if there is one; changes that come meanwhile are shown together."""

    def __init__(
        self,
        show: Callable[[Sequence[PublicRecord]], None] | None,
        state: Path,
        withheld: Callable[[], Collection[str]],
        clock: Callable[[], datetime],
    ) -> None:
        """``show``: see ``Public``. ``state``: the directory of the store. ``withheld``: the ids that are not
        in force now."""
        self._show = show
        self._state = state
        self._withheld = withheld
        self._clock = clock
        self._due = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def soon(self) -> None:
        """Something has changed."""
        self._due.set()

    async def publish(self) -> None:
        """Something has changed; returns when it was tried to show it."""
        if self._show is not None:
            shown = asyncio.get_running_loop().create_future()
            self._waiting.append(shown)
            self._due.set()
            await shown

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            waiting, self._waiting = self._waiting, []
            if self._show is not None:
                await self._show_now(self._show)
            for shown in waiting:
                if not shown.done():
                    shown.set_result(None)

    async def _show_now(self, show: Callable[[Sequence[PublicRecord]], None]) -> None:
        withheld, now = frozenset(self._withheld()), self._clock()
        try:
            await asyncio.to_thread(
                lambda: show(list(public_records(all_releases(self._state), withheld, now)))
            )
        except Exception as failed:  # pages must not take the agent down
            log.error("the public pages could not be made", why=str(failed), exc_info=True)
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._due.set)


def public_records(
    releases: Sequence[Kept], withheld: Collection[str], now: datetime
) -> Iterator[PublicRecord]:
    """What the public is told of ``releases``. One that was never on record is not public, nor what cannot be
    read."""
    for kept in releases:
        if kept.index is None:
            continue
        with contextlib.suppress(HoldfastError):
            release = kept.read()
            until = release.enforcement.until
            if kept.lifted is not None:
                yield PublicRecord(release, kept.index, LIFTED, parse_stamp(kept.lifted))
            elif until <= now:
                yield PublicRecord(release, kept.index, OVER, until)
            else:
                yield PublicRecord(release, kept.index, NOT_IN_FORCE if kept.id in withheld else IN_FORCE)
