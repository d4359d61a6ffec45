"""What edges must apply when a block is decided: whom it touches, why, from when until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.model.errors import error
from holdfast.model.hostname import WILDCARD


@dataclass(frozen=True, slots=True)
class CustomerScope:
    """Every site of a customer."""

    customer: str

    def __str__(self) -> str:
        return f"customer {self.customer}"


@dataclass(frozen=True, slots=True)
class SiteScope:
    """Every hostname of a site."""

    site: str

    def __str__(self) -> str:
        return f"site {self.site}"


@dataclass(frozen=True, slots=True)
class HostScope:
    """One hostname: one that a site names, or that one of its wildcards covers.

    Raises HoldfastError for a wildcard: requests are compared by the name they bear, so that a block of
    ``*.example.org`` would be in force and touch nothing."""

    hostname: str

    def __post_init__(self) -> None:
        if self.hostname.startswith(WILDCARD):
            raise error(
                f"a block of {self.hostname!r} would touch nothing",
                "block the site, or one hostname after the other",
            )

    def __str__(self) -> str:
        return f"hostname {self.hostname}"


@dataclass(frozen=True, slots=True)
class PathScope:
    """A path prefix on every hostname of a site: they lead to the same content."""

    site: str
    prefix: str
    """In the form of ``model.path.parse_prefix``."""

    def __str__(self) -> str:
        return f"path {self.prefix} of site {self.site}"


Scope = CustomerScope | SiteScope | HostScope | PathScope


@dataclass(frozen=True, slots=True)
class Enforcement:
    """A block in force on an edge, as its visitors are told about it."""

    id: str
    scope: Scope
    ground: str
    since: datetime
    until: datetime
    """Aware, UTC. Every block ends; a new decision renews it."""
    by: str
    """Who decided, in which role; shown to operators only."""
    authority: str = ""
    """Who made the legal demand; '' when it does not rest on one."""

    @property
    def status(self) -> int:
        """The HTTP status: 451 for a legal demand (RFC 7725), 403 otherwise."""
        return 451 if self.authority else 403


@dataclass(frozen=True, slots=True)
class Provider:
    """Who runs the edge, and where it publishes. ``{id}`` in a URL stands for the decision's id."""

    name: str
    url: str
    statement: str = ""
    record: str = ""
    appeal: str = ""
