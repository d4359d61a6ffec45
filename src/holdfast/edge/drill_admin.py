"""What a drill asks of the agent over the admin socket: what there is to aim at, and that one begins or ends.

Not here: whether it may (``drill.target``), what it sends (``drill.stream``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from holdfast.edge.admin_request import Operations, Request
from holdfast.edge.agent import Edge
from holdfast.edge.drill_facts import EdgeFacts, SiteFacts, Usual
from holdfast.edge.status import unhurried
from holdfast.model.enforcement import CustomerScope, Enforcement, HostScope, SiteScope
from holdfast.model.errors import error
from holdfast.model.hostname import WILDCARD
from holdfast.model.mitigation import AUTOMATIC
from holdfast.model.site import Https, Site
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from holdfast.shield.rhythm import COLD_FACTOR, COLD_UPPER

LONGEST: Final = 45.0
"""Seconds after which a drill that has not said so is over: it was killed."""
SPANS: Final = (0.5, 2.0)
"""Seconds over which the brain compares rates."""
LABEL: Final = "drill"
"""What stands for the star of a site that has only wildcards."""


class TargetRequest(Request):
    site: str = ""


class DrillRequest(Request):
    site: str


@dataclass(slots=True)
class Span:
    """When a drill began, and when it ended or must have."""

    begin: float
    end: float


class DrillAdmin:
    """For one edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._spans: dict[str, Span] = {}
        """The last drill of each site."""
        self.operations: Operations = {
            "drill_target": (TargetRequest, self._target),
            "drill_begin": (DrillRequest, self._begin),
            "drill_over": (DrillRequest, self._over),
        }

    async def _target(self, request: TargetRequest) -> object:
        configuration, sites = self._edge.configuration, self._edge.desired.sites
        named = [sites[request.site]] if request.site in sites else []
        listed = named if request.site else [site for site in list(sites.values()) if _lies_here(site)]
        facts = EdgeFacts(
            http=tuple(
                ("" if each.address is None else str(each.address), each.port) for each in configuration.http
            ),
            balancers=tuple(str(each) for each in (*configuration.proxies, *configuration.forwarders)),
            sites=tuple(await unhurried(self._facts(site) for site in listed)),
        )
        return asdict(facts)

    def _facts(self, site: Site) -> SiteFacts:
        guard, now = self._edge.guard, self._now()
        brain = guard.brains.get(site.name)
        attack = brain.attack if brain else None
        span = self._spans.get(site.name)
        host = site.hostnames[0]
        if host.startswith(WILDCARD):
            host = f"{LABEL}.{host.removeprefix(WILDCARD)}"
        standing = self._edge.desired.shielded.mitigations.get(site.name, ())
        return SiteFacts(
            name=site.name,
            service=site.service.value,
            host=host,
            origins=tuple(str(origin.address) for origin in site.origins),
            allow=tuple(str(network) for network in site.allow),
            redirects=site.https is not Https.OPTIONAL and bool(self._edge.configuration.https),
            block=next(self._blocks(site, host), ""),
            switched=site.under_attack or site.name in guard.switched,
            watches=site.watch_only or self._edge.configuration.edge.shield == "watch",
            phase=(brain.phase if brain else Phase.CALM).name.lower(),
            attack=attack.id if attack else "",
            drilled=bool(attack and span and span.begin <= attack.began <= span.end),
            drilling=bool(span and span.begin <= now <= span.end),
            mitigation=next((each.id for each in standing if each.author != AUTOMATIC or not attack), ""),
        )

    def _blocks(self, site: Site, host: str) -> Iterator[str]:
        """The ids of those that visitors of the front page meet."""
        scopes = (SiteScope(site.name), CustomerScope(site.customer))
        for each in self._edge.desired.enforcements.values():
            if each.scope in scopes or _is_of_host(each, host):
                yield each.id

    async def _begin(self, request: DrillRequest) -> object:
        site, now = self._site(request.site), self._now()
        span = self._spans.get(site.name)
        if span and span.begin <= now <= span.end:
            raise error(f"a drill goes on at {site.name}", "wait for its end; it takes half a minute", "site")
        if self._facts(site).drilled:
            await self._edge.guard.end_drill(site.name)
        self._spans[site.name] = Span(now, now + LONGEST)
        return asdict(usual_of(self._edge.guard.brain(site.name), now))

    async def _over(self, request: DrillRequest) -> object:
        """Nothing of it is learned. The answer says which attacks it was taken for."""
        site, now = self._site(request.site), self._now()
        span = self._spans.get(site.name)
        if span is None:
            raise error(
                f"no drill has begun at {site.name}", f"begin one: holdfast drill {site.name}", "site"
            )
        span.end = min(span.end, now)
        guard = self._edge.guard
        guard.brain(site.name).unlearn()
        attacks = [each for each in await guard.archivist.attacks() if each.site == site.name]
        return {"attacks": [each.id for each in attacks if span.begin <= each.began <= span.end]}

    def _site(self, name: str) -> Site:
        site = self._edge.desired.sites.get(name)
        if site is None:
            raise error(f"there is no site {name!r}", "see 'holdfast status'", "site")
        return site

    def _now(self) -> float:
        return self._edge.clock().timestamp()


def _lies_here(site: Site) -> bool:
    return all(origin.address.is_loopback for origin in site.origins)


def _is_of_host(enforcement: Enforcement, host: str) -> bool:
    return isinstance(enforcement.scope, HostScope) and enforcement.scope.hostname == host


def usual_of(brain: SiteBrain, now: float) -> Usual:
    """Of a site of which little is known, what it had in the last calm half minute."""
    expected = [brain.baseline.expected(now, seconds) for seconds in SPANS]
    if brain.baseline.rhythm.is_warm:
        return Usual(expected[0].mean, min(each.upper for each in expected))
    mean = brain.sight.mean
    return Usual(mean, max(COLD_UPPER, COLD_FACTOR * mean, *(each.upper for each in expected)))
