"""What one client may take of a site, and one site of the edge.

A client is an IPv4 address or an IPv6 /64; its counters are in the table ``clients``, keyed by client and
site (sc0). The rate is the generic cell rate algorithm (ITU-T I.371, annex A), so that the burst, the average
and the time to wait are exact: ``gpt0`` holds the theoretical arrival time in microseconds, modulo 2³².

Every rule here runs for every request: each costs a fortieth of a microsecond or more. A refusal is counted
by a condition of its own rule (``sc_inc_gpc``), which is evaluated only where those before it hold.
"""

from __future__ import annotations

from holdfast.edge.dataplane.limits import ANY, BYTES_SECONDS, DEFAULT, number
from holdfast.edge.dataplane.picture import Flag, Maps
from holdfast.edge.dataplane.reasons import QUEUED, WATCHED, Reason
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.features import AGENT, LINGERING, NAMES, NETWORK, bit
from holdfast.shield.features import Feature

WRAP = 4_294_967_295
"""``gpt0`` has 32 bits; differences are taken modulo 2³², and one from its upper half lies in the past. That
is right as long as nobody is remembered, or ahead, for half of 71 minutes."""
LEAST_SHARE = 8
"""Requests that a client may have at once even while a site with few slots is busy."""
FREE = "{ var(txn.free) -m found }"
OVER = "{ var(txn.wait) -m int gt 0 }"
MANY = f"{{ {number('at_once')},sub(txn.mine) lt 0 }}"
LONG = f"{{ var(txn.length) -m int gt 0 }} {{ {number('body')},sub(txn.length) lt 0 }}"
BUSY = "{ var(txn.room) -m int lt 0 }"
WATCHING = f"{{ var(txn.flags),and({Flag.WATCH}) -m bool }}"


def rate_rules(context: Context) -> list[str]:
    """The limits of a client. Its rate is charged only for what is within it."""
    return [
        # A mitigation may have set stricter ones.
        f"http-request set-var(txn.lim) var(txn.sid),map({context.places.map(Maps.LIMITS)},{DEFAULT})"
        " if !{ var(txn.lim) -m found }",
        f"http-request track-sc0 var({context.scope}.net),concat(|,txn.sid) table clients if !{FREE}",
        "http-request set-var(txn.us) date(0,us)",
        # Read once: another thread may charge the client's first request meanwhile.
        "http-request set-var(txn.tat) sc_get_gpt0(0)",
        f"http-request set-var(txn.ahead) var(txn.tat),sub(txn.us),and({WRAP})",
        # Long past; or a client that was not known before, or is not counted at all.
        f"http-request set-var(txn.ahead) int(0) if {{ var(txn.ahead) -m int gt {ANY} }}"
        " or { var(txn.tat) -m int eq 0 }",
        f"http-request set-var(txn.wait) {number('tolerance')},sub(txn.ahead),neg"
        " if { var(txn.ahead) -m int gt 0 }",
        _refusal(
            Reason.RATE,
            OVER,
            # A second begun is a second to wait: Retry-After has no fractions (RFC 9110, section 10.2.3).
            _too_many(Reason.RATE, "please wait a moment", "%[var(txn.wait),add(999999),div(1000000)]"),
        ),
        f"http-request sc-set-gpt0(0) {number('interval')},add(txn.us),add(txn.ahead),and({WRAP}) if !{OVER}",
        "http-request set-var(txn.mine) sc_conn_cur(0)",
        _refusal(Reason.AT_ONCE, MANY, _too_many(Reason.AT_ONCE, "fewer at the same time, please", "1")),
        "http-request set-var(txn.all) sc_conn_cur(1)",
        f"http-request set-var(txn.room) {number('slots')},sub(txn.all)",
        f"http-request set-var(txn.length) req.body_size if !{FREE}",
        _refusal(
            Reason.BODY,
            LONG,
            'status 413 content-type text/plain string "This request is longer than the site takes.\\n"'
            f" {_id(Reason.BODY)}",
        ),
    ]


def leave_rules(context: Context) -> list[str]:
    """Nothing that follows concerns a site that has slots left and no wish of its own."""
    return [f"http-request allow if !{BUSY} !{{ var(txn.flags) -m found }}"]


def watch_rules(context: Context) -> list[str]:
    """What a site that only watches would have refused."""
    return [
        _watched(Reason.RATE, OVER),
        _watched(Reason.AT_ONCE, MANY),
        _watched(Reason.BODY, LONG),
        *_byte_rules(),
    ]


def _refusal(reason: Reason, condition: str, answer: str) -> str:
    return f"http-request return {answer} if {condition} !{WATCHING} {{ sc_inc_gpc({reason},1) gt 0 }}"


def _watched(reason: Reason, condition: str) -> str:
    return f"http-request sc-inc-gpc({WATCHED + reason},1) if {WATCHING} {condition}"


def _too_many(reason: Reason, words: str, wait: str) -> str:
    return (
        f'status 429 content-type text/plain string "Too many requests from your address: {words}.\\n"'
        f" hdr Retry-After {wait} hdr Cache-Control no-store {_id(reason)}"
    )


def _id(reason: Reason) -> str:
    """For ``holdfast explain``. A mitigation that sets stricter limits comes before it."""
    return f"hdr X-Holdfast-Id %[var(txn.by)]limit-{reason.name.lower()}.%[date]"


