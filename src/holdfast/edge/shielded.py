"""What the shield wants of the data plane, as nouns, and the units of it: the part of the desired state that
changes with every attack. No I/O. ``desired`` holds one of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.limits import entry, slots_of
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.verdicts import familiar_facts, shield_facts
from holdfast.model.mitigation import Mitigation
from holdfast.model.site import Site
from holdfast.shield.features import Feature

MITIGATIONS, FAMILIAR, SAMPLING, CRAWLER, KEYS = "mitigations", "familiar", "sampling", "crawler", "keys"
KINDS: Final = frozenset((MITIGATIONS, FAMILIAR, SAMPLING, CRAWLER, KEYS))
Unit = tuple[str, str]
EVERYBODY: Final = "-"
"""The name under which requests for unknown hosts are sampled."""
KEY_ID: Final = "1"


@dataclass(frozen=True, slots=True)
class Known:
    """What a site under suspicion knows of its usual traffic."""

    values: Mapping[Feature, frozenset[str]] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    friends: frozenset[tuple[str, str]] = frozenset()
    """Network and agent of programs."""


class Shielded:
    """Mitigations, known traffic and sampling by the name of a site; verified crawlers; the key of
    clearances."""

    def __init__(self, key: str) -> None:
        self.mitigations: dict[str, tuple[Mitigation, ...]] = {}
        self.lingering: set[str] = set()
        """Sites without a mitigation whose challenge's links are still honoured."""
        self.known: dict[str, Known] = {}
        self.sampling: dict[str, int] = {}
        """How many of ten thousand requests, where it is not all."""
        self.crawlers: set[str] = set()
        self._key = key

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

    def units(self) -> Iterator[Unit]:
        if self._key:
            yield (KEYS, "")
        yield from ((MITIGATIONS, name) for name in {*self.mitigations, *self.lingering})
        yield from ((FAMILIAR, name) for name in self.known)
        yield from ((SAMPLING, name) for name in self.sampling)
        yield from ((CRAWLER, client) for client in self.crawlers)

    def of_site(self, name: str) -> set[Unit]:
        """The units that go where the site goes."""
        every = {(MITIGATIONS, name), (FAMILIAR, name), (SAMPLING, name)}
        return every & set(self.units())

    def facts(self, unit: Unit, ids: Mapping[str, SiteId], sites: Mapping[str, Site]) -> Picture:
        """What HAProxy should hold for ``unit``; nothing for a site that is not there."""
        kind, name = unit
        if kind == KEYS:
            return Picture(maps={(Maps.KEY_IDS, "now"): KEY_ID, (Maps.KEYS, KEY_ID): self._key})
        if kind == CRAWLER:
            return Picture(maps={(Maps.CRAWLERS, name): "1"} if name in self.crawlers else {})
        sid = EVERYBODY if name == EVERYBODY else str(ids[name]) if name in ids else None
        if sid is None:
            return Picture()
        if kind == SAMPLING:
            rate = self.sampling.get(name)
            return Picture(maps={(Maps.SAMPLES, sid): str(rate)} if rate is not None else {})
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
