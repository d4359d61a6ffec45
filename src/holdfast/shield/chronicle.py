"""What one site's records are made from: its course, the mitigations in force, and the records of its attacks
that are not complete yet. It follows the brain and what is pushed, tick by tick.

Not here: what a record holds (``record``, ``mitigation_record``), how records are kept
(``edge.traffic.archivist``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from holdfast.model.mitigation import Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.course import Course, Row
from holdfast.shield.mitigation_record import MitigationRecord, is_switch, why_gone
from holdfast.shield.record import BEFORE_SECONDS, AttackRecord
from holdfast.shield.sample import Sample

LONGEST_LOOK: Final = 5.0
"""Seconds between two looks of which it is taken that what was measured last went on."""

Recall = Callable[[str], MitigationRecord | None]
"""An id → its record from before, if there is one."""


class Chronicle:
    """One site's. ``count`` and ``follow`` are called at each look."""

    def __init__(self, recall: Recall = lambda identifier: None) -> None:
        self.course = Course()
        self.standing: dict[str, MitigationRecord] = {}
        """In force, by id."""
        self.gone: list[MitigationRecord] = []
        """Withdrawn; who keeps the records takes them."""
        self.records: list[AttackRecord] = []
        """Of attacks that go on, or have just ended; the newest last."""
        self._pushed: dict[str, Mitigation] = {}
        self._recall = recall
        self._measured = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to record."""
        return not (self.standing or self.gone or self.records)

    def state(self) -> object:
        """It differs when something has begun, changed or ended."""
        attacks = [(record.attack.id, record.attack.ended) for record in self.records]
        return attacks, [(each.id, len(each.steps)) for each in self.standing.values()], len(self.gone)

    # -- looking -------------------------------------------------------------------------------------

    def count(self, brain: SiteBrain, counts: Counts, samples: Iterable[Sample]) -> None:
        """After the brain's tick of the same."""
        row = self.course.add(counts, samples, brain.sight.mean, brain.sight.upper)
        if row is not None:
            self._add(row)

    def complete(self, now: float) -> list[AttackRecord]:
        """Those to which nothing will be added any more; they are let go."""
        if self.records and (row := self.course.end_before(now - 1)) is not None:
            self._add(row)
        done = [record for record in self.records if record.is_complete(now)]
        self.records = [record for record in self.records if not record.is_complete(now)]
        return done

    def _add(self, row: Row) -> None:
        for record in self.records:
            record.add([row])

    def follow(self, now: float, brain: SiteBrain, pushed: Sequence[Mitigation]) -> None:
        """``pushed``: all that is in force from now on."""
        if not pushed and brain.attack is None and not self.standing:
            return
        if brain.attack is not None:
            self._open(brain.attack, now)
        going_on = [record for record in self.records if record.attack.ended is None]
        for each in pushed:
            self._follow_one(each, now, going_on)
        present = {each.id for each in pushed}
        is_replaced = any(not each.features for each in pushed)
        for identifier in [each for each in self.standing if each not in present]:
            last = self._pushed.pop(identifier, None)
            record = self.standing.pop(identifier)
            if last is None:
                _end_unseen(record, now)
            else:
                record.withdraw(now, why_gone(last, brain.response, brain.phase, now, replaced=is_replaced))
            self.gone.append(record)
        if brain.attack is not None:
            seconds = now - self._measured
            for standing in brain.response.standing.values():
                known = self.standing.get(standing.mitigation.id)
                if known is not None and 0 < seconds <= LONGEST_LOOK:
                    known.measure(standing, seconds)
            self._measured = now

    def _open(self, attack: Attack, now: float) -> None:
        for record in self.records:
            if record.attack is attack:
                return
            if record.attack.id == attack.id:
                record.resume(attack, now)
                return
        record = AttackRecord(attack)
        record.add(self.course.since(attack.began - BEFORE_SECONDS))
        for each in self.standing.values():
            record.put(each)
        self.records.append(record)

    def _follow_one(self, mitigation: Mitigation, now: float, going_on: Iterable[AttackRecord]) -> None:
        before = self._pushed.get(mitigation.id)
        if before is mitigation:
            return
        self._pushed[mitigation.id] = mitigation
        record = self.standing.get(mitigation.id)
        if record is None and is_switch(mitigation) and (record := self._former(mitigation.id)) is not None:
            self.standing[record.id] = record
        if record is not None:
            record.follow(before, mitigation, now)
        else:
            record = self.standing[mitigation.id] = MitigationRecord.of(mitigation, now)
        for each in going_on:
            each.put(record)

    def _former(self, identifier: str) -> MitigationRecord | None:
        """The switch is turned on and off under one id."""
        found = next((each for each in self.gone if each.id == identifier), None)
        if found is None:
            return self._recall(identifier)
        self.gone.remove(found)
        return found

    # -- beginnings and ends -------------------------------------------------------------------------

    def resume(self, records: Iterable[AttackRecord], standing: Iterable[MitigationRecord]) -> None:
        """What the agent before this one has left unfinished. An attack and its mitigations are told apart
        from new ones by their ids."""
        self.standing.update({each.id: each for each in standing})
        for record in records:
            record.mitigations.update(
                {each: self.standing[each] for each in record.mitigations if each in self.standing}
            )
            self.records.append(record)

    def settle(self, now: float, attack: Attack | None) -> None:
        """What of it nobody has gone on with is over."""
        for record in self.records:
            if record.attack is not attack:
                record.break_off(now, "no agent has seen its end")
        for identifier in [each for each in self.standing if each not in self._pushed]:
            left = self.standing.pop(identifier)
            _end_unseen(left, now)
            self.gone.append(left)

    def stop(self) -> None:
        """The agent ends: what the present second has had so far is the last of it."""
        row = self.course.end()
        if row is not None:
            self._add(row)

    def leave(self, now: float) -> None:
        """The site has gone."""
        for record in self.records:
            record.break_off(now, "the site was removed")
        for each in self.standing.values():
            each.withdraw(now, "the site was removed")
        self.gone += self.standing.values()
        self.standing.clear()


def _end_unseen(record: MitigationRecord, now: float) -> None:
    record.withdraw(min(now, record.until), "no agent was there to renew it")
