"""What visitors get from a picture, by the rules of the request path; and what must hold at every moment on
the way from one picture to another, since HAProxy or the agent may die there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from holdfast.edge.dataplane.commands import AddMap, Command
from holdfast.edge.dataplane.effect import apply
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.model.hostname import covers

SOURCES = tuple(map(ip_address, ("100.64.0.1", "100.100.0.1", "100.100.1.1", "100.100.1.9", "2001:db8::1")))
BLOCK_MAPS = (Maps.BLOCK_CUSTOMERS, Maps.BLOCK_SITES, Maps.BLOCK_HOSTS, Maps.BLOCK_PREFIXES)
WEB, PASS = (Maps.HOSTS, Maps.WILDCARDS), (Maps.PASS_HOSTS, Maps.PASS_WILDCARDS)
ASKED = tuple(
    (route, hostname)
    for route in (WEB, PASS)
    for hostname in ("a.test", "b.test", "c.test", "deep.w.test", "other.w.test")
)
"""By Host header, and by the SNI of what is passed through."""


@dataclass
class Moment:
    """What a visitor gets from a picture, by the rules of the request path."""

    picture: Picture

    def at(self, name: str, key: str) -> str | None:
        return self.picture.maps.get((name, key))

    def site(self, route: tuple[str, str], hostname: str) -> str | None:
        """The site that answers: the exact name, else a wildcard. A site without a backend is not there:
        its hostnames only wait to be swept up."""
        sites = (self.at(route[0], hostname), self.at(route[1], hostname.partition(".")[2]))
        return next((site for site in sites if site and self.at(Maps.BACKENDS, site)), None)

    def is_served(self, route: tuple[str, str], hostname: str) -> bool:
        """Whether a request reaches a server that takes it (blocks aside)."""
        site = self.site(route, hostname)
        slot = self.at(Maps.BACKENDS, site) if site else None
        servers = self.picture.servers.items()
        return any(backend == slot and server.in_service for (backend, _), server in servers)

    def is_blocked(self, route: tuple[str, str], hostname: str, path: str) -> bool:
        """Whether a request meets a block, or nobody at all."""
        site = self.site(route, hostname)
        if site is None:
            return True
        keys = [
            (Maps.BLOCK_CUSTOMERS, site.partition("-")[0]),
            (Maps.BLOCK_SITES, site),
            (Maps.BLOCK_HOSTS, hostname),
        ]
        if self.at(Maps.BLOCK_PATHS, site):
            prefixes = [prefix for prefix in ("/p/", "/p/q/") if path.startswith(prefix)]
            keys += [(Maps.BLOCK_PREFIXES, f"{site}{prefix}") for prefix in prefixes]
        return any(self.at(*key) for key in keys)

    def is_refused(self, index: int) -> bool:
        """Whether a source is banned: the longest prefix decides, 0 lets it through."""
        nets = [(ip_network(key), value) for key, value in self.picture.map(Maps.BANS)]
        around = [
            (net.prefixlen, value)
            for net, value in nets
            if net.version == SOURCES[index].version and SOURCES[index] in net
        ]
        return bool(around) and max(around)[1] != "0"

    def has_certificate(self, hostname: str) -> bool:
        return any(
            covers(pattern, hostname)
            for listed in self.picture.certificates.values()
            for pattern in listed.patterns
        )


def moments(current: Picture, commands: list[Command]) -> Iterator[Moment]:
    """The picture before, between and after the commands, payloads cut into their entries."""
    picture = current.copy()
    yield Moment(picture)
    for command in commands:
        parts = (
            [AddMap(command.map, (entry,)) for entry in command.entries]
            if isinstance(command, AddMap)
            else [command]
        )
        for part in parts:
            apply(picture, part)
            yield Moment(picture)


def check_references(moment: Moment, desired: Picture) -> None:
    """What is referred to is there: a block's record, the backend of a site that stays."""
    maps = moment.picture.maps
    for (name, _), value in maps.items():
        if name in BLOCK_MAPS:
            assert (Maps.BLOCK_RECORDS, value) in maps
            assert (Maps.BLOCK_PROBLEMS, value) in maps
        if name in (*WEB, *PASS) and (Maps.BACKENDS, value) in desired.maps:
            assert (Maps.BACKENDS, value) in maps


def check_service(moment: Moment, current: Picture, desired: Picture) -> None:
    """What is served, with a certificate, before and after is so now."""
    before, after = Moment(current), Moment(desired)
    for route, hostname in ASKED:
        if before.is_served(route, hostname) and after.is_served(route, hostname):
            assert moment.is_served(route, hostname), hostname
        if before.has_certificate(hostname) and after.has_certificate(hostname):
            assert moment.has_certificate(hostname), hostname


def check_blocks(moment: Moment, current: Picture, desired: Picture) -> None:
    """What is blocked before and after is not open now. A third site, whose wildcard covers the hostname for
    a moment, is no way to what is blocked."""
    before, after = Moment(current), Moment(desired)
    for route, hostname in ASKED:
        for path in ("/", "/p/", "/p/q/"):
            asked = (route, hostname, path)
            if before.is_blocked(*asked) and after.is_blocked(*asked) and not moment.is_blocked(*asked):
                assert moment.site(route, hostname) not in {
                    each.site(route, hostname) for each in (before, after)
                }, asked


def check_bans(moment: Moment, current: Picture, desired: Picture) -> None:
    """Who is let in, or refused, before and after is so now."""
    for index, source in enumerate(SOURCES):
        was = Moment(current).is_refused(index)
        if was == Moment(desired).is_refused(index):
            assert moment.is_refused(index) == was, source
