"""The first steps of a request: what a gateway does for nobody, whose site it is, who is exempt."""

from __future__ import annotations

from holdfast.edge.dataplane.facts import ALLOW_MASKS
from holdfast.edge.dataplane.picture import Flag, Maps
from holdfast.edge.dataplane.rules.context import Context

NO_SITE = "-"
"""The key in the table ``sites`` under which requests for unknown hosts are counted."""


def gateway_rules(context: Context) -> list[str]:
    """What a gateway does for nobody: forward in circles (RFC 8586), and open a tunnel for HTTP, in which
    requests would reach the origin that no rule has seen. A WebSocket may have its tunnel: one over HTTP/2
    (RFC 8441) is no ``CONNECT`` here, as HAProxy has made an upgrade of it."""
    return [
        "http-request return status 508 content-type text/plain"
        ' string "This request has been here before.\\n"'
        f" if {{ req.fhdr(cdn-loop) -m sub holdfast-{context.edge_id} }}",
        'http-request return status 405 content-type text/plain string "This server is no proxy.\\n"'
        ' hdr Allow "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" if { method CONNECT }',
        "http-request del-header Upgrade if { req.fhdr(upgrade) -m reg -i ^(?!websocket$) }",
        # RFC 9112, section 3.2: HAProxy passes an absolute target on as it came, and judges what it takes for
        # its host; an origin must not be able to take it for another.
        'http-request return status 400 content-type text/plain string "This target is not well formed.\\n"'
        " if !{ url -m beg / } !{ url -m reg -i ^https?://[a-z0-9._-]+(:[0-9]*)?([/?]|$) }"
        " !{ method OPTIONS }",
        # RFC 9110, section 5.5.
        'http-request return status 400 content-type text/plain string "There is a NUL in a header.\\n"'
        " if { req.hdrs -m reg \\\\x00 }",
    ]


def host_rules(context: Context) -> list[str]:
    """Host → site id → slot. A hostname whose site has gone (its entry is swept up later) is left to the
    wildcard around it. An unknown host costs three look-ups and a short answer."""
    at = context.places.map
    slot = f"http-request set-var(txn.slot) var(txn.sid),map({at(Maps.BACKENDS)})"
    unknown = "unless { var(txn.slot) -m found }"
    return [
        # The whole value: of "a.test, b.test" HAProxy's hdr would look at b.test, and an origin at a.test.
        "http-request set-var(txn.host) req.fhdr(host),host_only,rtrim(.)"
        " if { req.fhdr(host) -m reg -i ^[a-z0-9._-]+(:[0-9]*)?$ }",
        f"http-request set-var(txn.sid) var(txn.host),map({at(Maps.HOSTS)})",
        slot,
        f"http-request set-var(txn.sid) var(txn.host),field(2,.,0),map({at(Maps.WILDCARDS)}) {unknown}",
        f"{slot} {unknown}",
        f"http-request set-var(txn.sid) str({NO_SITE}) {unknown}",
        "http-request track-sc1 var(txn.sid) table sites",
    ]


def site_rules(context: Context) -> list[str]:
    """What the site wants; of an unknown one nothing is to be had."""
    return [
        "http-request return status 421 content-type text/plain"
        ' string "This server does not answer for that hostname.\\n" unless { var(txn.slot) -m found }',
        f"http-request set-var(txn.flags) var(txn.sid),map_str_int({context.places.map(Maps.FLAGS)})",
    ]


def allow_rules(context: Context) -> list[str]:
    """A source on the site's allow list: ``txn.free`` exempts it from every later refusal."""
    at = context.places.map
    flagged = f"{{ var(txn.flags),and({Flag.ALLOW}) -m bool }}"
    lines = []
    for step, (v4, v6) in enumerate(ALLOW_MASKS):
        lines += [
            f"http-request set-var(txn.net) src,ipmask({v4},{v6}) if {flagged}",
            f"http-request set-var(txn.free) var(txn.sid),concat(|{step}|,txn.net),map({at(Maps.ALLOW)})"
            f" if {flagged} !{{ var(txn.free) -m found }}",
        ]
    return lines


def https_rules(context: Context) -> list[str]:
    """Plain HTTP is led to HTTPS where the site wants it."""
    if context.https_port is None:
        return []
    port = "" if context.https_port == 443 else f":{context.https_port}"
    return [
        f"http-request redirect location https://%[var(txn.host)]{port}%[pathq] code 308"
        f" if {{ var(txn.flags),and({Flag.REDIRECT}) -m bool }} !{context.secure}",
    ]


def hsts_rules(context: Context) -> list[str]:
    """HSTS (RFC 6797), only ever over TLS."""
    return [
        'http-response set-header Strict-Transport-Security "max-age=31536000"'
        f" if {{ var(txn.flags),and({Flag.HSTS}) -m bool }} {context.secure}",
    ]
