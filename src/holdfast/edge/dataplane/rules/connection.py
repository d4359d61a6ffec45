"""Step 1: connections, where TCP is accepted; behind the internal hop HAProxy no longer sees the client.

A source is an IPv4 address or an IPv6 /64. Addresses are shared, so whatever some site allows or has cleared
is never refused here. HAProxy itself keeps a ban's end, so that it ends even while the agent is dead.
"""

from __future__ import annotations

from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import Refusal
from holdfast.edge.dataplane.rules.context import HOP_ID, Context

CONNECTION_SECONDS = 10
"""New connections are counted over this window."""
SOURCE = "src,ipmask(32,64)"
TIGHT = 8
"""While a listener is three quarters full a source may hold this part of its usual connections."""


def plain_connection_rules(context: Context) -> list[str]:
    """Of the plain ports. A source's open connections are counted only once a port is a quarter full: the
    counter (sc2) is then no longer free for the response, see ``open_rules``. Its new ones are counted by its
    address, for which HAProxy has no mask: so the address is masked for a moment."""
    on, only = _where(context)
    count = [
        f"{on} set-var(sess.src) src{only}",
        f"{on} set-src {SOURCE}{only}",
        f"{on} set-var(sess.news) src_inc_gpc0(sources){only}",
        f"{on} set-var(sess.news) src_gpc0_rate(sources){only}",
        f"{on} set-src var(sess.src){only}",
        f"{on} track-sc2 {SOURCE} table sources if {{ dst_conn gt {context.plain_budget // 4} }}"
        f"{only.replace(' if', '')}",
    ]
    return [*_proxied(context), *count, *_judged(context, on, only, 2, context.plain_budget)]


def tls_connection_rules(context: Context) -> list[str]:
    """Of the TLS ports, before any handshake."""
    on, only = _where(context)
    count = [
        f"{on} track-sc0 {SOURCE} table sources{only}",
        f"{on} sc-inc-gpc0(0){only}",
        f"{on} set-var(sess.news) sc_gpc0_rate(0){only}",
    ]
    return [*_proxied(context), *count, *_judged(context, on, only, 0, context.tls_budget)]


def _proxied(context: Context) -> list[str]:
    if not context.proxies:
        return []
    return [f"tcp-request connection expect-proxy layer4 if {{ src {' '.join(context.proxies)} }}"]


def _where(context: Context) -> tuple[str, str]:
    """When the client's address is known: at once, or after the PROXY protocol; the hop, which the latter
    would meet again, is left out."""
    if context.proxies:
        return "tcp-request session", f" if !{{ so_id {HOP_ID} }}"
    return "tcp-request connection", ""


def _judged(context: Context, on: str, only: str, counter: int, budget: int) -> list[str]:
    """``sess.over``: why the connection is to be refused, if it is."""
    at = context.places.map
    here = only.removeprefix(" if ")
    over = "{ var(sess.over) -m found }"
    trusted = (*context.proxies, *context.forwarders)
    counted = f" {here}" if here else ""
    if trusted:  # many clients stand behind one of these
        counted += f" !{{ src {' '.join(trusted)} }}"
    most, tight = context.connections_at_once, max(1, context.connections_at_once // TIGHT)
    lines = [
        f"{on} set-var(sess.ban) src,map_ip({at(Maps.BANS)}){only}",
        f"{on} set-var(sess.over) int({Refusal.RATE})"
        f" if {{ var(sess.news) -m int gt {context.connections_per_second * CONNECTION_SECONDS} }}{counted}",
        f"{on} set-var(sess.over) int({Refusal.AT_ONCE}) if {{ sc_conn_cur({counter}) gt {most} }}{counted}",
        f"{on} set-var(sess.over) int({Refusal.AT_ONCE}) if {{ sc_conn_cur({counter}) gt {tight} }}"
        f" {{ dst_conn gt {budget * 3 // 4} }}{counted}",
        f"{on} set-var(sess.now) date if {{ var(sess.ban) -m found }} or {over}",
        f"{on} set-var(sess.over) int({Refusal.BANNED})"
        " if { var(sess.ban) -m found } { var(sess.ban),sub(sess.now) gt 0 }",
        f"{on} unset-var(sess.over) if {over} {{ src,map_ip({at(Maps.SPARED)}) -m found }}",
        f"{on} unset-var(sess.over) if {over} {{ src,map_ip({at(Maps.CLEARED)}),sub(sess.now) gt 0 }}",
    ]
    if context.watch_only:
        lines += [_count(on, refusal, refusal.watched) for refusal in (Refusal.RATE, Refusal.AT_ONCE)]
        lines.append(f"{on} unset-var(sess.over) if {over} !{{ var(sess.over) -m int {Refusal.BANNED} }}")
    lines += [
        *(_count(on, refusal, refusal.counter) for refusal in Refusal),
        f"{on} reject if {over}",
    ]
    return lines


def _count(on: str, refusal: Refusal, name: str) -> str:
    return f"{on} set-var({name}) var({name}),add(1) if {{ var(sess.over) -m int {refusal} }}"


def client_rules(context: Context) -> list[str]:
    """The client as text: its address, the network by which it is counted, and RFC 7239's form of it (section
    6: an IPv6 address stands in brackets and quotes)."""
    on = "http-request" if context.forwarders else "tcp-request session"
    scope = context.scope
    return [
        f"{on} set-var({scope}.ip) src,concat()",
        f"{on} set-var({scope}.net) src,ipmask(32,64),concat()",
        f"{on} set-var-fmt({scope}.for) for=%[src] unless {{ src -m sub : }}",
        f'{on} set-var-fmt({scope}.for) "for=\\"[%[src]]\\"" if {{ src -m sub : }}',
    ]


def forwarder_rules(context: Context) -> list[str]:
    """Behind a balancer that speaks HTTP the client's address comes with each request: the last entry of
    ``X-Forwarded-For``, which the balancer itself has written. Bans are looked up here then."""
    if not context.forwarders:
        return []
    at = context.places.map
    via = "{ var(txn.via) -m bool }"
    banned = f"{via} {{ var(txn.ban) -m found }} {{ var(txn.ban),sub(txn.now) gt 0 }}"
    spared = f"!{{ src,map_ip({at(Maps.SPARED)}) -m found }}"
    cleared = f"!{{ src,map_ip({at(Maps.CLEARED)}),sub(txn.now) gt 0 }}"
    counter = Refusal.BANNED.counter
    return [
        f"http-request set-var(txn.via) bool(true) if {{ src {' '.join(context.forwarders)} }}",
        "http-request set-var(txn.https) bool(true) if { ssl_fc }",
        f"http-request set-var(txn.https) bool(true) if {via}"
        " { req.fhdr(x-forwarded-proto) -m str -i https }",
        f"http-request set-src req.hdr_ip(x-forwarded-for,-1) if {via}",
        f"http-request set-var(txn.now) date if {via}",
        f"http-request set-var(txn.ban) src,map_ip({at(Maps.BANS)}) if {via}",
        f"http-request set-var({counter}) var({counter}),add(1) if {banned} {spared} {cleared}",
        f"http-request deny deny_status 403 if {banned} {spared} {cleared}",
    ]
