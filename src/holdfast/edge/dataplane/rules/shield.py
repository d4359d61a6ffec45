"""The shield's part of the request path: clearances, signatures, and what is done to requests that match.

Sites that are not attacked leave before it (``shielded_rules``). A verdict is text: action, id of the
mitigation, unix time of its end, and for ``limit`` the limits; HAProxy itself keeps the end, so that it comes
even while the agent is dead. What a site allows, a program that it knows and a verified crawler are exempt.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.features import (
    AGENT,
    EXPRESSIONS,
    NETWORK,
    PRESENCE,
    WHOLE_SITE,
    bit,
    needed_by,
)
from holdfast.shield.features import TEMPLATES, Feature, Template

COOKIE: Final = "__holdfast"
FREE: Final = "{ var(txn.free) -m found }"
EXEMPT: Final = "{ var(txn.exempt) -m found }"
CLEARED: Final = "{ var(txn.clr) -m found }"
MATCHED: Final = "{ var(txn.sg) -m found }"


def shielded_rules(context: Context) -> list[str]:
    """Sites without a mitigation leave here."""
    return [
        f"http-request set-var(txn.mask) var(txn.sid),map_str_int({context.places.map(Maps.MASKS)})",
        "http-request allow if !{ var(txn.mask) -m found }",
    ]


def clearance_rules(context: Context) -> list[str]:
    """A clearance is a JSON Web Token (RFC 7519) of this site in a cookie, signed with HMAC-SHA256: the
    algorithm is the rule's and never the token's. Whoever has one is counted by its id and not by his
    address (sc0), so that a change of address changes nothing, and a clearance that many share is worth one
    client."""
    at = context.places.map
    valid = "{ var(txn.valid) -m int 1 }"
    return [
        f"http-request set-var(txn.ck) req.cook({COOKIE})",
        f"http-request set-var(txn.ckey) var(txn.ck),jwt_header_query('$.kid'),map({at(Maps.KEYS)})"
        " if { var(txn.ck) -m found }",
        'http-request set-var(txn.valid) var(txn.ck),jwt_verify("HS256",txn.ckey)'
        " if { var(txn.ckey) -m found }",
        f"http-request set-var(txn.claim) var(txn.ck),jwt_payload_query('$.site') if {valid}",
        f"http-request set-var(txn.end) var(txn.ck),jwt_payload_query('$.exp','int') if {valid}",
        f"http-request set-var(txn.jti) var(txn.ck),jwt_payload_query('$.jti') if {valid}",
        f"http-request set-var(txn.clr) bool(true) if {valid} {{ var(txn.claim),strcmp(txn.sid) eq 0 }}"
        " { var(txn.end),sub(txn.now) gt 0 }",
        f"http-request track-sc0 var(txn.jti),concat(|,txn.sid) table clients if {CLEARED} !{FREE}",
    ]


def exempt_rules(context: Context) -> list[str]:
    """Programs that the site knows, and verified crawlers: no challenge suits them. A client's limits hold
    for them as for all."""
    at = context.places.map
    return [
        f"http-request set-var(txn.f{Feature.NETWORK}) {NETWORK}",
        f"http-request set-var(txn.f{Feature.AGENT}) {AGENT}",
        "http-request set-var(txn.exempt) var(txn.free)",
        f"http-request set-var(txn.exempt) var(txn.sid),concat(|,txn.f{Feature.NETWORK}),"
        f"concat(|,txn.f{Feature.AGENT}),map({at(Maps.FRIENDS)}) if !{EXEMPT}",
        f"http-request set-var(txn.exempt) var({context.scope}.net),map({at(Maps.CRAWLERS)}) if !{EXEMPT}",
    ]


def signature_rules(context: Context) -> list[str]:
    """The features that some template in use needs, then the templates; the first that matches decides."""
    at = context.places.map
    lines = []
    for feature in Feature:
        asked = f"if !{EXEMPT} {{ var(txn.mask),and({needed_by(feature)}) -m bool }}"
        if feature is Feature.PRESENCE:
            lines.append(f'http-request set-var-fmt(txn.f{feature}) "{PRESENCE}" {asked}')
        elif feature is Feature.STRANGER:
            known = f"var(txn.sid),concat(|,txn.f{Feature.NETWORK}),map({at(Maps.NETWORKS)},1)"
            lines.append(f"http-request set-var(txn.f{feature}) {known} {asked}")
        elif feature not in (Feature.AGENT, Feature.NETWORK):
            lines.append(f"http-request set-var(txn.f{feature}) {EXPRESSIONS[feature]} {asked}")
    for template in TEMPLATES:
        found = f"{_key(template)},map({at(Maps.SIGNATURES)})"
        lines.append(
            f"http-request set-var(txn.sg) {found}"
            f" if !{EXEMPT} !{MATCHED} {{ var(txn.mask),and({bit(template.bit)}) -m bool }}"
            f" {{ {found},field(3,|),sub(txn.now) gt 0 }}"
        )
    return [
        *lines,
        f"http-request set-var(txn.sg) var(txn.sid),concat(|{WHOLE_SITE}),map({at(Maps.SIGNATURES)})"
        f" if !{EXEMPT} !{MATCHED} {{ var(txn.mask),and({bit(WHOLE_SITE)}) -m bool }}",
        f"http-request unset-var(txn.sg) if {MATCHED} {{ var(txn.sg),field(3,|),sub(txn.now) le 0 }}",
    ]


def _key(template: Template) -> str:
    first, *rest = template.features
    return f"var(txn.sid),concat(|{template.bit}|,txn.f{first})" + "".join(
        f",concat(|,txn.f{feature})" for feature in rest
    )


def verdict_rules(context: Context) -> list[str]:
    """All but the challenge, which comes after. A limit is the client's own, stricter one for these requests:
    ``rules.limits`` applies it."""
    denied = (
        'content-type text/plain lf-string "This request was refused: it looks like part of an attack that is'
        " going on (%[var(txn.sg),field(2,|)]). If you are no part of it, please tell the site's owner.\\n\""
        " hdr Cache-Control no-store hdr Retry-After 60"
    )
    return [
        f"http-request sc-inc-gpc({Verdict.OBSERVED},1) if {_does('observe')}",
        f"http-request silent-drop if {_does('drop')} {{ sc_inc_gpc({Verdict.DROPPED},1) gt 0 }}",
        f"http-request return status 403 {denied}"
        f" if {_does('deny')} {{ sc_inc_gpc({Verdict.DENIED},1) gt 0 }}",
        f"http-request set-var(txn.lim) var(txn.sg),field(4,|) if {_does('limit')}",
    ]


def _does(action: str) -> str:
    return f"{MATCHED} {{ var(txn.sg),field(1,|) -m str {action} }}"
