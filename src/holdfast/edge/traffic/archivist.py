"""The shell around records: has the chronicle of each site follow what happens there, and keeps what it tells
in the archive, in a thread and not at each look.

Not here: what is recorded (``shield.chronicle``, ``shield.record``), how it lies on disk (``archive``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import structlog

from holdfast.edge.traffic.archive import Archive, Document, Item
from holdfast.model.mitigation import Mitigation
from holdfast.shield.attack import Attack, read_attack
from holdfast.shield.brain import SiteBrain
from holdfast.shield.chronicle import Chronicle
from holdfast.shield.counts import Counts
from holdfast.shield.mitigation_record import (
    MitigationRecord,
    mitigation_record_document,
    read_mitigation_record,
)
from holdfast.shield.record import AttackRecord, read_record, record_document
from holdfast.shield.sample import Sample

WRITE_SECONDS: Final = 10.0
"""Between two writings of what goes on."""
MOST_AT_ONCE: Final = 4
"""Sites whose records are written in one go."""
PRUNE_SECONDS: Final = 3600.0
MOST_LEFT: Final = 200
"""Finished records that are held while the disk does not take them; of more, the oldest are lost."""

T = TypeVar("T")

log = structlog.get_logger()


class Archivist:
    """One edge's."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._sites: dict[str, Chronicle] = {}
        self._active: dict[str, None] = {}
        """Sites of which there is something to keep; those that were written last at the end."""
        self._written: dict[str, tuple[object, float]] = {}
        """Site → what was written last, and when."""
        self._left: dict[str, Item] = {}
        """Finished, and not on disk yet."""
        self._tried = self._pruned = 0.0
        self._task: asyncio.Task[None] | None = None

    # -- following -----------------------------------------------------------------------------------

    def recall(self, now: float) -> None:
        """Go on with what the agent before this one has left unfinished; before anything is followed."""
        attacks, mitigations = self._archive.unfinished()
        records = _parsed(read_record, attacks)
        standing = _parsed(read_mitigation_record, mitigations)
        for name in dict.fromkeys(
            [*(each.attack.site for each in records), *(each.site for each in standing)]
        ):
            self._active[name] = None
            self._site(name).resume(
                [each for each in records if each.attack.site == name],
                [each for each in standing if each.site == name],
            )
        self._archive.prune(now)
        self._pruned = now

    def settle(self, brains: Mapping[str, SiteBrain], now: float) -> None:
        """After all that is still in force has been followed once: what is left of the rest is over."""
        for name, chronicle in self._sites.items():
            chronicle.settle(now, brains[name].attack if name in brains else None)

    def count(self, brain: SiteBrain, counts: Counts, samples: Iterable[Sample]) -> None:
        """After the brain's tick of the same."""
        self._site(brain.site).count(brain, counts, samples)

    def follow(self, now: float, brain: SiteBrain, pushed: Sequence[Mitigation]) -> None:
        """``pushed``: all that is in force at the site from now on."""
        chronicle = self._site(brain.site)
        chronicle.follow(now, brain, pushed)
        if not chronicle.is_idle:
            self._active[brain.site] = None

    def _site(self, name: str) -> Chronicle:
        chronicle = self._sites.get(name)
        if chronicle is None:
            chronicle = self._sites[name] = Chronicle(self._recall)
        return chronicle

    def _recall(self, identifier: str) -> MitigationRecord | None:
        """Reads the disk: only when the owner's switch is turned on."""
        held = self._left.get(identifier)
        document = held.body if held else self._archive.mitigation(identifier)
        return next(iter(_parsed(read_mitigation_record, [document] if document else [])), None)

    # -- keeping -------------------------------------------------------------------------------------

    def keep(self, now: float, sites: Container[str]) -> None:
        """Write what is due, in the background. ``sites``: those that are still there."""
        for name in self._active:
            if name not in sites:
                self._sites[name].leave(now)
        if self._task is not None and not self._task.done():
            return
        going_on = self._due(now, sites)
        is_time = not 0 <= now - self._tried < WRITE_SECONDS
        if going_on or (self._left and is_time) or now - self._pruned >= PRUNE_SECONDS:
            self._tried = now
            for name in [each for each in self._sites if each not in sites and each not in self._active]:
                del self._sites[name]
            self._task = asyncio.create_task(self._write(now, going_on))

    def _due(self, now: float, sites: Container[str]) -> list[Item]:
        """What goes on and has changed, or was not written for a while; what is finished is left aside."""
        items: list[Item] = []
        count = 0
        for name in list(self._active):
            chronicle, is_there = self._sites[name], name in sites
            done = chronicle.complete(now if is_there else math.inf)
            written, at = self._written.get(name, (None, 0.0))
            if done or chronicle.state() != written or not 0 <= now - at < WRITE_SECONDS:
                for each in (*map(_attack_item, done), *map(_mitigation_item, chronicle.gone)):
                    self._leave(each)
                chronicle.gone.clear()
                items += _items(chronicle)
                self._written[name] = chronicle.state(), now
                del self._active[name]
                self._active[name] = None
                count += 1
            if chronicle.is_idle:
                del self._active[name]
                self._written.pop(name, None)
            if chronicle.is_idle and not is_there:
                del self._sites[name]
            if count >= MOST_AT_ONCE:
                break
        return items

    def _leave(self, item: Item) -> None:
        self._left.pop(item.id, None)
        self._left[item.id] = item
        while len(self._left) > MOST_LEFT:
            del self._left[next(iter(self._left))]
        self._tried = 0.0

    async def _write(self, now: float, going_on: list[Item]) -> None:
        left = dict(self._left)
        if await asyncio.to_thread(self._archive.put, [*left.values(), *going_on]):
            self._left = {name: each for name, each in self._left.items() if left.get(name) is not each}
        if now - self._pruned >= PRUNE_SECONDS:
            self._pruned = now
            await asyncio.to_thread(self._archive.prune, now)

    async def close(self, now: float) -> None:
        """Write all that there is."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        items: list[Item] = []
        for chronicle in self._sites.values():
            chronicle.stop()
            items += [*map(_mitigation_item, chronicle.gone), *_items(chronicle)]
        if items or self._left:
            await self._write(now, items)
        self._archive.close()

    # -- reading -------------------------------------------------------------------------------------

    async def attacks(self) -> list[Attack]:
        """All that are known, the newest last."""
        found = {
            each.id: each for each in _parsed(read_attack, await asyncio.to_thread(self._archive.attacks))
        }
        left = [item.body["attack"] for item in self._left.values() if item.is_attack]
        found.update({each.id: each for each in _parsed(read_attack, left)})
        found.update({record.attack.id: record.attack for record in self._open()})
        return sorted(found.values(), key=lambda attack: (attack.began, attack.id))

    async def attack(self, identifier: str) -> AttackRecord | None:
        for record in self._open():
            if record.attack.id == identifier:
                return record
        held = self._left.get(identifier)
        document = held.body if held and held.is_attack else None
        if document is None:
            document = await asyncio.to_thread(self._archive.attack, identifier)
        return next(iter(_parsed(read_record, [document] if document else [])), None)

    async def mitigation(self, identifier: str) -> MitigationRecord | None:
        for chronicle in self._sites.values():
            for each in (*chronicle.standing.values(), *chronicle.gone):
                if each.id == identifier:
                    return each
        held = self._left.get(identifier)
        document = held.body if held and not held.is_attack else None
        if document is None:
            document = await asyncio.to_thread(self._archive.mitigation, identifier)
        return next(iter(_parsed(read_mitigation_record, [document] if document else [])), None)

    def _open(self) -> list[AttackRecord]:
        return [record for chronicle in self._sites.values() for record in chronicle.records]


def _items(chronicle: Chronicle) -> list[Item]:
    standing = chronicle.standing.values()
    return [*map(_attack_item, chronicle.records), *map(_mitigation_item, standing)]


def _attack_item(record: AttackRecord) -> Item:
    attack = record.attack
    return Item(True, attack.id, attack.site, attack.began, attack.ended, record_document(record))


def _mitigation_item(record: MitigationRecord) -> Item:
    document = mitigation_record_document(record)
    return Item(False, record.id, record.site, record.began, record.ended, document)


def _parsed(read: Callable[[Document], T], documents: Iterable[Document]) -> list[T]:
    found = []
    for document in documents:
        try:
            found.append(read(document))
        except (KeyError, TypeError, ValueError) as wrong:
            log.error("a record of an attack cannot be read and is left out", why=repr(wrong))
    return found
