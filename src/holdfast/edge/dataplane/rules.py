"""The request path: HAProxy's rules, in the one order that the design gives. Pure text.

Each section is a function named after its step; ``WEB_STEPS`` is the order. A step that a later issue
fills (clearance, signatures, challenge, priority) is listed there already, so that its place is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import ALLOW_MASKS, LIMIT_SECONDS
from holdfast.edge.dataplane.pages import CONTENT_SECURITY_POLICY, LANGUAGES, RECORD_FIELDS
from holdfast.edge.dataplane.picture import Flag, Maps

DECODED = "regsub(%3f,%253f,ig),url_dec"
"""A path with all but ``?`` decoded: see ``_path_rules``."""

BLOCKED, LIMITED = 0, 1
"""Indices of the general-purpose counters of a site in the table ``sites``."""

LONG_RESPONSE_BYTES = 262_144
"""A response at least this long, or of unknown length, or a WebSocket, is noted in the table ``open``."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the rules need to know beside the maps."""

    places: Places
    edge_id: str
    https_port: int | None
    """The public HTTPS port that redirects lead to; None: there is none."""


def connection_rules(context: Context) -> list[str]:
    """Step 1, where TCP is accepted: behind the internal hop HAProxy no longer sees the client.

    HAProxy itself keeps a ban's end, so that it ends even while the agent is dead."""
    return [
        f"tcp-request connection set-var(sess.ban) src,map_ip({context.places.map(Maps.BANS)})",
        "tcp-request connection set-var(sess.now) date if { var(sess.ban) -m found }",
        "tcp-request connection reject if { var(sess.ban) -m found } { var(sess.ban),sub(sess.now) gt 0 }",
    ]


def passthrough_rules(context: Context) -> list[str]:
    """SNI → site of service ``tcp`` → refused if blocked; everything else goes on to TLS by SNI."""
    at = context.places.map
    hello = "{ req.ssl_hello_type 1 }"
    known = "if { var(sess.slot) -m found }"
    unknown = "!{ var(sess.slot) -m found }"
    # As between web sites: a wildcard gives way to an exact hostname that is served, of whatever service.
    exact = f"{{ var(sess.sni),map({at(Maps.HOSTS)}),map({at(Maps.BACKENDS)}) -m found }}"
    return [
        "tcp-request inspect-delay 3s",
        f"tcp-request content set-var(sess.sni) req.ssl_sni,lower if {hello}",
        f"tcp-request content set-var(sess.sid) var(sess.sni),map({at(Maps.PASS_HOSTS)}) if {hello}",
        f"tcp-request content set-var(sess.slot) var(sess.sid),map({at(Maps.BACKENDS)}) if {hello}",
        f"tcp-request content set-var(sess.sid) var(sess.sni),field(2,.,0),map({at(Maps.PASS_WILDCARDS)})"
        f" if {hello} {unknown} !{exact}",
        f"tcp-request content set-var(sess.slot) var(sess.sid),map({at(Maps.BACKENDS)}) if {hello} {unknown}",
        f"tcp-request content track-sc1 var(sess.sid) table sites {known}",
        *_block_rules(context, "tcp-request content", "sess", "sni", "{ var(sess.slot) -m found }"),
        f"tcp-request content sc-inc-gpc({BLOCKED},1) if {{ var(sess.blk) -m found }}",
        "tcp-request content reject if { var(sess.blk) -m found }",
        "tcp-request content set-var-fmt(sess.stream) %rt",
        f"tcp-request content track-sc2 var(sess.stream),concat(|,sess.sni) table open {known}",
        f"tcp-request content accept if {hello}",
        "tcp-request content reject",
    ]


def gateway_rules(context: Context) -> list[str]:
    """What a gateway does for nobody: forward in circles (RFC 8586), and open a tunnel for HTTP, in which
    requests would reach the origin that no rule has seen. A WebSocket may have its tunnel: one over HTTP/2
    (RFC 8441) is no ``CONNECT`` here, as HAProxy has made an upgrade of it."""
    return [
        # An origin behind CGI or WSGI takes "_" for "-".
        "http-request del-header ^x[^a-z0-9]holdfast -m reg",
        "http-request return status 508 content-type text/plain"
        ' string "This request has been here before.\\n"'
        f" if {{ req.fhdr(cdn-loop) -m sub holdfast-{context.edge_id} }}",
        'http-request return status 405 content-type text/plain string "This server is no proxy.\\n"'
        ' hdr Allow "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" if { method CONNECT }',
        "http-request del-header Upgrade if { req.hdr(upgrade) -m beg -i h2 http tls }",
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
        "http-request return status 421 content-type text/plain"
        f' string "This server does not answer for that hostname.\\n" {unknown}',
        "http-request track-sc1 var(txn.sid) table sites",
    ]


