"""What is looked at in a request, and which conjunctions of it the data plane can match.

A request's features are short texts; for counting they are coded as 32-bit numbers, one column each. Not
here: how HAProxy finds the values (``edge.dataplane.rules.sampling``), and which conjunction is the one
(``signature``).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
"""Shape (requests, features)."""
Weights = NDArray[np.float64]
"""Shape (requests,): how much each sampled request stands for."""


class Feature(IntEnum):
    """A column of ``Codes``."""

    AGENT = 0
    """The user agent."""
    NAMES = 1
    """The names of all headers, in their order: it tells programs apart that lie about their agent."""
    PATH = 2
    """The whole path, without the query."""
    SECTION = 3
    """The path's first segment."""
    METHOD = 4
    QUERY = 5
    """The names of the query's parameters, without their values."""
    PRESENCE = 6
    """Which of query (no sign where there is none), cookie, referer, accept-language and accept-encoding
    there are."""
    VERSION = 7
    """Of HTTP."""
    TLS = 8
    """What the client offered in its TLS handshake: ciphers, curves, number of extensions."""
    REFERER = 9
    """The host of the referer."""
    LANGUAGE = 10
    """Accept-Language."""
    NETWORK = 11
    """The client's IPv4 /24 or IPv6 /48."""
    STRANGER = 12
    """1 where the network is none that the site knows, else 0."""


WIDTH = len(Feature)
LONGEST_TEXT = 512
"""Characters of a value that is kept as text."""
_REMEMBERED = 32_768


@dataclass(frozen=True, slots=True)
class Template:
    """A conjunction of features that the data plane finds by one look-up. ``bit``: its number there."""

    bit: int
    features: tuple[Feature, ...]


def _templates(*each: tuple[Feature, ...]) -> tuple[Template, ...]:
    return tuple(Template(bit, features) for bit, features in enumerate(each))


F = Feature
TEMPLATES: tuple[Template, ...] = _templates(
    (F.AGENT, F.NAMES, F.PATH),
    (F.METHOD, F.PATH, F.NAMES),
    (F.METHOD, F.PATH, F.AGENT),
    (F.METHOD, F.PATH, F.PRESENCE),
    (F.NAMES, F.PATH, F.STRANGER),
    (F.AGENT, F.NAMES, F.STRANGER),
    (F.NAMES, F.TLS, F.PRESENCE),
    (F.METHOD, F.SECTION, F.NAMES),
    (F.AGENT, F.NAMES),
    (F.AGENT, F.PATH),
    (F.AGENT, F.PRESENCE),
    (F.AGENT, F.STRANGER),
    (F.AGENT, F.TLS),
    (F.NAMES, F.PATH),
    (F.NAMES, F.PRESENCE),
    (F.NAMES, F.STRANGER),
    (F.NAMES, F.TLS),
    (F.NAMES, F.QUERY),
    (F.METHOD, F.PATH),
    (F.PATH, F.PRESENCE),
    (F.PATH, F.STRANGER),
    (F.QUERY, F.STRANGER),
    (F.TLS, F.STRANGER),
    (F.AGENT,),
    (F.NAMES,),
    (F.PATH,),
    (F.QUERY,),
    (F.TLS,),
    (F.REFERER,),
    (F.LANGUAGE,),
    (F.NETWORK,),
    (F.STRANGER,),
)
"""In the order in which they are looked up: the more particular first. The first that is found decides."""


def code(value: str) -> int:
    """A value as a number of 32 bits; the same everywhere, so that it can be saved."""
    return zlib.crc32(value.encode())


class _CodeOf(dict[str, int]):
    """Codes of values, remembered: coding is pure, so all sites share one."""

    def __missing__(self, value: str) -> int:
        if len(self) >= _REMEMBERED:  # an attacker's random values; the usual ones are back at once
            self.clear()
        number = code(value)
        if len(value) <= LONGEST_TEXT:
            self[value] = number
        return number


code_of = _CodeOf()


def empty() -> Codes:
    """No requests."""
    return np.zeros((0, WIDTH), dtype=np.uint32)
