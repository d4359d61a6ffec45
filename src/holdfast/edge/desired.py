"""Desired state: what this node should enforce, as nouns, and which units of the data plane each change
touches. No I/O; who changes it stores it first.

A *unit* is the least that is planned on its own (see ``dataplane.facts``): one site, the blocks of one
scope (all paths of a site together, as they share an entry), one banned or allowed network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import SiteId, block_facts, site_facts, source_facts
from holdfast.edge.dataplane.picture import Picture, union
from holdfast.edge.shielded import KINDS, Shielded
from holdfast.model.ban import Ban
from holdfast.model.enforcement import Enforcement, HostScope, PathScope, Provider, Scope
from holdfast.model.site import Network, Site

SITE, BLOCK, SOURCE = "site", "block", "source"
Unit = tuple[str, str]
"""(kind, name)"""


class Desired:
    """Sites, enforcements and bans, and the pictures that follow from them."""

    def __init__(
        self,
        places: Places,
        provider: Provider,
        signing_key: Callable[[str], bytes] = lambda _: b"",
    ) -> None:
        """``signing_key``: the present key of a site that wants its requests signed, by its name."""
        self._places = places
        self._signing_key = signing_key
        self.provider = provider
        self.sites: dict[str, Site] = {}
        self.ids: dict[str, SiteId] = {}
        self.slots: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        """Hostname → site."""
        self.enforcements: dict[str, Enforcement] = {}
        self.bans: dict[Network, Ban] = {}
        self.cleared: dict[Network, datetime] = {}
        """Sources that have been cleared on some site, and until when."""
        self.shielded = Shielded()
        self._allowed: dict[Network, set[str]] = {}
        self._scopes: dict[Unit, set[str]] = {}

    def customers(self) -> dict[str, int]:
        """The numbers of the customers that have a site here."""
        return {self.sites[name].customer: number.customer for name, number in self.ids.items()}

    def put_provider(self, provider: Provider) -> set[Unit]:
        """Who visitors are told protects the sites; returns the units touched."""
        if provider == self.provider:
            return set()
        self.provider = provider
        blocks = {unit_of(each.scope) for each in self.enforcements.values()}
        return blocks | self.shielded.put_contact(contact_of(provider))

    def put_site(self, site: Site, site_id: SiteId, slot: str) -> set[Unit]:
        """Add or replace a site; returns the units touched."""
        touched = self._blocks_of(site) | self._leave(site.name) | self.shielded.of_site(site.name)
        self.sites[site.name] = site
        self.ids[site.name] = site_id
        self.slots[site.name] = slot
        self.owners.update(dict.fromkeys(site.hostnames, site.name))
        for network in site.allow:
            self._allowed.setdefault(network, set()).add(site.name)
            touched.add((SOURCE, str(network)))
        return touched | {(SITE, site.name)}

    def drop_site(self, name: str) -> set[Unit]:
        """Remove a site; returns the units touched."""
        touched = self._leave(name) | self.shielded.of_site(name) | {(SITE, name)}
        del self.sites[name], self.ids[name], self.slots[name]
        return touched

    def put_enforcement(self, enforcement: Enforcement) -> set[Unit]:
        touched = self.drop_enforcement(enforcement.id)
        self.enforcements[enforcement.id] = enforcement
        unit = unit_of(enforcement.scope)
        self._scopes.setdefault(unit, set()).add(enforcement.id)
        return touched | {unit}

    def check_notice(self, enforcement: Enforcement) -> None:
        """Raises HoldfastError where visitors could not be told of a block, wherever they meet it: what
        cannot be shown must not be stored either."""
        met = replace(enforcement, scope=HostScope("met.invalid"))
        block_facts(met.scope, [met], {}, {}, self.provider)

    def drop_enforcement(self, identifier: str) -> set[Unit]:
        enforcement = self.enforcements.pop(identifier, None)
        if enforcement is None:
            return set()
        unit = unit_of(enforcement.scope)
        self._scopes[unit].discard(identifier)
        return {unit}

    def put_ban(self, ban: Ban) -> set[Unit]:
        self.bans[ban.source] = ban
        return {(SOURCE, str(ban.source))}

    def drop_ban(self, source: Network) -> set[Unit]:
        return {(SOURCE, str(source))} if self.bans.pop(source, None) else set()

    def put_cleared(self, source: Network, until: datetime) -> set[Unit]:
        self.cleared[source] = max(until, self.cleared.get(source, until))
        return {(SOURCE, str(source))}

    def drop_cleared(self, source: Network) -> set[Unit]:
        return {(SOURCE, str(source))} if self.cleared.pop(source, None) else set()

    def expired(self, now: datetime) -> tuple[list[Enforcement], list[Ban], list[Network]]:
        """What has come to its end: blocks, bans, clearances. HAProxy stopped acting on it by itself; this is
        to tidy up."""
        return (
            [each for each in self.enforcements.values() if each.until <= now],
            [each for each in self.bans.values() if each.until <= now],
            [source for source, until in self.cleared.items() if until <= now],
        )

    def units(self) -> Iterator[Unit]:
        """Every unit that there is something to say about."""
        yield from (unit for unit, members in self._scopes.items() if members)
        yield from {(SOURCE, str(network)) for network in (*self.bans, *self.cleared, *self._allowed)}
        yield from self.shielded.units()
        yield from ((SITE, name) for name in self.sites)

    def facts(self, unit: Unit) -> Picture:
        """What HAProxy should hold for ``unit``; empty when there is nothing left of it."""
        kind, name = unit
        if kind == SITE:
            site = self.sites.get(name)
            if site is None:
                return Picture()
            key = self._signing_key(name) if site.sign else b""
            return site_facts(site, self.ids[name], self.slots[name], self._places, key)
        if kind in KINDS:
            return self.shielded.facts(unit, self.ids, self.sites)
        if kind == BLOCK:
            return self._block(unit)
        return self._source(name)

    def scopes(self, unit: Unit) -> list[Scope]:
        """What the blocks of a unit cover."""
        return [self.enforcements[each].scope for each in sorted(self._scopes.get(unit, ()))]

    def _block(self, unit: Unit) -> Picture:
        members = [self.enforcements[each] for each in sorted(self._scopes.get(unit, ()))]
        customers = self.customers() if unit[1].startswith("customer ") else {}
        return union(
            block_facts(scope, members, self.ids, customers, self.provider)
            for scope in dict.fromkeys(each.scope for each in members)
        )

    def _source(self, name: str) -> Picture:
        network = ip_network(name)
        return source_facts(
            network,
            self.bans.get(network),
            self.cleared.get(network),
            is_allowed=network in self._allowed,
        )

    def _blocks_of(self, site: Site) -> set[Unit]:
        units = {
            (BLOCK, f"site {site.name}"),
            (BLOCK, f"paths of {site.name}"),
            (BLOCK, f"customer {site.customer}"),
        }
        return {unit for unit in units if self._scopes.get(unit)}

    def _leave(self, name: str) -> set[Unit]:
        """The present site of that name, if any, gives up its hostnames and allow list; what that touches."""
        site = self.sites.get(name)
        if site is None:
            return set()
        touched = self._blocks_of(site)
        for hostname in site.hostnames:
            if self.owners.get(hostname) == name:  # else it has moved on
                del self.owners[hostname]
        for network in site.allow:
            self._allowed[network].discard(name)
            if not self._allowed[network]:
                del self._allowed[network]
            touched.add((SOURCE, str(network)))
        return touched


def contact_of(provider: Provider) -> str:
    """Whom a program that is challenged may turn to: text that is safe in JSON, on one line."""
    text = f"{provider.name}, {provider.url}" if provider.url else provider.name
    return json.dumps(" ".join(text.split()))[1:-1]


def unit_of(scope: Scope) -> Unit:
    """The unit that a block of ``scope`` belongs to."""
    return (BLOCK, f"paths of {scope.site}" if isinstance(scope, PathScope) else str(scope))
