"""An entry of a log → what HAProxy would have told of the request, as far as a log holds it.

A feature's value is its text, where HAProxy would have a hash: the brain only compares them. What a log does
not hold stays empty and is named by ``unknown_of``, so that no signature is made of it. What follows from a
text alone is remembered, as a log repeats itself. Not here: a line's syntax (``access_log``).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple, TypeVar

from holdfast.replay.access_log import Entry
from holdfast.shield.features import LONGEST_TEXT, Feature

T = TypeVar("T")

UNKNOWN: Final = frozenset((Feature.NAMES, Feature.TLS, Feature.LANGUAGE))
"""What no log of these formats tells."""
COMMON_UNKNOWN: Final = UNKNOWN | {Feature.AGENT, Feature.REFERER, Feature.PRESENCE}
LONGEST_EVIDENCE: Final = 256
"""Characters of a path or an agent, as on an edge."""
NAMED: Final = "~"
"""Begins the network of a client of whom the log has a name instead of an address."""
_REMEMBERED: Final = 32_768
_REQUEST = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+) (\S.*) HTTP/(\d(?:\.\d)?)", re.DOTALL | re.ASCII)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_VALUE = re.compile(r"=[^&]*")
_OCTETS = frozenset(map(str, range(256)))
_UNSEEN = re.compile(r"[^ -~]")
_PRESENCE: Final = (("0-0--", "0-1--"), ("1-0--", "1-1--"))
"""By query, and by referer; ``-``: a log does not tell."""


class Client(NamedTuple):
    """Who asks."""

    client: str
    """IPv4 address or IPv6 /64; or the name that the log has."""
    network: str
    """The /24 or /48. Of a name nobody knows the network: a mark that stands for this host alone."""


class Asked(NamedTuple):
    """What is asked for."""

    method: str
    path: str
    section: str
    query: str
    version: str
    has_query: bool
    shown: str
    """The path, as evidence."""


Told = tuple[str, tuple[str, ...], str, str]
"""A request as a sample's parts: client, values; path and agent as evidence."""


class _Remembered(dict[str, T]):
    """What ``make`` makes of the texts that were seen lately."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make

    def __missing__(self, text: str) -> T:
        if len(self) >= _REMEMBERED:  # a flood's random ones; the usual ones are back at once
            self.clear()
        made = self._make(text)
        if len(text) <= 2 * LONGEST_TEXT:
            self[text] = made
        return made


def is_request(entry: Entry) -> bool:
    """Of HTTP/1.0 or later. Anything else an edge refuses before it looks for a site."""
    return _asked[entry.request] is not None


def tell(entry: Entry) -> Told:
    """Raises ValueError for what is no request."""
    _, _, host, request, _, _, referer, agent, _ = entry  # by place: there are many
    asked = _asked[request]
    if asked is None:
        raise ValueError("no request of HTTP/1.0 or later")
    method, path, section, query, version, has_query, path_shown = asked
    client, network = client_of[host]
    agent, agent_shown = _agents[agent or ""]
    presence = _PRESENCE[has_query][bool(referer)]
    origin = _referers[referer] if referer else ""
    values = agent, "", path, section, method, query, presence, version, "", origin, "", network
    return client, values, path_shown, agent_shown


def unknown_of(entry: Entry) -> frozenset[Feature]:
    """What a log of such lines tells of no request."""
    return COMMON_UNKNOWN if entry.agent is None else UNKNOWN


def shown(text: str) -> str:
    """What a client chose, fit for a terminal: printable, and cut."""
    return _UNSEEN.sub("?", text[:LONGEST_EVIDENCE])


def _value(text: str) -> str:
    """Of any length, short, and still its own."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 9]}~{_checksum(text)}"


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _ask(request: str) -> Asked | None:
    found = _REQUEST.fullmatch(request)
    if found is None:
        return None
    method, target, version = found.groups()
    if "://" in target[:32]:
        target = _ABSOLUTE.sub("", target, count=1)
    path, _, query = target.partition("?")
    path = _value(path or "/")
    section = path.split("/", 2)[1] if "/" in path else ""
    names = _value(_VALUE.sub("=", query))
    return Asked(method[:32], path, section, names, version, query != "", shown(path))


def _client(host: str) -> Client:
    """Raises nothing: what is no address is a name."""
    octets = host.split(".")
    if len(octets) == 4 and _OCTETS.issuperset(octets):
        return Client(host, f"{octets[0]}.{octets[1]}.{octets[2]}.0")
    try:
        address = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        name = host.lower()
        return Client(name, NAMED + _checksum(name))
    if address.ipv4_mapped is not None:
        return _client(str(address.ipv4_mapped))
    number = int(address)
    return Client(str(IPv6Address(number >> 64 << 64)), str(IPv6Address(number >> 80 << 80)))


client_of: Final = _Remembered(_client)
_asked: Final = _Remembered(_ask)
_agents: Final = _Remembered(lambda agent: (_value(agent), shown(agent)))
_referers: Final = _Remembered(lambda referer: _value((*referer.split("/", 3), "", "")[2]))