def _byte_rules() -> list[str]:
    """Bytes are known once they have passed: what is over refuses the next requests."""
    asked = f"if {{ var(txn.flags),and({Flag.BYTES}) -m bool }}"
    over = f"{{ var(txn.bytes) -m found }} {{ {number('bytes')},sub(txn.bytes) lt 0 }}"
    return [
        f"http-request set-var(txn.bytes) sc_bytes_in_rate(0) {asked}",
        f"http-request set-var(txn.bytes) sc_bytes_out_rate(0),add(txn.bytes) {asked}",
        _refusal(
            Reason.BYTES,
            over,
            _too_many(Reason.BYTES, "too much data, please wait a moment", str(BYTES_SECONDS)),
        ),
        _watched(Reason.BYTES, over),
    ]


WITH_NETWORKS = 2
AHEAD = 8
ODD = 600
"""Added to a request's class in the queue for each way in which it is unlike the site's usual ones: more than
the requests that one client may have open there."""


def _familiarity_rules(context: Context) -> list[str]:
    """While a site that is under suspicion is busy, what looks like its usual traffic goes first and has more
    places: its agent, the order of its headers, its network; whoever holds a clearance is as good as known.
    Half of the queue is for everybody, three quarters for what is unlike in one way only."""
    at = context.places.map
    graded = (
        f"{BUSY} !{FREE} !{{ var(txn.clr) -m found }} {{ var(txn.sid),map({at(Maps.FAMILIAR)}) -m found }}"
    )
    # The networks are told only once there is a suspicion: they are many.
    told = f"{{ var(txn.sid),map({at(Maps.FAMILIAR)}) -m str {WITH_NETWORKS} }}"
    odd = "http-request set-var(txn.odd)"
    mitigated = f"{{ var(txn.mask),and({bit(LINGERING) - 1}) -m bool }}"
    lines = [
        f"{odd} int(0) if {BUSY}",
        f"http-request set-var(txn.spare) var(txn.places) if {BUSY} {mitigated}",
    ]
    for feature, expression in (
        (Feature.AGENT, AGENT),
        # Those that were added here since come last, and are none of the client's.
        (Feature.NAMES, NAMES.replace(",xxh3", ",regsub(:x-forwarded-for:.*,),xxh3")),
        (Feature.NETWORK, NETWORK),
    ):
        known = f"var(txn.sid),concat(|{feature}|,txn.f{feature}),map({at(Maps.FAMILIAR)})"
        asked = f"{graded} {told}" if feature is Feature.NETWORK else graded
        lines += [
            f"http-request set-var(txn.f{feature}) {expression} if {asked}",
            f"{odd} var(txn.odd),add({ODD}) if {asked} !{{ {known} -m found }}",
        ]
    places = "http-request set-var(txn.places) var(txn.places)"
    return [
        *lines,
        f"{places},mul(3),div(4) if {graded} {{ var(txn.odd) -m int {ODD} }}",
        f"{places},div(2) if {graded} {{ var(txn.odd) -m int gt {ODD} }}",
        # What no signature matches comes before, and has places beside, what the flood had sent until then.
        f"{places},add(txn.spare) if {BUSY} {mitigated}",
        f"{odd} var(txn.odd),div({AHEAD}) if {BUSY} {mitigated}",
    ]


def busy_rules(context: Context) -> list[str]:
    """A site is busy when its origins have no slot left. Only then does a client's share of half the slots
    count, and only so many may wait. No site may take more than half of the connections of a port, whatever
    it is set to. In the queue, clients with few requests open go first. A body is awaited here and not in a
    slot, as far as HAProxy's buffer holds it; a gRPC stream may never end, so it is not."""
    most = max(1, min(context.plain_budget, context.tls_budget or context.plain_budget) // 2)
    full = (
        f'status 503 content-type "text/html; charset=utf-8" file {context.places.origin_page}'
        f" hdr Retry-After 5 hdr Cache-Control no-store {_id(Reason.QUEUE)}"
    )
    half = f"{number('slots')},div(2),sub(txn.mine)"
    crowding = f"{BUSY} !{FREE} {{ sc_conn_cur(0) gt {LEAST_SHARE} }} {{ {half} lt 0 }}"
    # Not txn.room: what was ended, or has given its slot back, counts there until its client has noticed.
    # Of a slow one that is two minutes, in which it would have a place in the queue.
    beyond = f"{BUSY} !{FREE} {{ var(txn.places),sub(txn.queued) le 0 }}"
    waits = f"{BUSY} !{FREE} !{{ req.fhdr(content-type) -m beg application/grpc }}"
    return [
        _refusal(
            Reason.AT_ONCE,
            crowding,
            _too_many(Reason.AT_ONCE, "this site is busy, fewer at the same time", "1"),
        ),
        _watched(Reason.AT_ONCE, crowding),
        f"http-request set-var(txn.queued) queue if {BUSY}",
        f"http-request set-var(txn.places) {number('queue')} if {BUSY}",
        *_familiarity_rules(context),
        _refusal(Reason.QUEUE, beyond, full),
        _watched(Reason.QUEUE, beyond),
        f"http-request return {full} if {BUSY} {{ sc_conn_cur(1) gt {most} }}"
        f" {{ sc_inc_gpc({Reason.QUEUE},1) gt 0 }}",
        f"http-request sc-inc-gpc({QUEUED},1) if {BUSY}",
        f"http-request set-var(txn.class) sc_conn_cur(0),add(txn.odd) if {BUSY}",
        f"http-request set-priority-class var(txn.class) if {BUSY}",
        f"http-request wait-for-body time 5s at-least 8192 if {waits} {{ req.body_size gt 0 }}"
        f" or {waits} {{ req.fhdr(transfer-encoding) -m found }}",
    ]
