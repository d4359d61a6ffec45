"""What is asked of blocks over the admin socket: what one would touch, that one is put in force or lifted,
and which there are.

Not here: who may decide, and the record (``accountable``); whether a release holds (``release``).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from holdfast.edge.admin_request import Nothing, Operations, Request
from holdfast.edge.agent import Edge
from holdfast.edge.desired import Desired
from holdfast.edge.release import Release
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Scope,
    SiteScope,
    dump_enforcement,
    load_enforcement,
    scope_document,
)
from holdfast.model.errors import error
from holdfast.model.hostname import WILDCARD, parse_hostname
from holdfast.model.path import parse_prefix
from holdfast.model.site import Service


class ScopeRequest(Request):
    target: str = ""
    """A site, a hostname, or a hostname and path; with or without ``http://``."""
    customer: str = ""
    """Or this."""


class EnforceRequest(Request):
    enforcement: dict[str, Any]
    """As ``dump_enforcement`` writes it."""
    entry: str
    """Base 64."""
    proof: str
    statement: str


class UnblockRequest(Request):
    id: str


class BlockAdmin:
    """For one edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.operations: Operations = {
            "scope": (ScopeRequest, self._scope),
            "enforce": (EnforceRequest, self._enforce),
            "unblock": (UnblockRequest, self._unblock),
            "blocks": (Nothing, self._blocks),
        }

    async def _scope(self, request: ScopeRequest) -> object:
        """What would be blocked, before it is recorded."""
        desired = self._edge.desired
        scope = find_scope(desired, request.target, request.customer)
        hostnames = hostnames_of(desired, scope)
        return {"scope": scope_document(scope), "words": str(scope), "hostnames": hostnames}

    async def _enforce(self, request: EnforceRequest) -> object:
        try:
            entry = base64.b64decode(request.entry, validate=True)
        except binascii.Error:
            raise error(
                "the entry is not base 64", "encode its bytes (RFC 4648, section 4)", "entry"
            ) from None
        enforcement = load_enforcement(request.enforcement)
        index = await self._edge.block(Release(enforcement, entry, request.proof, request.statement))
        return _row(enforcement, index)

    async def _unblock(self, request: UnblockRequest) -> object:
        return {"lifted": request.id, "time": await self._edge.unblock(request.id)}

    async def _blocks(self, _: Nothing) -> object:
        """Those in force, then those that are stored and are not, with the reason."""
        releases = self._edge.releases
        rows = [_row(each, releases.indices[each.id]) for each in self._edge.desired.enforcements.values()]
        for each in releases.withheld.values():
            known = _row(each.enforcement, None) if each.enforcement else _UNREADABLE
            rows.append({**known, "id": each.id, "in_force": False, "why": each.why})
        return rows


_UNREADABLE: dict[str, object] = {
    **dict.fromkeys(("scope", "ground", "since", "until", "by", "authority"), ""),
    "status": 0,
    "index": None,
}


def _row(enforcement: Enforcement, index: int | None) -> dict[str, object]:
    return {
        **dump_enforcement(enforcement),
        "scope": str(enforcement.scope),
        "status": enforcement.status,
        "index": index,
        "in_force": True,
        "why": "",
    }


def find_scope(desired: Desired, target: str, customer: str) -> Scope:
    """What a person means: a site, a hostname of one, a hostname and path, or a customer. Raises
    HoldfastError where there is no such thing here."""
    if bool(customer) == bool(target):
        raise error("name one thing to block", "a site, a hostname, hostname/path, or a customer", "target")
    if customer:
        if customer not in desired.customers():
            raise error(f"no site here belongs to {customer!r}", "see 'holdfast status'", "customer")
        return CustomerScope(customer)
    if target in desired.sites:
        return SiteScope(target)
    bare = target.removeprefix("https://").removeprefix("http://")
    host, slash, path = bare.partition("/")
    hostname = parse_hostname(host.partition(":")[0], "target")
    wildcard = WILDCARD + hostname.partition(".")[2]
    site = desired.owners.get(hostname) or desired.owners.get(wildcard)
    if site is None:
        raise error(f"no site here is named or answers for {host!r}", "see 'holdfast status'", "target")
    if path:
        if desired.sites[site].service is Service.TCP:
            raise error(
                f"the TLS of {site!r} is passed through unopened, and its paths are not seen here",
                "block the hostname or the site",
                "target",
            )
        return PathScope(site, parse_prefix(slash + path, "target"))
    return HostScope(hostname)


def hostnames_of(desired: Desired, scope: Scope) -> list[str]:
    """The hostnames that a block of ``scope`` touches now, in order; a wildcard as it is written."""
    match scope:
        case HostScope(hostname):
            return [hostname]
        case CustomerScope(customer):
            sites = [site for site in desired.sites.values() if site.customer == customer]
        case SiteScope(name) | PathScope(name):
            sites = [desired.sites[name]]
    return sorted({hostname for site in sites for hostname in site.hostnames})
