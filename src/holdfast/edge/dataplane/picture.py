"""A picture: everything in HAProxy that can be changed at run time, as plain data.

The same type says what HAProxy *should* hold (built by ``facts``) and what it *does* hold (read by
``answers``). Whatever cannot be changed in place (a server's address, a certificate) is named by its
content, so that a change is an addition and a removal, with no gap between them, and two pictures can
be compared by their names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MapKey = tuple[str, str]
"""(map, key)"""
ServerKey = tuple[str, str]
"""(backend, server)"""


class Maps:
    """The names of the maps. Absent entries mean the default; only ``HOSTS`` is big."""

    BLOCK_RECORDS = "block_records"
    """record id → the fields of the block page (see ``pages.record``)"""
    BLOCK_PROBLEMS = "block_problems"
    """record id → the same as an application/problem+json document"""
    BLOCK_CUSTOMERS = "block_customers"
    """customer number → record id"""
    BLOCK_SITES = "block_sites"
    """site id → record id"""
    BLOCK_HOSTS = "block_hosts"
    """hostname → record id"""
    BLOCK_PREFIXES = "block_prefixes"
    """site id + normal path prefix → record id"""
    BLOCK_PATHS = "block_paths"
    """site id → 1 where the site has a blocked prefix: only then is the path normalised"""
    SPARED = "spared"
    """network that some site allows → 1: it is never dropped before its site is known"""
    CLEARED = "cleared"
    """network that has been cleared on some site → unix time until which it is spared, too"""
    BANS = "bans"
    """network → unix time until which it is banned"""
    ALLOW = "allow"
    """site id | masked address → 1"""
    KEYS = "keys"
    """key id → key of clearances, text"""
    KEY_IDS = "key_ids"
    """``now`` → the id of the key that signs what is new, and the key in base64, with a bar between them. A
    map of its own: who presents a clearance chooses the id that is looked up in the other."""
    CONTACT = "contact"
    """``now`` → whom a program that is challenged may turn to, as text that is safe in JSON"""
    DIFFICULTY = "difficulty"
    """site id → the most tries that a proof of work takes, where it is not the least"""
    CRAWLERS = "crawlers"
    """client of a verified crawler → 1"""
    FRIENDS = "friends"
    """site id | network | hash of an agent → 1: programs that the site knows and that no challenge suits;
    site id → 1: there are some"""
    NETWORKS = "networks"
    """site id | network → 0: networks that a site under suspicion knows"""
    FAMILIAR = "familiar"
    """site id | feature | value → 1: agents and orders of headers that it knows; site id → 1: it has some,
    2: its networks are among them"""
    SIGNATURES = "signatures"
    """site id | template | values → what is done to requests that match (see ``facts.verdict``)"""
    MASKS = "masks"
    """site id → sum of the bits of the templates in use; none: the shield has nothing to do there"""
    SAMPLES = "samples"
    """site id → how many of ten thousand requests are sampled, where it is not all"""
    LIMITS = "limits"
    """site id → its limits, where they are not a new site's; see ``limits``"""
    SIGNING = "signing"
    """site id → key of its signatures, base64"""
    BACKENDS = "backends"
    """site id → slot"""
    FLAGS = "flags"
    """site id → sum of ``Flag`` bits"""
    HOSTS = "hosts"
    """hostname → site id, of ``web`` sites"""
    WILDCARDS = "wildcards"
    """the part after ``*.`` → site id"""
    PASS_HOSTS = "pass_hosts"  # noqa: S105 - TLS is passed through; no password
    """SNI → site id, of ``tcp`` sites"""
    PASS_WILDCARDS = "pass_wildcards"  # noqa: S105


ORDER: tuple[str, ...] = tuple(name for key, name in vars(Maps).items() if key.isupper())
"""The order in which additions are safe: what is referred to comes before what refers to it, and
enforcement before all else. Removals go the other way."""

META = "meta"
"""Not part of a picture: the epoch, and which rendered file the running HAProxy has read."""


class Flag:
    """Bits of ``Maps.FLAGS``; the numbers are what HAProxy's rules test."""

    ALLOW = 1
    WATCH = 2
    REDIRECT = 4
    HSTS = 8
    BYTES = 16
    SIGN = 32


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a slot. What names it (``arguments``) cannot change; the rest can, at run time."""

    maxconn: int
    checked: bool = True
    in_service: bool = True
    arguments: str = field(default="", compare=False)
    """Address and fixed keywords, as in ``server NAME …``; unknown when read back from HAProxy."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate that HAProxy serves. ``pem`` is unknown when read back; the name is its digest."""

    patterns: tuple[str, ...] = field(default=(), compare=False)
    pem: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """Certificates of authorities that servers are verified against."""

    loaded: bool = True
    pem: str = field(default="", compare=False, repr=False)


@dataclass(slots=True)
class Picture:
    """Mutable, because the agent keeps one of a hundred thousand entries up to date."""

    maps: dict[MapKey, str] = field(default_factory=dict)
    servers: dict[ServerKey, Server] = field(default_factory=dict)
    certificates: dict[str, Listed] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    """Certificates in memory that no SNI leads to: half added or half removed."""
    authorities: dict[str, Authority] = field(default_factory=dict)

    def add(self, other: Picture) -> None:
        """Take in everything of ``other``."""
        self.maps.update(other.maps)
        self.servers.update(other.servers)
        self.certificates.update(other.certificates)
        self.strays |= other.strays
        self.authorities.update(other.authorities)

    def remove(self, other: Picture) -> None:
        """Drop what ``other`` holds and this picture still holds unchanged: an entry that something else
        has taken over (a hostname that moved to another site) stays."""
        for key, value in other.maps.items():
            if self.maps.get(key) == value:
                del self.maps[key]
        for server in other.servers:
            self.servers.pop(server, None)
        for name in other.certificates:
            self.certificates.pop(name, None)
        self.strays -= other.strays
        for name in other.authorities:
            self.authorities.pop(name, None)

    def only(self, *named: Picture) -> Picture:
        """The part of this picture that any of ``named`` names."""
        certificates = {name for picture in named for name in (*picture.certificates, *picture.strays)}
        return Picture(
            _some(self.maps, (key for picture in named for key in picture.maps)),
            _some(self.servers, (key for picture in named for key in picture.servers)),
            _some(self.certificates, certificates),
            self.strays & certificates,
            _some(self.authorities, (key for picture in named for key in picture.authorities)),
        )

    def beyond(self, wanted: Picture) -> Picture:
        """What is here and not wanted at all, whatever its value."""
        return Picture(
            {key: value for key, value in self.maps.items() if key not in wanted.maps},
            {key: server for key, server in self.servers.items() if key not in wanted.servers},
            {name: each for name, each in self.certificates.items() if name not in wanted.certificates},
            {name for name in self.strays if name not in wanted.certificates},
            {name: each for name, each in self.authorities.items() if name not in wanted.authorities},
        )

    def copy(self) -> Picture:
        """A picture of its own, for another thread."""
        return Picture(
            dict(self.maps),
            dict(self.servers),
            dict(self.certificates),
            set(self.strays),
            dict(self.authorities),
        )

    def map(self, name: str) -> Iterator[tuple[str, str]]:
        """The entries of one map, in no order."""
        return ((key, value) for (of, key), value in self.maps.items() if of == name)


def union(pictures: Iterable[Picture]) -> Picture:
    """One picture of many."""
    whole = Picture()
    for picture in pictures:
        whole.add(picture)
    return whole


def _some(whole: dict[K, V], keys: Iterable[K]) -> dict[K, V]:
    return {key: whole[key] for key in keys if key in whole}
