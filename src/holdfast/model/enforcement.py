"""What edges must apply when a block is decided: whom it touches, why, from when until when; and its form as
JSON, in which it is handed on and kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.model.errors import error
from holdfast.model.hostname import WILDCARD, parse_hostname
from holdfast.model.path import parse_prefix

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FIELDS = ("id", "scope", "ground", "since", "until", "by", "authority")


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
    """In which role it was decided; shown to operators only. An edge knows no names."""
    authority: str = ""
    """Who made the legal demand; '' when it does not rest on one."""

    @property
    def status(self) -> int:
        """The HTTP status: 451 for a legal demand (RFC 7725), 403 otherwise."""
        return 451 if self.authority else 403


def scope_document(scope: Scope) -> list[str]:
    """A scope as JSON, such as ``["path", "shop", "/evil/"]``; ``parse_scope`` is the inverse."""
    match scope:
        case CustomerScope(customer):
            return ["customer", customer]
        case SiteScope(site):
            return ["site", site]
        case HostScope(hostname):
            return ["hostname", hostname]
        case PathScope(site, prefix):
            return ["path", site, prefix]


def parse_scope(document: object) -> Scope:
    """The inverse of ``scope_document``; raises HoldfastError for anything else."""
    match document:
        case ["customer", str(customer)] if _NAME.fullmatch(customer):
            return CustomerScope(customer)
        case ["site", str(site)] if _NAME.fullmatch(site):
            return SiteScope(site)
        case ["hostname", str(hostname)] if parse_hostname(hostname) == hostname:
            return HostScope(hostname)
        case ["path", str(site), str(prefix)] if _NAME.fullmatch(site) and parse_prefix(prefix) == prefix:
            return PathScope(site, prefix)
    raise error(f"{document!r} is no scope", 'write one like ["site", "shop"]', "scope")


def dump_enforcement(enforcement: Enforcement) -> dict[str, object]:
    """An enforcement as JSON; ``load_enforcement`` is the inverse."""
    return {
        "id": enforcement.id,
        "scope": scope_document(enforcement.scope),
        "ground": enforcement.ground,
        "since": enforcement.since.isoformat(),
        "until": enforcement.until.isoformat(),
        "by": enforcement.by,
        "authority": enforcement.authority,
    }


def load_enforcement(body: Mapping[str, object]) -> Enforcement:
    """The inverse of ``dump_enforcement``; raises HoldfastError for anything else."""
    if sorted(body) != sorted(_FIELDS):
        raise error("this is no enforcement", f"give it the fields {', '.join(_FIELDS)}", "enforcement")
    texts = {name: body[name] for name in _FIELDS if name != "scope"}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise error(f"{value!r} is no text", "write text in quotes", name)
    since, until = (_moment(str(texts[name]), name) for name in ("since", "until"))
    plain = {name: str(texts[name]) for name in ("id", "ground", "by", "authority")}
    return Enforcement(scope=parse_scope(body["scope"]), since=since, until=until, **plain)


def _moment(text: str, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise error(f"{text!r} is no time", "write it like 2026-12-24T18:00:00Z", place) from None
    raise error(f"{text!r} does not say its time zone", "end it in Z for UTC", place)


@dataclass(frozen=True, slots=True)
class Provider:
    """Who runs the edge, and where it publishes. ``{id}`` in a URL stands for the decision's id."""

    name: str
    url: str
    statement: str = ""
    record: str = ""
    appeal: str = ""
