"""The shield's part of the request path: clearances, signatures, and what is done to requests that match.

Sites that are not attacked leave before it (``shielded_rules``). A verdict is text: action, id of the
mitigation, unix time of its end, and for ``limit`` the limits; HAProxy itself keeps the end, so that it comes
even while the agent is dead. What a site allows, a program that it knows and a verified crawler are exempt.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import OWN_PATHS
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.enforcement import MORE
from holdfast.edge.dataplane.rules.features import (
    AGENT,
    EXPRESSIONS,
    NETWORK,
    PRESENCE,
    WHOLE_SITE,
    bit,
    needed_by,
)
from holdfast.edge.dataplane.rules.first_page import ASKED, first_page
from holdfast.edge.dataplane.rules.refused import BROWSER, PLAIN, identified, problem
from holdfast.shield.features import TEMPLATES, Feature, Template

CHALLENGE, DENIED, DROPPED = "challenge", "denied", "dropped"
"""The backends of what the shield refuses."""
WAY_THROUGH: Final = "way-through"
"""That of our own paths, which lead through a challenge."""
COOKIE, SECURE_COOKIE = "__holdfast", "__Host-holdfast"
"""The clearance over plain HTTP, and over TLS (RFC 6265bis, section 4.1.3.2)."""
FREE: Final = "{ var(txn.free) -m found }"
ARMED: Final = "{ var(txn.mask) -m found }"
EXEMPT: Final = "{ var(txn.exempt) -m found }"
CLEARED: Final = "{ var(txn.clr) -m found }"
MATCHED: Final = "{ var(txn.sg) -m found }"
CEILING: Final = 500
"""Requests of a client without a clearance, to sites that challenge it, over ``CEILING_SECONDS``: many
newcomers behind one address stay below it."""
CEILING_SECONDS: Final = 10
OVER_CEILING: Final = f"{{ src,ipmask(32,64),table_gpc0_rate(strangers) ge {CEILING} }}"


def mask_rules(context: Context) -> list[str]:
    """Which templates are in use at the site."""
    return [
        f"http-request set-var(txn.mask) var(txn.sid),map_str_int({context.places.map(Maps.MASKS)})",
    ]


def shielded_rules(_: Context) -> list[str]:
    """Sites without a mitigation leave here. What the allow list holds is exempt."""
    return [
        f"http-request allow if !{ARMED}",
        f"http-request set-var(txn.exempt) var(txn.free) if {FREE}",
        _count_cleared(f"{MORE} !{FREE}"),
    ]


def _count_cleared(which: str) -> str:
    """By the clearance's id."""
    return f"http-request track-sc0 var(sess.jti),concat(|,txn.sid) table clients if {CLEARED} {which}"


