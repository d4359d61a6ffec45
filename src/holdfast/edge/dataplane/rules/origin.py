"""The last steps: what may stay open for long is noted; headers for the origin; to the site's slot."""

from __future__ import annotations

from holdfast.edge.dataplane.picture import Flag, Maps
from holdfast.edge.dataplane.reasons import Reason
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.enforcement import DECODED, block_rules, field_of, unless_ended

LONG_RESPONSE_BYTES = 262_144
"""A response at least this long, or of unknown length, or a WebSocket, is noted in the table ``open``."""


def open_rules(context: Context) -> list[str]:
    """What may stay open for long, once it begins to be sent.

    It is noted as ``NUMBER|CLIENT|host/path``, with the stream's own number, so that a later block can end it
    (see ``edge.ending``) and relief knows whose it is: sc2. A block that has come since the request passed,
    while it waited in the queue or for the origin, is enforced here, as nothing was open then that could have
    been ended. The path of such a one is compared without resolving dots, which HAProxy does for requests
    only.
    """
    at = context.places.map
    blocked = "{ var(txn.blk) -m found }"
    late = "!{ var(txn.blk) -m found }"
    prefixed = f"{{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
    legal = f"{{ var(txn.blk),map({at(Maps.BLOCK_RECORDS)}),field({field_of('status')},|) -m str 451 }}"
    answer = (
        'content-type text/plain string "This has been blocked just now; ask again to see why.\\n"'
        " hdr Cache-Control no-store"
    )
    return [
        "http-request set-var(txn.opath) path",
        # What is sent slowly has no response yet: relief must find whose it is.
        "http-request set-var-fmt(txn.stream) %rt unless { method GET HEAD }",
        f"http-request track-sc2 {_note(context)} table open unless {{ method GET HEAD }}",
        "http-response allow if { res.hdr(content-length) -m found } !{ status 101 }"
        f" {{ res.body_size lt {LONG_RESPONSE_BYTES} }}",
        "http-response allow if { status 204 304 }",
        *block_rules(context, "http-response", "txn", "host"),
        f"http-response set-var(txn.path) var(txn.opath),{DECODED},regsub(/+,/,g),rtrim(/),concat(/),lower"
        f" if {late} {prefixed} !{{ var(txn.path) -m found }}",
        f"http-response set-var(txn.blk) var(txn.sid),concat(,txn.path),map_beg({at(Maps.BLOCK_PREFIXES)})"
        f" if {late} {{ var(txn.path) -m found }}",
        unless_ended(context, "http-response", "txn"),
        f"http-response sc-inc-gpc({Reason.BLOCKED},1) if {blocked}",
        f"http-response return status 451 {answer} if {blocked} {legal}",
        f"http-response return status 403 {answer} if {blocked}",
        "http-response set-var-fmt(txn.stream) %rt if !{ var(txn.stream) -m found }",
        f"http-response track-sc2 {_note(context)} table open",
    ]


def _note(context: Context) -> str:
    """Behind the TLS port, and behind balancers, HAProxy tells nowhere else whose a stream is."""
    return f"var(txn.stream),concat(|,{context.scope}.ip),concat(|,txn.host),concat(,txn.opath)"


def origin_rules(context: Context) -> list[str]:
    """On to the origin: who the client is, and that the request came through here (RFC 8586).

    What a client says of itself is left out, and which other path than the one judged it may mean, in the
    spellings too that CGI cannot tell apart. Nor may it name in ``Connection`` what the edge says, or what
    frames a request: the next hop would have to remove that (RFC 9110, section 7.6.1)."""
    ours = (
        "x-forwarded- x-real-ip forwarded x-holdfast- cdn-loop host content-length transfer-encoding trailer"
    )
    theirs = "^(x[^a-z0-9](forwarded|holdfast|real[^a-z0-9]ip$|(original|rewrite)[^a-z0-9]url$)|forwarded$)"
    secure, plain = f"if {context.secure}", f"unless {context.secure}"
    return [
        # Nearly all requests have none: one look at all names is cheaper than a look at each.
        f"http-request del-header {theirs} -m reg"
        " if { req.hdr_names(:) -m sub forwarded holdfast real original rewrite }",
        f"http-request del-header Connection if {{ req.hdr(connection) -m beg -i {ours} }}",
        f"http-request add-header X-Forwarded-For %[var({context.scope}.ip)]",
        f"http-request add-header X-Real-IP %[var({context.scope}.ip)]",
        f"http-request add-header Forwarded %[var({context.scope}.for)]",
        f"http-request add-header X-Forwarded-Proto https {secure}",
        f"http-request add-header X-Forwarded-Proto http {plain}",
        f"http-request add-header CDN-Loop holdfast-{context.edge_id}",
    ]


def route_rules(context: Context) -> list[str]:
    """To the site's slot."""
    return ["use_backend %[var(txn.slot)]"]


def signing_rules(context: Context) -> list[str]:
    """A signature by which an origin knows what came through here, with the site's own key (HMAC-SHA256,
    RFC 2104): a key of the whole edge would let each customer reach the origins of all others."""
    asked = f"{{ var(txn.flags),and({Flag.SIGN}) -m bool }}"
    known = "{ var(txn.key) -m found }"
    absolute = "{ var(txn.target) -m reg ^[a-zA-Z][a-zA-Z0-9+.-]*:// }"
    return [
        f"http-request set-var(txn.key) var(txn.sid),map({context.places.map(Maps.SIGNING)}) if {asked}",
        # Origins differ in what they make of an absolute target: they get the path only, as RFC 9112 (section
        # 3.2.1) has it. Of "*" HAProxy knows no path.
        f"http-request set-var(txn.target) url if {known}",
        f"http-request set-uri %[pathq] if {known} {absolute} {{ pathq -m beg / }} !{{ req.ver 2.0 }}",
        f"http-request set-uri / if {known} {absolute} !{{ pathq -m beg / }} !{{ req.ver 2.0 }}",
        f"http-request set-var(txn.target) pathq if {known} {absolute}",
        f"http-request set-var(txn.time) date if {known}",
        "http-request set-var-fmt(txn.signed)"
        f' "%[var(txn.time)]|%[var({context.scope}.ip)]|%[method]|%[req.fhdr(host)]|%[var(txn.target)]"'
        f" if {known}",
        "http-request set-header X-Holdfast-Signature"
        f' "t=%[var(txn.time)];c=%[var({context.scope}.ip)];'
        f's=%[var(txn.signed),hmac(sha256,txn.key),hex,lower]" if {known}',
    ]
