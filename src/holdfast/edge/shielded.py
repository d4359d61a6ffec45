"""What the shield wants of the data plane, as nouns, and the units of it: the part of the desired state that
changes with every attack. No I/O. ``desired`` holds one of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.limits import entry, slots_of
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.verdicts import familiar_facts, key_facts, shield_facts
from holdfast.edge.secret import NO_KEYS, ClearanceKeys
from holdfast.model.mitigation import Mitigation
from holdfast.model.site import Site
from holdfast.shield.features import Feature

MITIGATIONS, FAMILIAR, SAMPLING, CRAWLER = "mitigations", "familiar", "sampling", "crawler"
DIFFICULTY, KEYS, CONTACT = "difficulty", "keys", "contact"
KINDS: Final = frozenset((MITIGATIONS, FAMILIAR, SAMPLING, CRAWLER, DIFFICULTY, KEYS, CONTACT))
Unit = tuple[str, str]
EVERYBODY: Final = "-"
"""The name under which requests for unknown hosts are sampled."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a site under suspicion knows of its usual traffic."""

    values: Mapping[Feature, frozenset[str]] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    friends: frozenset[tuple[str, str]] = frozenset()
    """Network and agent of programs."""


class Shielded:
    """Mitigations, known traffic, sampling and difficulty by the name of a site; verified crawlers; the keys
    of clearances; whom programs that are challenged may turn to."""

    def __init__(self) -> None:
        self.mitigations: dict[str, tuple[Mitigation, ...]] = {}
        self.lingering: set[str] = set()
        """Sites without a mitigation whose challenge's links are still honoured."""
        self.known: dict[str, Known] = {}
        self.sampling: dict[str, int] = {}
        """How many of ten thousand requests, where it is not all."""
        self.crawlers: set[str] = set()
        self.difficulty: dict[str, int] = {}
        """The most tries that a proof of work takes, where it is not the least."""
        self.keys = NO_KEYS
        self.contact = ""

    def put_mitigations(self, site: str, mitigations: tuple[Mitigation, ...], *, lingers: bool) -> set[Unit]:
        """All that is in force for a site; returns the units touched."""
        was = self.mitigations.get(site, ()), site in self.lingering
        if was == (mitigations, lingers):
            return set()
        if mitigations:
            self.mitigations[site] = mitigations
        else:
            self.mitigations.pop(site, None)
        (self.lingering.add if lingers else self.lingering.discard)(site)
        return {(MITIGATIONS, site)}

    def put_known(self, site: str, known: Known | None) -> set[Unit]:
        if self.known.get(site) == known:
            return set()
        if known is None:
            del self.known[site]
        else:
            self.known[site] = known
        return {(FAMILIAR, site)}

    def put_sampling(self, rates: Mapping[str, int]) -> set[Unit]:
        """The rates of all sites that are not sampled whole."""
        touched = {name for name in {*rates, *self.sampling} if rates.get(name) != self.sampling.get(name)}
        self.sampling = dict(rates)
        return {(SAMPLING, name) for name in touched}

    def put_crawlers(self, crawlers: set[str]) -> set[Unit]:
        touched = crawlers ^ self.crawlers
        self.crawlers = set(crawlers)
        return {(CRAWLER, client) for client in touched}

    def put_difficulty(self, site: str, tries: int | None) -> set[Unit]:
        """None: the least."""
        if self.difficulty.get(site) == tries:
            return set()
        if tries is None:
            del self.difficulty[site]
        else:
            self.difficulty[site] = tries
        return {(DIFFICULTY, site)}

    def put_keys(self, keys: ClearanceKeys) -> set[Unit]:
        touched: set[Unit] = set() if keys == self.keys else {(KEYS, "")}
        self.keys = keys
        return touched

    def put_contact(self, contact: str) -> set[Unit]:
        touched: set[Unit] = set() if contact == self.contact else {(CONTACT, "")}
        self.contact = contact
        return touched

    def units(self) -> Iterator[Unit]:
        if self.keys.current:
            yield (KEYS, "")
        if self.contact:
            yield (CONTACT, "")
        yield from ((DIFFICULTY, name) for name in self.difficulty)
        yield from ((MITIGATIONS, name) for name in {*self.mitigations, *self.lingering})
        yield from ((FAMILIAR, name) for name in self.known)
        yield from ((SAMPLING, name) for name in self.sampling)
        yield from ((CRAWLER, client) for client in self.crawlers)

    def of_site(self, name: str) -> set[Unit]:
        """The units that go where the site goes."""
        every = {(kind, name) for kind in (MITIGATIONS, FAMILIAR, SAMPLING, DIFFICULTY)}
        return every & set(self.units())

    def facts(self, unit: Unit, ids: Mapping[str, SiteId], sites: Mapping[str, Site]) -> Picture:
        """What HAProxy should hold for ``unit``; nothing for a site that is not there."""
        kind, name = unit
        if kind == KEYS:
            return key_facts(self.keys.current, self.keys.honoured)
        if kind == CONTACT:
            return Picture(maps={(Maps.CONTACT, "now"): self.contact} if self.contact else {})
        if kind == CRAWLER:
            return Picture(maps={(Maps.CRAWLERS, name): "1"} if name in self.crawlers else {})
        sid = EVERYBODY if name == EVERYBODY else str(ids[name]) if name in ids else None
        if sid is None:
            return Picture()
        if kind == SAMPLING:
            rate = self.sampling.get(name)
            return Picture(maps={(Maps.SAMPLES, sid): str(rate)} if rate is not None else {})
        if kind == DIFFICULTY:
            tries = self.difficulty.get(name)
            return Picture(maps={(Maps.DIFFICULTY, sid): str(tries)} if tries is not None else {})
        if kind == FAMILIAR:
            known = self.known.get(name)
            return familiar_facts(sid, known.values, known.networks, known.friends) if known else Picture()
        site = sites[name]
        return shield_facts(
            sid,
            self.mitigations.get(name, ()),
            entry(site.limits, slots_of(site)),
            lingers=name in self.lingering,
        )
