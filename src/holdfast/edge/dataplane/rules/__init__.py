"""The request path: HAProxy's rules, in the one order that the design gives. Pure text.

Each step is a function named after it; ``WEB_STEPS`` and ``SITE_STEPS`` are the order. HAProxy looks at every
rule of a set for every request, so the sets are short, and end early (``allow``) for most of them: in the
frontend what happens before it is known that a site serves the request, and what a block or an attack adds;
in a section of defaults, which the slots of all sites share, what happens to every request after.
"""

from __future__ import annotations

from holdfast.edge.dataplane.rules.challenge import page_rules, passing_rules
from holdfast.edge.dataplane.rules.connection import (
    client_rules,
    forwarder_rules,
    plain_connection_rules,
    tls_connection_rules,
)
from holdfast.edge.dataplane.rules.context import Context, Step
from holdfast.edge.dataplane.rules.enforcement import (
    BLOCKED,
    PUBLIC,
    blocked_rules,
    enforcement_rules,
    suspicion_rules,
)
from holdfast.edge.dataplane.rules.gateway import (
    allow_rules,
    gateway_rules,
    host_rules,
    hsts_rules,
    https_rules,
    site_rules,
)
from holdfast.edge.dataplane.rules.limits import busy_rules, leave_rules, rate_rules, watch_rules
from holdfast.edge.dataplane.rules.origin import open_rules, origin_rules, route_rules, signing_rules
from holdfast.edge.dataplane.rules.passthrough import passthrough_rules
from holdfast.edge.dataplane.rules.public import public_rules
from holdfast.edge.dataplane.rules.sampling import sampling_rules, tls_rules
from holdfast.edge.dataplane.rules.shield import (
    CHALLENGE,
    DENIED,
    DROPPED,
    WAY_THROUGH,
    clearance_rules,
    denied_rules,
    dropped_rules,
    exempt_rules,
    mask_rules,
    shielded_rules,
    signature_rules,
    unsigned_rules,
    verdict_rules,
)

WEB_STEPS: tuple[Step, ...] = (
    ("connection: sources that are banned, or take too much", plain_connection_rules),
    ("forwarder: the client's own address", forwarder_rules),
    ("client: as text", client_rules),
    ("tls: what the client offers", tls_rules),
    ("gateway: no circles, no tunnels but WebSockets", gateway_rules),
    ("host: whose site it is", host_rules),
    ("sampling: what the shield sees", sampling_rules),
    ("site: unknown hosts are misdirected (421)", site_rules),
    ("suspicion: most requests leave here", suspicion_rules),
    ("mask: what is in use against the attack", mask_rules),
    ("clearance: who has one", clearance_rules),
    ("exempt: programs that the site knows", exempt_rules),
    ("unsigned: sites with a challenge of everybody, and nothing else, leave here", unsigned_rules),
    ("enforcement: the block page", enforcement_rules),
    ("allow list: wins over every later rule", allow_rules),
    ("shield: sites that are not attacked leave here", shielded_rules),
    ("signatures: what the attack looks like", signature_rules),
    ("verdict: challenge, deny, drop, limit", verdict_rules),
    ("route", route_rules),
)
"""The request path of a ``web`` site, until its slot is chosen."""

SITE_STEPS: tuple[Step, ...] = (
    ("limits: of each client", rate_rules),
    ("hsts", hsts_rules),
    ("open: what may stay open for long is noted", open_rules),
    ("origin: what it is told", origin_rules),
    ("leave: most requests do", leave_rules),
    ("watch: what would have been refused", watch_rules),
    ("https: redirect", https_rules),
    ("busy: who may wait, and who goes first", busy_rules),
    ("signing: for the origin", signing_rules),
)
"""The rest of it, in the slot of the site."""

ANSWERS: dict[str, tuple[Step, ...]] = {
    BLOCKED: (("the block page", blocked_rules),),
    CHALLENGE: (("the page, and words for programs", page_rules),),
    WAY_THROUGH: (("a proof of work, or a link, and a clearance", passing_rules),),
    DENIED: (("words", denied_rules),),
    DROPPED: (("nothing", dropped_rules),),
}
"""Backends that answer in place of a site's slot, so that no other request passes their rules."""

PUBLIC_STEPS: tuple[Step, ...] = (("what is public, and who may take how much", public_rules),)
"""The backend of the public pages, where there are some."""

PASS_STEPS: tuple[Step, ...] = (
    ("connection: sources that are banned, or take too much", tls_connection_rules),
    ("sni: sites of service tcp, blocked ones refused", passthrough_rules),
)
"""The path of a connection to the TLS port, before TLS."""

__all__ = ["ANSWERS", "PASS_STEPS", "PUBLIC", "PUBLIC_STEPS", "SITE_STEPS", "WEB_STEPS", "Context", "Step"]
