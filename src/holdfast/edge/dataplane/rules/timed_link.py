"""The timed link: the way through a challenge without JavaScript. It says when it was made, a number of its
own and where the visitor wanted to go, and is signed for one host. Who follows it in time earns a clearance,
whose id is the link's number: however many follow one link, they share one clearance.

One HMAC serves twice: its first half signs the link, its second half, which nobody sees, chooses the number
that a proof of work has to find (``proof``).
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import CONTINUE, WAIT_SECONDS
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules.context import Context

LINK_SECONDS: Final = 300
"""How long a link is honoured."""
LINKS_PER_NETWORK: Final = 120
"""Clearances that a network (/24, /48) may earn by links in ten minutes: enough for visitors behind a shared
address, and little for a farm of bots that ask for nothing but patience."""
LONGEST_TARGET: Final = 1200
"""Bytes of path and query that a visitor is brought back to; a longer one leads to the front page."""
HALF: Final = 32
"""Hexadecimal digits of half an HMAC-SHA256."""
_SUM: Final = "link|%[var(txn.host)]|%[var(txn.k)]|%[var(txn.t)]|%[var(txn.n)]|%[var(txn.w)]"


FOLLOWS: Final = f"{{ path {CONTINUE} }}"


def check(context: Context) -> list[str]:
    """``txn.genuine``, ``txn.timely``, and what the clearance is made of."""
    genuine = f"{FOLLOWS} {{ var(txn.genuine) -m bool }}"
    return [
        *(f"http-request set-var(txn.{name}) url_param({name}) if {FOLLOWS}" for name in "ktnws"),
        f"http-request set-var(txn.lkey) var(txn.k),map({context.places.map(Maps.KEYS)}),base64 if {FOLLOWS}",
        f'http-request set-var-fmt(txn.sum) "{_SUM}" if {FOLLOWS}',
        f"http-request set-var(txn.mac) var(txn.sum),hmac(sha256,txn.lkey),hex,lower,bytes(0,{HALF})"
        f" if {FOLLOWS} {{ var(txn.lkey) -m found }}",
        f"http-request set-var(txn.genuine) var(txn.mac),secure_memcmp(txn.s)"
        f" if {FOLLOWS} {{ var(txn.s) -m found }}",
        f"http-request set-var(txn.age) var(txn.t),neg,add(txn.now) if {genuine}",
        f"http-request set-var(txn.timely) bool(true) if {genuine}"
        f" {{ var(txn.age) -m int ge {WAIT_SECONDS} }} {{ var(txn.age) -m int le {LINK_SECONDS} }}",
        f"http-request set-var(txn.born) var(txn.t) if {genuine}",
        f"http-request set-var(txn.how) str(link) if {genuine}",
        # What somebody else has made up is not signed.
        f"http-request unset-var(txn.w) if {FOLLOWS} !{{ var(txn.genuine) -m bool }}",
    ]


def way_back() -> list[str]:
    """``txn.w``: what the browser says it comes from, if that is a page of this host; else the front page."""
    page = "req.fhdr(referer),regsub(^https?://[^/]*,)"
    # Not back to the page that waits, and nothing that could end a header.
    fit = f"{{ {page} -m reg ^/(?!\\.well-known/holdfast/)[!-~]*$ }} {{ {page},length le {LONGEST_TARGET} }}"
    missing = "!{ var(txn.w) -m found }"
    return [
        "http-request set-var(txn.authority) req.fhdr(host)",
        f"http-request set-var(txn.w) {page},ub64enc if {missing} {fit}"
        " { req.fhdr(referer) -m beg http:// https:// }"
        " { req.fhdr(referer),field(3,/),strcmp(txn.authority) eq 0 }",
        f"http-request set-var(txn.w) str(/),ub64enc if {missing}",
    ]


def make(context: Context) -> list[str]:
    """A new one, for the page: ``txn.k``, ``t``, ``n`` and ``s``; and the other half of ``txn.mac``, which is
    a secret."""
    return [
        f"http-request set-var(txn.now_key) str(now),map({context.places.map(Maps.KEY_IDS)})",
        "http-request set-var(txn.k) var(txn.now_key),field(1,|)",
        "http-request set-var(txn.lkey) var(txn.now_key),field(2,|)",
        "http-request set-var(txn.t) var(txn.now)",
        "http-request set-var(txn.n) uuid",
        f'http-request set-var-fmt(txn.sum) "{_SUM}"',
        "http-request set-var(txn.mac) var(txn.sum),hmac(sha256,txn.lkey),hex,lower",
        f"http-request set-var(txn.s) var(txn.mac),bytes(0,{HALF})",
    ]
