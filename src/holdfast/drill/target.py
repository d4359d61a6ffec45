"""What a drill may aim at: a site that lies on this machine, through an edge that listens at loopback. Pure.

Everything else is refused, with a reason and what to do. Not here: finding out (``edge.drill_admin``).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from holdfast.drill.parties import SOURCES
from holdfast.edge.drill_facts import EdgeFacts, SiteFacts
from holdfast.model.errors import HoldfastError, Mistake, error
from holdfast.model.site import Service

LOOPBACK: Final = "127.0.0.1"
PLACE: Final = "SITE"
DEMO: Final = "'holdfast up --demo' starts a site that lies here entirely"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a drill's requests go."""

    site: str
    host: str
    address: str
    """Of IPv4's loopback."""
    port: int
    watches: bool
    """The shield does nothing there."""

    @property
    def authority(self) -> str:
        """As a browser writes it into ``Host``."""
        return self.host if self.port == 80 else f"{self.host}:{self.port}"


def choose(edge: EdgeFacts, name: str) -> Target:
    """The site of that name, or, without one, the only one that is fit. Raises HoldfastError."""
    site = _named(edge, name) if name else _only(edge)
    if wrong := obstacle(site):
        raise HoldfastError(wrong)
    address, port = _entrance(edge)
    return Target(site.name, site.host, address, port, site.watches)


def check_still(edge: EdgeFacts, target: Target, *, is_calm: bool) -> None:
    """Raises HoldfastError when what a drill aims at is, in its midst, no longer what it was. ``is_calm``:
    its flood has not begun."""
    site = _named(edge, target.site)
    if is_calm and site.attack:
        raise error(
            f"an attack began at {site.name} ({site.attack}) before the drill's flood did",
            "'holdfast attacks' shows it; drill again when it is over",
            PLACE,
        )
    wrong = _elsewhere(site) or _refusing(site)
    if wrong:
        raise HoldfastError(wrong)
    if (site.host, *_entrance(edge)) != (target.host, target.address, target.port):
        raise error(f"{site.name} is configured otherwise since the drill began", "start it again", PLACE)


def _named(edge: EdgeFacts, name: str) -> SiteFacts:
    for site in edge.sites:
        if site.name == name:
            return site
    raise error(f"there is no site {name!r}", "see 'holdfast status'", PLACE)


def _only(edge: EdgeFacts) -> SiteFacts:
    """Where one alone lies here, it is meant, fit or not: why it is not, is said then."""
    here = [site for site in edge.sites if _elsewhere(site) is None]
    fit = [site for site in here if obstacle(site) is None] or here
    if not fit:
        raise error("no site of this edge has all of its origins on this machine", DEMO, PLACE)
    if len(fit) > 1:
        names = ", ".join(site.name for site in fit[:5]) + (", …" if len(fit) > 5 else "")
        raise error(
            f"{len(fit)} sites of this edge lie on this machine ({names})",
            f"name one, as in: holdfast drill {fit[0].name}",
            PLACE,
        )
    return fit[0]


def obstacle(site: SiteFacts) -> Mistake | None:
    """Why a drill may not begin there."""
    return _elsewhere(site) or _refusing(site) or _occupied(site)


def _elsewhere(site: SiteFacts) -> Mistake | None:
    """The one that counts: a drill never sends anything to another machine."""
    if site.service != Service.WEB:
        return Mistake(
            PLACE,
            f"{site.name} passes TLS through unopened: there are no requests that the shield could see",
            "drill a site with service = \"web\"; 'holdfast status' lists them",
        )
    for address in site.origins:
        if not ip_address(address).is_loopback:
            return Mistake(
                PLACE,
                f"{site.name} has its origin at {address}, and a drill sends nothing to another machine",
                DEMO,
            )
    if not site.origins:
        return Mistake(PLACE, f"{site.name} has no origin", DEMO)
    return None


def _refusing(site: SiteFacts) -> Mistake | None:
    """Visitors would not get the page, with no flood either; or the flood would be let pass."""
    if site.block:
        return Mistake(
            PLACE,
            f"{site.name} is blocked (decision {site.block}): its visitors get the block page",
            f"lift it first: holdfast unblock {site.block} --by 'NAME, ROLE' --reason TEXT",
        )
    if site.switched:
        return Mistake(
            PLACE,
            f"{site.name} is switched to 'under attack': everybody is challenged already",
            f"turn that off first: holdfast under-attack {site.name} off (or under_attack in holdfast.toml)",
        )
    if site.redirects:
        return Mistake(
            PLACE,
            f"{site.name} leads plain HTTP to HTTPS, and a drill speaks plain HTTP",
            "set https = \"optional\" for it while you drill, then 'holdfast edge apply'",
        )
    for network in site.allow:
        if _overlaps(network):
            return Mistake(
                PLACE,
                f"{site.name} allows {network}: nothing that comes from this machine is refused there",
                f"take out of its allow list what overlaps {SOURCES} while you drill",
            )
    return None


def _occupied(site: SiteFacts) -> Mistake | None:
    """Something goes on there that a drill would confuse, or be confused with."""
    if site.drilling:
        return Mistake(PLACE, f"a drill goes on at {site.name}", "wait for its end; it takes half a minute")
    if site.attack and not site.drilled:
        return Mistake(
            PLACE,
            f"an attack goes on at {site.name} ({site.attack})",
            "wait until it is over: 'holdfast attacks' shows it",
        )
    if site.phase == "suspect":
        return Mistake(
            PLACE,
            f"something unusual goes on at {site.name}, and the shield looks at it",
            "try again when 'holdfast status' says calm",
        )
    if site.mitigation:
        return Mistake(
            PLACE,
            f"a mitigation is in force at {site.name} already ({site.mitigation})",
            f"withdraw it first: holdfast mitigation undo {site.mitigation}",
        )
    return None


def _entrance(edge: EdgeFacts) -> tuple[str, int]:
    """The address and port to connect to. Raises HoldfastError where none is IPv4's loopback."""
    for network in edge.balancers:
        if _overlaps(network):
            raise error(
                f"this edge takes what comes from {network} for a balancer's: visitors cannot be told apart",
                f"take out of [edge] proxies and forwarders what overlaps {SOURCES}",
                "[edge]",
            )
    for text, port in edge.http:
        address = ip_address(text or "0.0.0.0")  # noqa: S104 - compared, and not listened at
        if address.version == 4 and (address.is_loopback or address.is_unspecified):
            return LOOPBACK if address.is_unspecified else text, port
    raise error(
        "this edge does not listen for plain HTTP at a loopback address of IPv4",
        'add one to [edge] http, such as "127.0.0.1:8080", and start it again',
        "[edge]",
    )


def _overlaps(network: str) -> bool:
    parsed = ip_network(network)
    return parsed.version == 4 and parsed.overlaps(SOURCES)
