"""Which blocks this edge was given, and which of them are in force: those whose proof holds, now and at each
start. Every change is stored first.

Not here: the check itself (``release``), HAProxy (the agent), the database (``store``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from holdfast.edge.desired import Desired, Unit, unit_of
from holdfast.edge.release import Release, Trust, check
from holdfast.edge.store import Kept, Store
from holdfast.model.enforcement import Enforcement
from holdfast.model.errors import HoldfastError, error
from holdfast.model.record import stamp

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Withheld:
    """A block that is stored here and not in force: the site is open."""

    id: str
    why: str
    enforcement: Enforcement | None
    """None: not even that can be read."""


class Releases:
    """Those of one edge; puts the enforcements of those that hold into ``desired``."""

    def __init__(self, store: Store, desired: Desired) -> None:
        self._store = store
        self._desired = desired
        self._trust = Trust()
        self.withheld: dict[str, Withheld] = {}
        self.indices: dict[str, int] = {}
        """Block in force → the index of its entry in the log."""

    def trust(self, trust: Trust, now: datetime) -> set[Unit]:
        """From now on that record counts: everything stored is checked again. Returns the units touched, of
        blocks that hold, and of those that were in force and no longer hold."""
        self._trust, self.withheld = trust, {}
        units: set[Unit] = set()
        for kept in self._store.releases():
            try:
                release = kept.read()
                if release.enforcement.until <= now:
                    continue
                # It had begun when it was stored: a clock that is behind at a start must not undo it.
                index = check(release, trust, max(now, release.enforcement.since))
                # The provider's own texts may have grown since: what no page can carry ends no start.
                self._desired.check_notice(release.enforcement)
            except HoldfastError as wrong:
                units |= self._withhold(kept, str(wrong))
            else:
                self.indices[kept.id] = index
                units |= self._desired.put_enforcement(release.enforcement)
        return units

    def _withhold(self, kept: Kept, why: str) -> set[Unit]:
        try:
            enforcement = kept.read().enforcement
        except HoldfastError:
            enforcement = None
        scope = str(enforcement.scope) if enforcement else "unknown"
        log.error(
            "A BLOCK IS NOT IN FORCE: it does not hold, and the site stays open",
            id=kept.id,
            scope=scope,
            why=why,
        )
        self.withheld[kept.id] = Withheld(kept.id, why, enforcement)
        self.indices.pop(kept.id, None)
        return self._desired.drop_enforcement(kept.id)

    def admit(self, release: Release, now: datetime) -> tuple[set[Unit], int]:
        """Take a release: checked, found presentable, stored. Returns the units touched and the index of its
        entry; the same release once more touches the same. Raises HoldfastError, and changes nothing, when it
        may not be in force."""
        enforcement = release.enforcement
        index = check(release, self._trust, now)
        self._check_new(release)
        self._desired.check_notice(enforcement)
        self._store.put_release(release, index)
        self.withheld.pop(enforcement.id, None)
        self.indices[enforcement.id] = index
        return self._desired.put_enforcement(enforcement), index

    def _check_new(self, release: Release) -> None:
        """A lifted block does not come back, and an id stands for one decision."""
        identifier = release.enforcement.id
        kept = self._store.release(identifier)
        if kept is None:
            return
        if kept.lifted is not None:
            raise error(
                f"block {identifier} was lifted at {kept.lifted} and does not come back",
                "decide and record anew",
                "id",
            )
        if identifier not in self.withheld and kept.entry != release.entry:
            raise error(
                f"another block of the id {identifier} is in force",
                "decide anew, with an id of its own",
                "id",
            )

    def lift(self, identifier: str, now: datetime) -> tuple[set[Unit], str]:
        """End a block before its time: the units touched, and when it was lifted (``model.record.stamp``),
        which for one that was lifted before is then. One that is stored and not in force (a clock that was
        ahead has ended it) is lifted, too, or the next start would bring it back; of one that never came here
        it is remembered that it must not. Raises HoldfastError where it has come to its end."""
        kept = self._store.release(identifier)
        if kept is None:
            self._store.refuse_release(identifier, now)
            return set(), stamp(now)
        if kept.lifted is not None:
            return _units(kept), kept.lifted
        if identifier not in self._desired.enforcements and _is_over(kept, now):
            raise error(f"block {identifier} has come to its end", "there is nothing to lift")
        self._store.lift_release(identifier, now)
        self._forget(identifier)
        return self._desired.drop_enforcement(identifier), stamp(now)

    def end(self, now: datetime) -> tuple[set[Unit], list[Enforcement]]:
        """Tidy up what has come to its end, of which HAProxy stopped by itself: the units touched, and what
        has ended."""
        withheld = [each.enforcement for each in self.withheld.values() if each.enforcement]
        ended = self._desired.expired(now)[0] + [each for each in withheld if each.until <= now]
        units: set[Unit] = set()
        for each in ended:
            self._forget(each.id)
            units |= self._desired.drop_enforcement(each.id)
        return units, ended

    def _forget(self, identifier: str) -> None:
        self.withheld.pop(identifier, None)
        self.indices.pop(identifier, None)


def _is_over(kept: Kept, now: datetime) -> bool:
    """What cannot be read has no end."""
    try:
        return kept.read().enforcement.until <= now
    except HoldfastError:
        return False


def _units(kept: Kept) -> set[Unit]:
    """Those of a release that is no longer in force."""
    try:
        return {unit_of(kept.read().enforcement.scope)}
    except HoldfastError:
        return set()
