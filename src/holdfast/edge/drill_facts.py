"""What the agent tells a drill of this edge and its sites: plain data, so that it crosses the admin socket.

Not here: how it is found (``drill_admin``), whether a drill may run (``drill.target``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """One site, as far as it concerns a drill."""

    name: str
    service: str
    host: str
    """A hostname that it answers for."""
    origins: tuple[str, ...]
    """Their addresses."""
    allow: tuple[str, ...]
    """Networks that no limit and no mitigation touches."""
    redirects: bool
    """Plain HTTP is led to HTTPS."""
    block: str
    """The id of a block that visitors of ``host`` meet, or ''."""
    switched: bool
    """Its owner's switch 'under attack' is on."""
    watches: bool
    """Nothing is refused there, only counted."""
    phase: str
    attack: str
    """The id of the attack that goes on, or ''."""
    drilled: bool
    """That attack was a drill's."""
    drilling: bool
    """A drill goes on there."""
    mitigation: str
    """The id of a mitigation in force that is not the shield's own answer to that attack, or ''."""


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """The edge, and the site that was asked for; if none was, those whose origins are all at loopback."""

    http: tuple[tuple[str, int], ...]
    """Addresses for plain HTTP ('': every one), with their ports."""
    balancers: tuple[str, ...]
    """Networks from which the edge takes connections for those of a balancer."""
    sites: tuple[SiteFacts, ...]


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual at a site, in requests/s."""

    mean: float
    bound: float
    """More than this is unusual."""


def facts_of(document: Mapping[str, Any]) -> EdgeFacts:
    """The inverse of ``dataclasses.asdict``, from JSON."""
    return EdgeFacts(
        http=tuple((str(address), int(port)) for address, port in document["http"]),
        balancers=tuple(document["balancers"]),
        sites=tuple(
            SiteFacts(**{**row, "origins": tuple(row["origins"]), "allow": tuple(row["allow"])})
            for row in document["sites"]
        ),
    )
