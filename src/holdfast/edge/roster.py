"""Which sites and bans there are on this edge, and which number and slot each site has: from the file, the
store and a running HAProxy to desired state, and back when a change cannot be had.

Every change is stored first: what cannot be stored is not done. Not here: blocks (``releases``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import structlog
from pydantic import ValidationError

from holdfast.edge.configuration import Configuration, Mistakes, build_site
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.slots import SlotPool, capacity
from holdfast.edge.desired import Desired, Unit, contact_of
from holdfast.edge.read import Held
from holdfast.edge.secret import clearance_keys, origin_key
from holdfast.edge.settings import SiteSettings, explain
from holdfast.edge.store import Store
from holdfast.model.ban import Ban, parse_network
from holdfast.model.errors import HoldfastError, error
from holdfast.model.site import Service, Site

Documents = Mapping[str, dict[str, object] | None]

log = structlog.get_logger()


class Roster:
    """Owns the desired state and the slots of one edge."""

    def __init__(self, configuration: Configuration, places: Places, store: Store) -> None:
        self.desired = Desired(places, configuration.provider, self.signing_key)
        self.pools: dict[Service, SlotPool] = {}
        self._store = store

    def load(self, configuration: Configuration, held: Held, now: datetime) -> None:
        """Everything there is at a start."""
        self.renew_keys(now, held.key_id)
        self.desired.shielded.put_contact(contact_of(configuration.provider))
        for source, until in held.bans.items():
            if until.isdigit() and int(until) > now.timestamp():
                with contextlib.suppress(HoldfastError):  # not ours; the first reading removes it
                    self.desired.put_ban(Ban(parse_network(source), datetime.fromtimestamp(int(until), UTC)))
        for source, until in held.cleared.items():
            if until.isdigit() and int(until) > now.timestamp():
                with contextlib.suppress(HoldfastError):
                    self.desired.put_cleared(parse_network(source), datetime.fromtimestamp(int(until), UTC))
        sites = self._sites(configuration)
        ids = self._store.renumber(
            self._store.numbered() - sites.keys(), [(site.name, site.customer) for site in sites.values()]
        )
        sizes = _sizes(sites.values(), held.meta)
        for service in Service:
            self.pools[service] = SlotPool(service, sizes[service], held.backends, held.occupied)
            self.pools[service].keep(
                {str(ids[site.name]) for site in sites.values() if site.service is service}
            )
        for site in sites.values():
            self.desired.put_site(site, ids[site.name], self._slot(site, str(ids[site.name])))

    def renew_keys(self, now: datetime, before: str = "") -> set[Unit]:
        """The keys of clearances at this time (see ``secret.clearance_keys``), where another one signs by
        now; returns the units touched."""
        shielded = self.desired.shielded
        keys = clearance_keys(self._store.secret, now.timestamp(), before)
        return shielded.put_keys(keys) if keys.current != shielded.keys.current else set()

    def signing_key(self, name: str, ahead: int = 0) -> bytes:
        """The present key of a site's signatures; ``ahead``: that many renewals later."""
        return origin_key(self._store.secret, name, self._store.generation(name) + ahead)

    def _sites(self, configuration: Configuration) -> dict[str, Site]:
        """Those of the file, and those given at run time that agree with it."""
        sites = dict(configuration.sites)
        owners = {hostname: site.name for site in sites.values() for hostname in site.hostnames}
        for name, body in self._store.documents().items():
            if name not in sites:
                try:
                    sites[name] = self.site(body, configuration, owners)
                    owners |= dict.fromkeys(sites[name].hostnames, name)
                except HoldfastError as wrong:
                    log.error("a site given at run time is left out", site=name, why=str(wrong))
        return sites

    def site(
        self, body: dict[str, object], configuration: Configuration, owners: Mapping[str, str] | None = None
    ) -> Site:
        """A site from its document; raises HoldfastError for what is wrong in it, or belongs to another:
        ``owners`` says whose a hostname is, by default now."""
        try:
            settings = SiteSettings.model_validate(body)
        except ValidationError as invalid:
            raise HoldfastError(*explain(invalid, {}, "site")) from invalid
        mistakes = Mistakes(settings.name, {})
        site = build_site(settings, configuration.listeners, configuration.path.parent, mistakes, "site")
        mistakes.raise_any()
        check_hostnames([site], self.desired.owners if owners is None else owners)
        return site

    def exchange(
        self, gone: list[str], sites: list[Site], documents: Documents | None = None
    ) -> tuple[set[Unit], Callable[[], set[Unit]]]:
        """Have sites go and come, as one change: the units touched, and how to put back what was before.

        A site of another customer or service is another site: it gets a new number, and leaves its slot.
        """
        names = [*gone, *(site.name for site in sites)]
        formers = {name: self.desired.sites.get(name) for name in names}
        stored = {name: self._store.document(name) for name in documents or {}}
        sizes = {service: pool.size for service, pool in self.pools.items()}
        units = self._exchange(gone, sites, documents)
        made = {name: self.desired.sites.get(name) for name in names}

        def undo() -> set[Unit]:
            mine = [name for name in names if self.desired.sites.get(name) is made[name]]
            back = [site for name in mine if (site := formers[name]) is not None]
            lost = [name for name in mine if formers[name] is None]
            touched = self._exchange(
                lost, back, {name: body for name, body in stored.items() if name in mine}
            )
            for service, pool in self.pools.items():
                pool.shrink(sizes[service])
            return touched

        return units, undo

    def _exchange(self, gone: list[str], sites: list[Site], documents: Documents | None) -> set[Unit]:
        present = self.desired.sites
        going = [*gone, *(site.name for site in sites if _is_another(site, present.get(site.name)))]
        ids = self._store.renumber(going, [(site.name, site.customer) for site in sites], documents)
        units: set[Unit] = set()
        for name in going:
            self.pools[present[name].service].leave(str(self.desired.ids[name]))
            units |= self.desired.drop_site(name)
        for site in sites:
            slot = self._slot(site, str(ids[site.name]))
            units |= self.desired.put_site(site, ids[site.name], slot)
        return units

    def _slot(self, site: Site, number: str) -> str:
        """The site's slot; where none is free there will be more after a reload."""
        pool = self.pools[site.service]
        slot = pool.take(number)
        if slot is None:
            pool.grow(capacity(pool.size))
            slot = pool.take(number)
        return slot or ""


def check_hostnames(sites: Iterable[Site], owners: Mapping[str, str]) -> None:
    """Raises HoldfastError when one of ``sites`` has a hostname that another site has."""
    for site in sites:
        taken = [name for name in site.hostnames if owners.get(name, site.name) != site.name]
        if taken:
            raise error(
                f"{', '.join(taken)} belongs to site {owners[taken[0]]!r}",
                "remove it from one of the two",
                f"site {site.name}",
            )


def _is_another(site: Site, present: Site | None) -> bool:
    return present is not None and (present.service, present.customer) != (site.service, site.customer)


def _sizes(sites: Iterable[Site], meta: Mapping[str, str]) -> dict[Service, int]:
    """How many slots there should be: as many as HAProxy has, where the sites still fit."""
    services = [site.service for site in sites]
    counts = {service: services.count(service) for service in Service}
    shape = {Service.WEB: int(meta.get("web_slots", 0)), Service.TCP: int(meta.get("pass_slots", 0))}
    if all(shape[service] > counts[service] for service in Service):
        return shape  # no reload for mere comfort
    return {service: max(shape[service], capacity(counts[service])) for service in Service}