def _block_rules(context: Context, when: str, scope: str, host: str, only: str = "") -> list[str]:
    """``SCOPE.blk``: the record of the widest block in force on the customer, the site or the hostname."""
    at = context.places.map
    lines = [f"{when} set-var({scope}.now) date" + (f" if {only}" if only else "")]
    for name, key in (
        (Maps.BLOCK_CUSTOMERS, f"var({scope}.sid),field(1,-)"),
        (Maps.BLOCK_SITES, f"var({scope}.sid)"),
        (Maps.BLOCK_HOSTS, f"var({scope}.{host})"),
    ):
        missing = f"!{{ var({scope}.blk) -m found }}"
        lines += [
            f"{when} set-var({scope}.blk) {key},map({at(name)}) if {f'{only} ' if only else ''}{missing}",
            _unless_ended(context, when, scope),
        ]
    return lines


def _unless_ended(context: Context, when: str, scope: str) -> str:
    """Passes over a block that has ended, by HAProxy's own clock, at once: it must not hide another one that
    has not. A block without a record (which the order of every plan prevents) stays in force."""
    records = context.places.map(Maps.BLOCK_RECORDS)
    end = f"var({scope}.blk),map({records}),field({_field('expires')},|)"
    return f"{when} unset-var({scope}.blk) if {{ {end},sub({scope}.now) le 0 }} !{{ {end} -m str 0 }}"


def enforcement_rules(context: Context) -> list[str]:
    """Is the customer, the site, the hostname or the path blocked? Then the block page, and no more."""
    found = "if { var(txn.blk) -m found }"
    return [
        *_block_rules(context, "http-request", "txn", "host"),
        *_path_rules(context),
        f"http-request set-var(txn.rec) var(txn.blk),map({context.places.map(Maps.BLOCK_RECORDS)}) {found}",
        f"http-request sc-inc-gpc({BLOCKED},1) {found}",
        *_page_rules(context),
    ]


def _path_rules(context: Context) -> list[str]:
    """The same normal form as ``model.path.normal_path``, made in place and undone: HAProxy normalises only
    the request itself. Done only for sites that have a blocked prefix. A path that cannot be decoded cannot
    be compared, so it is refused there. ``%3f`` stays as it is: decoded, set-path would end the path there,
    and ``/%3f/../x`` would pass for ``/``."""
    at = context.places.map
    asked = "if { var(txn.pathq) -m found }"
    prefix = f"var(txn.sid),concat(,txn.path),map_beg({at(Maps.BLOCK_PREFIXES)})"
    return [
        f"http-request set-var(txn.pathq) pathq if {{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
        " { path -m beg / } !{ var(txn.blk) -m found }",
        f"http-request set-var(txn.path) path,{DECODED} {asked}",
        'http-request return status 400 content-type text/plain string "This path is not well formed.\\n"'
        " if { var(txn.pathq) -m found } !{ var(txn.path) -m found }",
        f"http-request set-path %[var(txn.path)] {asked}",
        f"http-request normalize-uri path-merge-slashes {asked}",
        f"http-request normalize-uri path-strip-dot {asked}",
        f"http-request normalize-uri path-strip-dotdot full {asked}",
        f"http-request set-var(txn.path) path,rtrim(/),concat(/),lower {asked}",
        f"http-request set-var(txn.blk) {prefix} {asked}",
        _unless_ended(context, "http-request", "txn"),
        f"http-request set-pathq %[var(txn.pathq)] {asked}",
    ]


