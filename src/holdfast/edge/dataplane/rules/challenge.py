"""The challenge: a page with a timed, signed link. Who waits and follows it gets a clearance.

HAProxy makes and checks it all by itself. The link says when it was made, a number that becomes the id of the
clearance (so that a link that many follow earns one clearance), and where the visitor wanted to go.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import CONTINUE, POLICY, WAIT_SECONDS
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.shield import CLEARED, COOKIE, FREE, MATCHED

LINK_SECONDS: Final = 300
"""How long a link is honoured."""
CLEARANCE_SECONDS: Final = 3600
EARNED_PER_NETWORK: Final = 120
"""Clearances that a network (/24, /48) may earn by links in ten minutes: enough for visitors behind a shared
address, and little for a farm of bots."""
EARNED_SECONDS: Final = 600
LONGEST_TARGET: Final = 1200
"""Bytes of path and query that a visitor is brought back to; a longer one leads to the front page."""
OWN: Final = "{ var(txn.own) -m bool }"
EARNED: Final = "{ var(txn.earned) -m bool }"
GENUINE: Final = "{ var(txn.mac),strcmp(txn.s) eq 0 }"
"""A link of ours, of whatever age."""
ASKED: Final = "{ var(txn.ask) -m bool }"


def challenge_rules(context: Context) -> list[str]:
    at = context.places.map
    challenged = f"{MATCHED} {{ var(txn.sg),field(1,|) -m str challenge }} !{CLEARED}"
    return [
        f"http-request set-var(txn.own) bool(true) if {{ path {CONTINUE} }}",
        f"http-request set-var(txn.ask) bool(true) if {OWN} or {challenged}",
        # Everybody else leaves.
        f"http-request allow if !{ASKED}",
        f"http-request set-var(txn.kid) str(now),map({at(Maps.KEY_IDS)})",
        f"http-request set-var(txn.lkey) var(txn.kid),map({at(Maps.KEYS)})",
        "http-request set-var(txn.lkey) var(txn.lkey),base64",
        *_check_link(),
        *_give_clearance(context),
        *_make_link(),
        *_page(context),
    ]


def _check_link() -> list[str]:
    """The link is ours, old enough, not too old, and its network has not earned too much."""
    fields = [f"http-request set-var(txn.{name}) url_param({name}) if {OWN}" for name in "tnws"]
    return [
        *fields,
        f"http-request track-sc0 src,ipmask(24,48) table earned if {OWN} !{FREE}",
        f'http-request set-var-fmt(txn.sum) "{_SUM}" if {OWN}',
        f"http-request set-var(txn.mac) var(txn.sum),hmac(sha256,txn.lkey),hex,lower if {OWN}",
        f"http-request set-var(txn.age) var(txn.t),neg,add(txn.now) if {OWN}",
        f"http-request set-var(txn.earned) bool(true) if {OWN} {GENUINE}"
        f" {{ var(txn.age) -m int ge {WAIT_SECONDS} }} {{ var(txn.age) -m int le {LINK_SECONDS} }}"
        f" {{ sc_inc_gpc0(0) gt 0 }} {{ sc_gpc0_rate(0) le {EARNED_PER_NETWORK} }}",
    ]


_SUM = "%[var(txn.sid)]|%[var(txn.t)]|%[var(txn.n)]|%[var(txn.w)]"


def _give_clearance(context: Context) -> list[str]:
    """The token, and back to where the visitor wanted to go: on this host, whatever the path begins with."""
    cookie = (
        f"{COOKIE}=%[var(txn.token)].%[var(txn.token),hmac(sha256,txn.lkey),ub64enc]; Path=/;"
        f" Max-Age={CLEARANCE_SECONDS}; HttpOnly; SameSite=Lax"
    )
    back = "%[req.fhdr(host)]%[var(txn.w),ub64dec]"
    answer = (
        'http-request return status 303 content-type text/plain string "Go on.\\n" hdr Cache-Control no-store'
    )
    return [
        # Who needs none goes on without another: a second tab, a source that the site allows by now.
        *(
            f'{answer} hdr Location "{scheme}://{back}" if {OWN} {GENUINE} {need}{condition}'
            for need in (CLEARED, FREE)
            for scheme, condition in (("https", f" {context.secure}"), ("http", ""))
        ),
        f"http-request set-var(txn.end) var(txn.now),add({CLEARANCE_SECONDS}) if {EARNED}",
        'http-request set-var-fmt(txn.head) "{\\"alg\\":\\"HS256\\",\\"typ\\":\\"JWT\\",'
        f'\\"kid\\":\\"%[var(txn.kid)]\\"}}" if {EARNED}',
        'http-request set-var-fmt(txn.body) "{\\"site\\":\\"%[var(txn.sid)]\\",\\"exp\\":%[var(txn.end)],'
        f'\\"jti\\":\\"%[var(txn.n)]\\",\\"how\\":\\"link\\"}}" if {EARNED}',
        f"http-request set-var(txn.body) var(txn.body),ub64enc if {EARNED}",
        f"http-request set-var(txn.token) var(txn.head),ub64enc,concat(.,txn.body) if {EARNED}",
        f"http-request sc-inc-gpc({Verdict.EARNED},1) if {EARNED}",
        f'{answer} hdr Location "https://{back}" hdr Set-Cookie "{cookie}; Secure"'
        f" if {EARNED} {context.secure}",
        f'{answer} hdr Location "http://{back}" hdr Set-Cookie "{cookie}" if {EARNED}',
    ]


def _make_link() -> list[str]:
    return [
        # What somebody else has made up is not signed.
        f"http-request unset-var(txn.w) if {OWN} !{GENUINE}",
        "http-request set-var(txn.w) pathq,ub64enc"
        f" if !{OWN} {{ method GET HEAD }} {{ pathq,length le {LONGEST_TARGET} }}",
        "http-request set-var(txn.w) str(/),ub64enc if !{ var(txn.w) -m found }",
        "http-request set-var(txn.t) date",
        "http-request set-var(txn.n) uuid",
        f'http-request set-var-fmt(txn.sum) "{_SUM}"',
        "http-request set-var(txn.mac) var(txn.sum),hmac(sha256,txn.lkey),hex,lower",
    ]


def _page(context: Context) -> list[str]:
    """Programs get plain words: none of them follows a link in a page."""
    headers = (
        "hdr Cache-Control no-store hdr X-Holdfast-Challenge link hdr X-Content-Type-Options nosniff"
        ' hdr Referrer-Policy same-origin hdr X-Robots-Tag noindex hdr Vary "Accept, Cookie"'
    )
    words = (
        "This site is being attacked. Please come again in a few minutes, or with a browser"
        " (%[var(txn.sg),field(2,|)]).\\n"
    )
    return [
        f'http-request return status 403 content-type text/plain lf-string "{words}" {headers}'
        " hdr Retry-After 60 if { req.fhdr(accept) -m found } !{ req.fhdr(accept) -m sub text/html */* }"
        f" {{ sc_inc_gpc({Verdict.CHALLENGED},1) gt 0 }}",
        'http-request return status 403 content-type "text/html; charset=utf-8"'
        f" lf-file {context.places.challenge_page} {headers}"
        f' hdr Content-Security-Policy "{POLICY}"'
        f" if {{ sc_inc_gpc({Verdict.CHALLENGED},1) gt 0 }}",
    ]