def clearance_rules(context: Context) -> list[str]:
    """A clearance is a JSON Web Token (RFC 7519) of this host in a cookie, signed with HMAC-SHA256: the
    algorithm is the rule's and never the token's. Whoever has one is counted by its id and not by his
    address (sc0), so that a change of address changes nothing, and a clearance that many share is worth one
    client.

    To check one costs as much as all other rules together, so that a connection remembers the last that was
    good; its end is looked at each time. A client that is over the ceiling has one forged clearance
    checked on each connection, and no second one; whoever has a good one is not kept from showing it."""
    at = context.places.map
    valid, same = "{ var(txn.valid) -m int 1 }", "{ var(txn.same) -m found }"
    # Behind a forwarder a connection is shared by clients: one must not be held against another.
    forger = [] if context.forwarders else ["{ var(sess.forger) -m found }"]
    spent = [f"http-request unset-var(txn.ck) if {each} {OVER_CEILING}" for each in forger]
    noted = [
        f"http-request set-var(sess.forger) bool(true) if {{ var(txn.ck) -m found }} !{valid} !{same}"
        for _ in forger
    ]
    good = "{ var(sess.host),strcmp(txn.host) eq 0 } { var(sess.exp),sub(txn.now) gt 0 }"
    return [
        f"http-request set-var(txn.ck) req.cook({SECURE_COOKIE}) if {ARMED}",
        f"http-request set-var(txn.ck) req.cook({COOKIE}) if {ARMED} !{{ var(txn.ck) -m found }}",
        *spent,
        "http-request set-var(txn.same) bool(true) if { var(txn.ck),strcmp(sess.ck) eq 0 }",
        f"http-request set-var(txn.ckey) var(txn.ck),jwt_header_query('$.kid'),map({at(Maps.KEYS)})"
        f" if {{ var(txn.ck) -m found }} !{same}",
        'http-request set-var(txn.valid) var(txn.ck),jwt_verify("HS256",txn.ckey)'
        " if { var(txn.ckey) -m found }",
        # Nothing of another one may be left.
        *(f"http-request unset-var(sess.{name}) if {valid}" for name in ("host", "exp", "jti")),
        f"http-request set-var(sess.host) var(txn.ck),jwt_payload_query('$.host') if {valid}",
        f"http-request set-var(sess.exp) var(txn.ck),jwt_payload_query('$.exp','int') if {valid}",
        f"http-request set-var(sess.jti) var(txn.ck),jwt_payload_query('$.jti') if {valid}",
        f"http-request set-var(sess.ck) var(txn.ck) if {valid}",
        f"http-request set-var(txn.clr) bool(true) if {valid} {good} or {same} {good}",
        *noted,
        _count_cleared(f"!{MORE}"),
    ]


def exempt_rules(context: Context) -> list[str]:
    """Programs that the site knows, and verified crawlers: no challenge suits them. A client's limits hold
    for them as for all."""
    at = context.places
    # Most sites know none: texts and hashes for the look-up cost more than all else here.
    knows = f"{ARMED} {{ var(txn.sid),map({at.map(Maps.FRIENDS)}) -m found }}"
    return [
        f"http-request set-var(txn.f{Feature.NETWORK}) {NETWORK} if {knows}",
        f"http-request set-var(txn.f{Feature.AGENT}) {AGENT} if {{ var(txn.f{Feature.NETWORK}) -m found }}",
        f"http-request set-var(txn.exempt) var(txn.sid),concat(|,txn.f{Feature.NETWORK}),"
        f"concat(|,txn.f{Feature.AGENT}),map({at.map(Maps.FRIENDS)})"
        f" if {{ var(txn.f{Feature.NETWORK}) -m found }}",
        f"http-request set-var(txn.exempt) var({context.scope}.net),map({at.map(Maps.CRAWLERS)})"
        f" if {ARMED} !{EXEMPT}",
    ]


def signature_rules(context: Context) -> list[str]:
    """The features that some template in use needs, then the templates; the first that matches decides. Each
    rule first asks whether it is needed: most are not."""
    at = context.places.map
    lines = []
    for feature in Feature:
        needed = needed_by(feature) | (needed_by(Feature.STRANGER) if feature is Feature.NETWORK else 0)
        asked = f"if {{ var(txn.mask),and({needed}) -m bool }} !{EXEMPT}"
        if feature is Feature.PRESENCE:
            lines.append(f'http-request set-var-fmt(txn.f{feature}) "{PRESENCE}" {asked}')
        elif feature is Feature.STRANGER:
            known = f"var(txn.sid),concat(|,txn.f{Feature.NETWORK}),map({at(Maps.NETWORKS)},1)"
            lines.append(f"http-request set-var(txn.f{feature}) {known} {asked}")
        else:
            lines.append(f"http-request set-var(txn.f{feature}) {EXPRESSIONS[feature]} {asked}")
    for template in TEMPLATES:
        found = f"{_key(template)},map({at(Maps.SIGNATURES)})"
        lines.append(
            f"http-request set-var(txn.sg) {found}"
            f" if {{ var(txn.mask),and({bit(template.bit)}) -m bool }} !{EXEMPT} !{MATCHED}"
            f" {{ {found},field(3,|),sub(txn.now) gt 0 }}"
        )
    return [*lines, *whole_site_rules(context, f" !{MATCHED}")]


