"""Current picture × desired picture → the shortest list of runtime commands from one to the other.

The order is what makes a plan safe to stop after any command: blocks first; what is referred to before
what refers to it; additions before removals, so that nothing served goes through a gap. ``now`` puts the
desired picture in force; ``later`` only sweeps up what no request can reach any more, and may wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from holdfast.edge.dataplane.commands import (
    AbortCertificate,
    AddServer,
    Command,
    CommitAuthority,
    CommitCertificate,
    DelAuthority,
    DelCertificate,
    DelMap,
    DelServer,
    EnableHealth,
    EnableServer,
    ListCertificate,
    NewAuthority,
    NewCertificate,
    RetireServer,
    SetAuthority,
    SetCertificate,
    SetMap,
    SetMaxconn,
    UnlistCertificate,
    additions,
)
from holdfast.edge.dataplane.picture import ORDER, MapKey, Maps, Picture

HOST_MAPS = (Maps.HOSTS, Maps.WILDCARDS, Maps.PASS_HOSTS, Maps.PASS_WILDCARDS)
RECORD_MAPS = (Maps.BLOCK_RECORDS, Maps.BLOCK_PROBLEMS)
ENFORCEMENT_MAPS = ORDER[: ORDER.index(Maps.BANS) + 1]


@dataclass(frozen=True, slots=True)
class Plan:
    """``now`` in this order, then ``later`` when there is time."""

    now: list[Command] = field(default_factory=list)
    later: list[Command] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.now or self.later)

    def all(self) -> list[Command]:
        return self.now + self.later


def plan(current: Picture, desired: Picture) -> Plan:
    """The commands that turn ``current`` into ``desired``; empty when they are equal.

    One command for each entry to set or delete, one for as many additions to a map as fit a buffer, and
    the fixed sequence that HAProxy demands for each server, certificate and authority.
    """
    writes = _map_writes(current, desired)
    deletions, sweeps = _map_deletions(current, desired)
    now = chain(
        (command for name in ENFORCEMENT_MAPS for command in writes.get(name, ())),
        _new_authorities(current, desired),
        _new_servers(current, desired),
        _new_certificates(current, desired),
        (command for name in ORDER if name not in ENFORCEMENT_MAPS for command in writes.get(name, ())),
        deletions,
        _retired_servers(current, desired),
        _replaced_certificates(current, desired),
    )
    later = chain(
        _old_servers(current, desired),
        _old_certificates(current, desired),
        _old_authorities(current, desired),
        sweeps,
    )
    return Plan(list(now), list(later))


def _map_writes(current: Picture, desired: Picture) -> dict[str, list[Command]]:
    added: dict[str, list[tuple[str, str]]] = defaultdict(list)
    changed: dict[str, list[SetMap]] = defaultdict(list)
    for (name, key), value in sorted(desired.maps.items()):
        held = current.maps.get((name, key))
        if held is None:
            added[name].append((key, value))
        elif held != value:
            changed[name].append(SetMap(name, key, value))
    writes: dict[str, list[Command]] = {
        name: [*changed[name], *additions(name, added[name])] for name in {*changed, *added}
    }
    return writes


def _map_deletions(current: Picture, desired: Picture) -> tuple[list[Command], list[Command]]:
    """What must go now, and what nothing refers to: block records without a block, and the hostnames of
    a site without a backend (HAProxy answers 421 for them already)."""
    gone = [key for key in current.maps if key not in desired.maps]
    routed = {site for (name, site) in desired.maps if name == Maps.BACKENDS}

    def only_a_sweep(key: MapKey) -> bool:
        name, _ = key
        return name in RECORD_MAPS or (name in HOST_MAPS and current.maps[key] not in routed)

    def safe_order(key: MapKey) -> tuple[bool, int, str]:
        """A site leaves by its backend entry first: one command, whatever the number of its hostnames. A ban
        is lifted before what spares a network from it: its map comes later in ``ORDER``."""
        name, entry = key
        return (name != Maps.BACKENDS, -ORDER.index(name), entry)

    gone.sort(key=safe_order)
    return (
        [DelMap(*key) for key in gone if not only_a_sweep(key)],
        [DelMap(*key) for key in gone if only_a_sweep(key)],
    )


def _new_servers(current: Picture, desired: Picture) -> Iterator[Command]:
    for (backend, name), server in sorted(desired.servers.items()):
        held = current.servers.get((backend, name))
        if held is None:
            yield AddServer(backend, name, server.arguments, server.maxconn)
        elif held.maxconn != server.maxconn:
            yield SetMaxconn(backend, name, server.maxconn)
        if server.checked and not (held and held.checked):
            yield EnableHealth(backend, name)
        if server.in_service and not (held and held.in_service):
            yield EnableServer(backend, name)


def _retired_servers(current: Picture, desired: Picture) -> Iterator[Command]:
    for key, server in sorted(current.servers.items()):
        if key not in desired.servers and server.in_service:
            yield RetireServer(*key)


def _old_servers(current: Picture, desired: Picture) -> Iterator[Command]:
    return (DelServer(*key) for key in sorted(current.servers) if key not in desired.servers)


def _new_certificates(current: Picture, desired: Picture) -> Iterator[Command]:
    for name, listed in sorted(desired.certificates.items()):
        if name in current.certificates:
            continue
        if name in current.strays:  # left half-made by a death: begin again
            yield AbortCertificate(name)
            yield DelCertificate(name)
        yield NewCertificate(name)
        yield SetCertificate(name, listed.pem)
        yield CommitCertificate(name)
        yield ListCertificate(name, listed.patterns)


def _replaced_certificates(current: Picture, desired: Picture) -> Iterator[Command]:
    """Of two certificates for one name HAProxy serves the older one, so that only now the new one is."""
    return (
        UnlistCertificate(name) for name in sorted(current.certificates.keys() - desired.certificates.keys())
    )


def _old_certificates(current: Picture, desired: Picture) -> Iterator[Command]:
    for name in sorted(current.strays | current.certificates.keys()):
        if name not in desired.certificates:
            if name in current.strays:
                yield AbortCertificate(name)
            yield DelCertificate(name)


def _new_authorities(current: Picture, desired: Picture) -> Iterator[Command]:
    for name, authority in sorted(desired.authorities.items()):
        held = current.authorities.get(name)
        if held is not None and held.loaded:
            continue
        if held is None:
            yield NewAuthority(name)
        yield SetAuthority(name, authority.pem)
        yield CommitAuthority(name)


def _old_authorities(current: Picture, desired: Picture) -> Iterator[Command]:
    return (DelAuthority(name) for name in sorted(current.authorities.keys() - desired.authorities.keys()))