def _page_rules(context: Context) -> list[str]:
    blocked = "{ var(txn.blk) -m found }"
    legal = f"{{ var(txn.rec),field({_field('status')},|) -m str 451 }}"
    json = "{ req.fhdr(accept) -m sub -i /json +json } !{ req.fhdr(accept) -m sub -i text/html }"
    headers = (
        'hdr Cache-Control no-store hdr X-Content-Type-Options nosniff hdr Vary "Accept, Accept-Language"'
    )
    # A record is safe in HTML: in a header its escapes are undone (links have no others, see ``pages``).
    provider = f"var(txn.rec),field({_field('provider_url')},|),regsub(&#x27;,\\\\',g),regsub(&amp;,&,g)"
    blocked_by = f'hdr Link "<%[{provider}]>; rel=\\"blocked-by\\""'
    policy = f'hdr Content-Security-Policy "{CONTENT_SECURITY_POLICY}" hdr Referrer-Policy no-referrer'
    known = ";".join(LANGUAGES)
    lines = [
        f"http-request deny deny_status 403 if {blocked} !{{ var(txn.rec) -m found }}",
        # A region (de-AT) counts as its language: HAProxy compares whole tags only. It stops reading at
        # "q=0,", so what a visitor does not want is taken out before.
        "http-request set-var(txn.lang) \"req.fhdr(accept-language),lower,regsub('-[^,;]*',,g),"
        "regsub('[^,]*; *q=0,',,g),"
        f'language({known},{LANGUAGES[0]})" if {blocked}',
    ]
    document = f'lf-string "%[var(txn.blk),map({context.places.map(Maps.BLOCK_PROBLEMS)})]"'
    for status, condition in ((451, f"{blocked} {legal}"), (403, blocked)):
        told = f"{blocked_by} {headers}" if status == 451 else headers
        lines.append(
            f"http-request return status {status} content-type application/problem+json {document}"
            f" {told} if {condition} {json}"
        )
        for language in (*LANGUAGES[1:], LANGUAGES[0]):
            speaks = "" if language == LANGUAGES[0] else f" {{ var(txn.lang) -m str {language} }}"
            page = context.places.page(status, language)
            lines.append(
                f'http-request return status {status} content-type "text/html; charset=utf-8" lf-file {page}'
                f" hdr Content-Language {language} {told} {policy} if {condition}{speaks}"
            )
    return lines


def allow_rules(context: Context) -> list[str]:
    """A source on the site's allow list: ``txn.free`` exempts it from every later refusal."""
    at = context.places.map
    flagged = f"{{ var(txn.flags),and({Flag.ALLOW}) -m bool }}"
    lines = [f"http-request set-var(txn.flags) var(txn.sid),map_str_int({at(Maps.FLAGS)},0)"]
    for step, (v4, v6) in enumerate(ALLOW_MASKS):
        lines += [
            f"http-request set-var(txn.net) src,ipmask({v4},{v6}) if {flagged}",
            f"http-request set-var(txn.free) var(txn.sid),concat(|{step}|,txn.net),map({at(Maps.ALLOW)})"
            f" if {flagged} !{{ var(txn.free) -m found }}",
        ]
    return lines


def limit_rules(context: Context) -> list[str]:
    """Requests of one client (IPv4 address, IPv6 /64) to one site, over ten seconds."""
    at = context.places.map
    flagged = f"{{ var(txn.flags),and({Flag.LIMIT}) -m bool }} !{{ var(txn.free) -m found }}"
    over = f"if {flagged} {{ sc_http_req_rate(0),sub(txn.limit) gt 0 }}"
    return [
        f"http-request set-var(txn.net) src,ipmask(32,64) if {flagged}",
        f"http-request track-sc0 var(txn.sid),concat(|,txn.net) table clients if {flagged}",
        f"http-request set-var(txn.limit) var(txn.sid),map_str_int({at(Maps.LIMITS)},2147483647)"
        f" if {flagged}",
        f"http-request sc-inc-gpc({LIMITED},1) {over}",
        "http-request return status 429 content-type text/plain"
        f' string "Too many requests from your address; please try again in a moment.\\n"'
        f" hdr Retry-After {LIMIT_SECONDS} hdr Cache-Control no-store {over}",
    ]


def https_rules(context: Context) -> list[str]:
    """Plain HTTP is led to HTTPS where the site wants it; HSTS (RFC 6797) only ever over TLS."""
    if context.https_port is None:
        return []
    port = "" if context.https_port == 443 else f":{context.https_port}"
    return [
        f"http-request redirect location https://%[var(txn.host)]{port}%[pathq] code 308"
        f" if {{ var(txn.flags),and({Flag.REDIRECT}) -m bool }} !{{ ssl_fc }}",
        'http-response set-header Strict-Transport-Security "max-age=31536000"'
        f" if {{ var(txn.flags),and({Flag.HSTS}) -m bool }} {{ ssl_fc }}",
    ]


