"""Which backend slot serves which site. A slot is free for a new site only when it is empty of servers:
until the last connection of its former site has ended, it is in quarantine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from holdfast.model.site import Service

SPARE = 64
"""Slots kept free at a start, so that new sites need no reload."""
PREFIX = {Service.WEB: "slot", Service.TCP: "pass"}


def slot_names(service: Service, count: int) -> Iterator[str]:
    """The names of the first ``count`` slots of a service."""
    return (f"{PREFIX[service]}{number}" for number in range(count))


def capacity(sites: int) -> int:
    """How many slots to render for so many sites: a quarter more, at least ``SPARE`` more, in steps of 64
    so that two starts with about the same sites render the same file."""
    wanted = sites + max(SPARE, sites // 4)
    return -(-wanted // 64) * 64


class SlotPool:
    """The slots of one service: which site has which, which are free, which are still being left."""

    def __init__(
        self, service: Service, count: int, held: Mapping[str, str], occupied: Collection[str]
    ) -> None:
        """``held``: site id → slot, as HAProxy routes now; ``occupied``: slots with a server in them."""
        names = list(slot_names(service, count))
        self._service = service
        self.size = count
        known = set(names)
        self._held = {site: slot for site, slot in held.items() if slot in known}
        taken = set(self._held.values())
        self._leaving = {slot for slot in names if slot in occupied and slot not in taken}
        self._free = [slot for slot in reversed(names) if slot not in taken and slot not in self._leaving]

    @property
    def free(self) -> int:
        """How many slots a new site could take."""
        return len(self._free)

    def take(self, site: str) -> str | None:
        """The slot of ``site``, a free one if it has none yet; None when none is left."""
        if site not in self._held:
            if not self._free:
                return None
            self._held[site] = self._free.pop()
        return self._held[site]

    def leave(self, site: str) -> None:
        """``site`` is gone; its slot waits for ``emptied``."""
        slot = self._held.pop(site, None)
        if slot is not None:
            self._leaving.add(slot)

    def keep(self, sites: Collection[str]) -> None:
        """Every other site is gone."""
        for site in [each for each in self._held if each not in sites]:
            self.leave(site)

    def emptied(self, occupied: Collection[str]) -> None:
        """``occupied`` are the slots that have a server in them: of those that were left, the others are free
        again."""
        freed = sorted(self._leaving.difference(occupied))
        self._leaving.difference_update(freed)
        self._free.extend(freed)

    def grow(self, size: int) -> None:
        """Add slots up to ``size``; HAProxy knows them after a reload."""
        fresh = [f"{PREFIX[self._service]}{number}" for number in range(self.size, size)]
        self._free[:0] = reversed(fresh)
        self.size = max(self.size, size)

    def shrink(self, size: int) -> None:
        """Undo ``grow``: HAProxy did not take it. Slots that a site has been given by then stay."""
        lost = {f"{PREFIX[self._service]}{number}" for number in range(size, self.size)}
        if lost.isdisjoint(self._held.values()):
            self._free = [slot for slot in self._free if slot not in lost]
            self._leaving -= lost
            self.size = size
