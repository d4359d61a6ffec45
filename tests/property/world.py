"""Desired states for property tests: sites that share hostnames, customers, blocks and sources, and the
changes that lead from one to the next, as the agent makes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath

from hypothesis import strategies as st

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.dataplane.picture import Picture, union
from holdfast.edge.desired import Desired, Unit
from holdfast.model.ban import Ban
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Provider,
    Scope,
    SiteScope,
)
from holdfast.model.site import Certificate, Limits, Network, Origin, OriginTls, Service, Site

PLACES = Places(PurePosixPath("/run/holdfast"))
EPOCH = datetime(2026, 11, 22, tzinfo=UTC)

NAMES = ("a", "b", "c")
CUSTOMERS = ("x", "y")
HOSTNAMES = ("a.test", "b.test", "c.test", "deep.w.test", "*.w.test")
NETWORKS = tuple(
    map(ip_network, ("100.64.0.0/10", "100.100.0.0/16", "100.100.1.0/24", "100.100.1.9/32", "2001:db8::/48"))
)
ORIGINS = (
    Origin(ip_address("192.0.2.1"), 80),
    Origin(ip_address("192.0.2.2"), 443, OriginTls("o.test", "authority one")),
    Origin(ip_address("2001:db8::2"), 443, OriginTls("o.test", "authority two")),
)

SITES = st.builds(
    Site,
    name=st.sampled_from(NAMES),
    customer=st.sampled_from(CUSTOMERS),
    hostnames=st.lists(st.sampled_from(HOSTNAMES), min_size=1, max_size=3, unique=True).map(tuple),
    origins=st.lists(st.sampled_from(ORIGINS), min_size=1, max_size=2, unique=True).map(tuple),
    certificate=st.none()
    | st.sampled_from(["pem one", "pem two"]).map(lambda pem: Certificate(pem, HOSTNAMES)),
    limits=st.builds(Limits, st.none() | st.integers(1, 3), st.integers(1, 3)),
    allow=st.lists(st.sampled_from(NETWORKS[1:]), max_size=2, unique=True).map(tuple),
) | st.builds(
    Site,
    name=st.sampled_from(NAMES),
    customer=st.sampled_from(CUSTOMERS),
    hostnames=st.lists(st.sampled_from(HOSTNAMES), min_size=1, max_size=2, unique=True).map(tuple),
    origins=st.just(ORIGINS[:1]),
    service=st.just(Service.TCP),
)
SCOPES: st.SearchStrategy[Scope] = st.one_of(
    st.builds(CustomerScope, st.sampled_from(CUSTOMERS)),
    st.builds(SiteScope, st.sampled_from(NAMES)),
    st.builds(HostScope, st.sampled_from(HOSTNAMES[:4])),
    st.builds(PathScope, st.sampled_from(NAMES), st.sampled_from(["/p/", "/p/q/"])),
)
ENFORCEMENTS = st.builds(
    lambda number, scope, hours: Enforcement(
        f"D{number}", scope, "ground", EPOCH, EPOCH + timedelta(hours=hours), "officer"
    ),
    st.integers(1, 3),
    SCOPES,
    st.integers(1, 3),
)
BANS = st.builds(
    lambda source, hours: Ban(source, EPOCH + timedelta(hours=hours)),
    st.sampled_from(NETWORKS),
    st.integers(1, 2),
)


@dataclass(frozen=True)
class Drop:
    """A site goes."""

    name: str


@dataclass(frozen=True)
class Lift:
    """A block ends."""

    id: str


@dataclass(frozen=True)
class Unban:
    """A ban ends."""

    source: Network


Change = Site | Drop | Enforcement | Lift | Ban | Unban


@dataclass
class World:
    """A desired state with numbers and slots given as the agent gives them: never the same number twice."""

    desired: Desired = field(default_factory=lambda: Desired(PLACES, Provider("P", "https://p.example/")))
    numbers: int = 0

    def do(self, change: Change) -> set[Unit]:
        """Make a change; the units touched."""
        match change:
            case Site():
                return self._put(change)
            case Drop(name):
                return self.desired.drop_site(name) if name in self.desired.sites else set()
            case Enforcement():
                return self.desired.put_enforcement(change)
            case Lift(identifier):
                return self.desired.drop_enforcement(identifier)
            case Ban():
                return self.desired.put_ban(change)
            case Unban(source):
                return self.desired.drop_ban(source)

    def _put(self, site: Site) -> set[Unit]:
        """Add or replace a site; hostnames that another one has move to it in the same change."""
        units: set[Unit] = set()
        for other in [each for each in self.desired.sites.values() if each.name != site.name]:
            left = tuple(name for name in other.hostnames if name not in site.hostnames)
            if not left:
                units |= self.desired.drop_site(other.name)
            elif left != other.hostnames:
                smaller = replace(other, hostnames=left)
                units |= self.desired.put_site(
                    smaller, self.desired.ids[other.name], self.desired.slots[other.name]
                )
        present = self.desired.sites.get(site.name)
        if present and (present.service, present.customer) != (site.service, site.customer):
            units |= self.desired.drop_site(site.name)
        if site.name not in self.desired.sites:
            self.numbers += 1
            site_id = SiteId(CUSTOMERS.index(site.customer) + 1, self.numbers)
            return units | self.desired.put_site(site, site_id, f"slot{self.numbers}")
        return units | self.desired.put_site(site, self.desired.ids[site.name], self.desired.slots[site.name])

    def picture(self) -> Picture:
        """Everything that should be, built from scratch."""
        return union(self.desired.facts(unit) for unit in self.desired.units())


CHANGES: st.SearchStrategy[Change] = st.one_of(
    SITES,
    st.builds(Drop, st.sampled_from(NAMES)),
    ENFORCEMENTS,
    st.builds(Lift, st.sampled_from(["D1", "D2", "D3"])),
    BANS,
    st.builds(Unban, st.sampled_from(NETWORKS)),
)