def whole_site_rules(context: Context, only: str = "") -> list[str]:
    """The mitigation that every request matches, while it lasts."""
    found = f"var(txn.sid),concat(|{WHOLE_SITE}),map({context.places.map(Maps.SIGNATURES)})"
    return [
        f"http-request set-var(txn.sg) {found} if {{ var(txn.mask),and({bit(WHOLE_SITE)}) -m bool }}"
        f" !{EXEMPT}{only} {{ {found},field(3,|),sub(txn.now) gt 0 }}"
    ]


def unsigned_rules(context: Context) -> list[str]:
    """A site without a signature, where everybody is challenged or limited, and that has nothing else, leaves
    here: it need not look at templates, blocks and an allow list."""
    few = "{ var(txn.few) -m found }"
    none = f"{{ var(txn.mask),and({bit(len(TEMPLATES)) - 1}) -m int 0 }} !{MORE}"
    # A backend of its own would cost a sixth of the answer, and this is what a flood gets most often.
    page = f"{few} {_does('challenge')} !{CLEARED} !{{ path_beg {OWN_PATHS} }} {ASKED}"
    return [
        f"http-request set-var(txn.few) bool(true) if {none}",
        *(f"{rule} {few}" for rule in whole_site_rules(context)),
        *first_page(context, page, sent=False),
        *(f"{rule} {few}" for rule in verdict_rules(context)),
        f"http-request allow if {few}",
    ]


def _key(template: Template) -> str:
    first, *rest = template.features
    return f"var(txn.sid),concat(|{template.bit}|,txn.f{first})" + "".join(
        f",concat(|,txn.f{feature})" for feature in rest
    )


_WAYS: Final = rf"^{OWN_PATHS}(challenge(-[0-9a-f]+\.(js|css))?|wait|solved|continue)$"


def verdict_rules(context: Context) -> list[str]:
    """What is refused goes to a backend that refuses, in place of the site's. A limit is the client's own,
    stricter one for these requests: ``rules.limits`` applies it."""
    return [
        f"http-request set-var(txn.slot) str({CHALLENGE}) if {_does('challenge')} !{CLEARED}",
        f"http-request set-var(txn.slot) str({DENIED}) if {_does('deny')}",
        f"http-request set-var(txn.slot) str({DROPPED}) if {_does('drop')}",
        f"http-request sc-inc-gpc({Verdict.OBSERVED},1) if {_does('observe')}",
        f"http-request set-var(txn.lim) var(txn.sg),field(4,|) if {_does('limit')}",
        f"http-request set-var(txn.by) var(txn.sg),field(2,|),concat(/) if {_does('limit')}",
        f"http-request set-var(txn.slot) str({WAY_THROUGH})"
        f" if {{ path_beg {OWN_PATHS} }} {{ path -m reg {_WAYS} }}"
        f" !{{ var(txn.slot) -m str {DENIED} {DROPPED} }}",
    ]


def denied_rules(context: Context) -> list[str]:
    """Refused, with words, and the id by which somebody can find out why."""
    words = "This request was refused: it looks like part of an attack that is going on."
    document = problem(
        context, "denied", 403, "Refused", f"{words} If you are no part of it, tell the site's owner this id."
    )
    text = (
        f"content-type text/plain lf-string \"{words} If you are no part of it, please tell the site's owner"
        ' (%[var(txn.id)]).\\n"'
    )
    counted = f"{{ sc_inc_gpc({Verdict.DENIED},1) gt 0 }}"
    return [
        identified(),
        f"http-request return status 403 {text} {PLAIN} hdr Retry-After 60 if {BROWSER} {counted}",
        f"http-request return status 403 {document} {PLAIN} hdr Retry-After 60 if {counted}",
    ]


def dropped_rules(_: Context) -> list[str]:
    """No answer."""
    return [f"http-request silent-drop if {{ sc_inc_gpc({Verdict.DROPPED},1) gt 0 }}"]


def _does(action: str) -> str:
    return f"{{ var(txn.sg),field(1,|) -m str {action} }}"