def open_rules(context: Context) -> list[str]:
    """What may stay open for long, once it begins to be sent.

    It is noted as ``NUMBER|host/path``, with the stream's own number, so that a later block can end it (see
    ``edge.ending``): sc2 of the response. A block that has come since the request passed, while it waited in
    the queue or for the origin, is enforced here, as nothing was open then that could have been ended. The
    path of such a one is compared without resolving dots, which HAProxy does for requests only.
    """
    at = context.places.map
    long = "{ var(txn.long) -m found }"
    blocked = "{ var(txn.blk) -m found }"
    late = f"{long} !{blocked}"
    prefixed = f"{{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
    legal = f"{{ var(txn.blk),map({at(Maps.BLOCK_RECORDS)}),field({_field('status')},|) -m str 451 }}"
    answer = (
        'content-type text/plain string "This has been blocked just now; ask again to see why.\\n"'
        " hdr Cache-Control no-store"
    )
    return [
        "http-request set-var-fmt(txn.stream) %rt",
        "http-request set-var(txn.opath) path",
        "http-response set-var(txn.long) bool(true) if { status 101 }"
        " or !{ res.hdr(content-length) -m found } !{ status 204 304 }"
        f" or {{ res.hdr_val(content-length) ge {LONG_RESPONSE_BYTES} }}",
        *_block_rules(context, "http-response", "txn", "host", long),
        f"http-response set-var(txn.path) var(txn.opath),{DECODED},regsub(/+,/,g),rtrim(/),concat(/),lower"
        f" if {late} {prefixed} !{{ var(txn.path) -m found }}",
        f"http-response set-var(txn.blk) var(txn.sid),concat(,txn.path),map_beg({at(Maps.BLOCK_PREFIXES)})"
        f" if {late} {{ var(txn.path) -m found }}",
        _unless_ended(context, "http-response", "txn"),
        f"http-response sc-inc-gpc({BLOCKED},1) if {blocked}",
        f"http-response return status 451 {answer} if {blocked} {legal}",
        f"http-response return status 403 {answer} if {blocked}",
        f"http-response track-sc2 var(txn.stream),concat(|,txn.host),concat(,txn.opath) table open if {long}",
    ]


def origin_rules(context: Context) -> list[str]:
    """On to the origin: who the client is, and that the request came through here (RFC 8586).

    What a client says of itself is left out, and which other path than the one judged it may mean, in the
    spellings too that CGI cannot tell apart. Nor may it name in ``Connection`` what the edge says: the next
    hop would have to remove that (RFC 9110, section 7.6.1)."""
    ours = "x-forwarded- x-holdfast- cdn-loop"
    theirs = "^(forwarded$|x[^a-z0-9](forwarded|real[^a-z0-9]ip$|(original|rewrite)[^a-z0-9]url$))"
    return [
        f"http-request del-header {theirs} -m reg",
        f"http-request del-header Connection if {{ req.hdr(connection) -m beg -i {ours} }}",
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        "http-request set-header X-Forwarded-Host %[req.fhdr(host)]",
        f"http-request add-header CDN-Loop holdfast-{context.edge_id}",
        "use_backend %[var(txn.slot)]",
    ]


def _reserved(context: Context) -> list[str]:
    return []


Step = tuple[str, Callable[[Context], list[str]]]

WEB_STEPS: tuple[Step, ...] = (
    ("connection: banned sources", connection_rules),
    ("gateway: no circles, no tunnels but WebSockets", gateway_rules),
    ("host: unknown ones are misdirected (421)", host_rules),
    ("enforcement: the block page", enforcement_rules),
    ("allow list: wins over every later rule", allow_rules),
    ("ceiling: hard limit of each client (reserved)", _reserved),
    ("clearance (reserved)", _reserved),
    ("limits", limit_rules),
    ("signatures (reserved)", _reserved),
    ("challenge (reserved)", _reserved),
    ("https: redirect and HSTS", https_rules),
    ("priority and the site's queue (reserved)", _reserved),
    ("open: what may stay open for long is noted", open_rules),
    ("origin", origin_rules),
)
"""The request path of a ``web`` site, in order."""

PASS_STEPS: tuple[Step, ...] = (
    ("connection: banned sources", connection_rules),
    ("sni: sites of service tcp, blocked ones refused", passthrough_rules),
)
"""The path of a connection to the TLS port, before TLS."""


def _field(name: str) -> int:
    """The position of a record's field as HAProxy's ``field`` converter counts."""
    return RECORD_FIELDS.index(name) + 1
