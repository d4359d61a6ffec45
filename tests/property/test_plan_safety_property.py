"""A plan may end after any command (HAProxy or the agent dies), even after any entry of a payload: what
visitors get at that moment is never worse than both what was and what will be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.commands import AddMap, Command
from holdfast.edge.dataplane.effect import apply
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.plan import plan
from holdfast.model.hostname import covers
from tests.property.world import CHANGES, HOSTNAMES, Change, World

ASKED = ("a.test", "b.test", "c.test", "deep.w.test", "other.w.test")
SOURCES = tuple(map(ip_address, ("100.64.0.1", "100.100.0.1", "100.100.1.1", "100.100.1.9", "2001:db8::1")))
BLOCK_MAPS = (Maps.BLOCK_CUSTOMERS, Maps.BLOCK_SITES, Maps.BLOCK_HOSTS, Maps.BLOCK_PREFIXES)


@dataclass
class Moment:
    """What a visitor gets from a picture, by the rules of the request path."""

    picture: Picture

    def at(self, name: str, key: str) -> str | None:
        return self.picture.maps.get((name, key))

    def site(self, hostname: str) -> str | None:
        """The site that answers for a hostname: by SNI, else by Host; the exact name, else a wildcard. A site
        without a backend is not there: its hostnames only wait to be swept up."""
        parent = hostname.partition(".")[2]
        names = (
            (Maps.PASS_HOSTS, hostname),
            (Maps.PASS_WILDCARDS, parent),
            (Maps.HOSTS, hostname),
            (Maps.WILDCARDS, parent),
        )
        sites = (self.at(*name) for name in names)
        return next((site for site in sites if site and self.at(Maps.BACKENDS, site)), None)

    def is_served(self, hostname: str) -> bool:
        """Whether a request reaches a server that takes it (blocks aside)."""
        site = self.site(hostname)
        slot = self.at(Maps.BACKENDS, site) if site else None
        return any(
            backend == slot and server.in_service for (backend, _), server in self.picture.servers.items()
        )

    def is_blocked(self, hostname: str, path: str = "") -> bool:
        """Whether a request that would be routed meets a block."""
        site = self.site(hostname)
        if site is None:
            return True
        keys = [
            (Maps.BLOCK_CUSTOMERS, site.partition("-")[0]),
            (Maps.BLOCK_SITES, site),
            (Maps.BLOCK_HOSTS, hostname),
        ]
        if self.at(Maps.BLOCK_PATHS, site):
            keys += [
                (Maps.BLOCK_PREFIXES, f"{site}{prefix}")
                for prefix in ("/p/", "/p/q/")
                if path.startswith(prefix)
            ]
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


CHANGED = st.lists(CHANGES, min_size=1, max_size=8)


def worlds(before: list[Change], after: list[Change]) -> tuple[Picture, Picture]:
    world = World()
    for change in before:
        world.do(change)
    current = world.picture()
    for change in after:
        world.do(change)
    return current, world.picture()


@given(CHANGED, CHANGED)
def test_what_is_referred_to_is_there(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    kept = {site for name, site in desired.maps if name == Maps.BACKENDS}
    for moment in moments(current, plan(current, desired).all()):
        maps = moment.picture.maps
        for (name, _), value in maps.items():
            if name in BLOCK_MAPS:
                assert (Maps.BLOCK_RECORDS, value) in maps
                assert (Maps.BLOCK_PROBLEMS, value) in maps
            if name in (Maps.HOSTS, Maps.WILDCARDS) and value in kept:
                assert (Maps.BACKENDS, value) in maps


@given(CHANGED, CHANGED)
def test_what_is_served_before_and_after_is_served_throughout(
    before: list[Change], after: list[Change]
) -> None:
    current, desired = worlds(before, after)
    steps = plan(current, desired).all()
    for hostname in ASKED:
        if Moment(current).is_served(hostname) and Moment(desired).is_served(hostname):
            assert all(moment.is_served(hostname) for moment in moments(current, steps)), hostname
        if Moment(current).has_certificate(hostname) and Moment(desired).has_certificate(hostname):
            assert all(moment.has_certificate(hostname) for moment in moments(current, steps)), hostname


@given(CHANGED, CHANGED)
def test_what_is_blocked_before_and_after_is_never_open(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    steps = plan(current, desired).all()
    for hostname in ASKED:
        for path in ("", "/p/", "/p/q/"):
            if Moment(current).is_blocked(hostname, path) and Moment(desired).is_blocked(hostname, path):
                assert all(moment.is_blocked(hostname, path) for moment in moments(current, steps)), (
                    hostname,
                    path,
                )


@given(CHANGED, CHANGED)
def test_who_is_let_in_or_refused_both_times_is_so_throughout(
    before: list[Change], after: list[Change]
) -> None:
    current, desired = worlds(before, after)
    steps = plan(current, desired).all()
    for index in range(len(SOURCES)):
        was, will = Moment(current).is_refused(index), Moment(desired).is_refused(index)
        if was == will:
            assert all(moment.is_refused(index) == was for moment in moments(current, steps)), SOURCES[index]


@given(CHANGED, CHANGED)
def test_now_is_enough_for_what_visitors_get(before: list[Change], after: list[Change]) -> None:
    current, desired = worlds(before, after)
    steps = plan(current, desired)
    *_, then = moments(current, steps.now)
    for hostname in HOSTNAMES:
        if not hostname.startswith("*"):
            assert then.site(hostname) == Moment(desired).site(hostname)
            assert then.is_blocked(hostname) == Moment(desired).is_blocked(hostname)
    assert [then.is_refused(index) for index in range(len(SOURCES))] == [
        Moment(desired).is_refused(index) for index in range(len(SOURCES))
    ]
