"""TLS that is passed through unopened: by SNI to a site of service ``tcp``."""

from __future__ import annotations

from holdfast.edge.dataplane.limits import DEFAULT, number
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import QUEUED, Reason
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.enforcement import block_rules


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
        *block_rules(context, "tcp-request content", "sess", "sni", "{ var(sess.slot) -m found }"),
        f"tcp-request content sc-inc-gpc({Reason.BLOCKED},1) if {{ var(sess.blk) -m found }}",
        "tcp-request content reject if { var(sess.blk) -m found }",
        f"tcp-request content set-var(sess.lim) var(sess.sid),map({at(Maps.LIMITS)},{DEFAULT}) {known}",
        f"tcp-request content set-var(sess.all) sc_conn_cur(1) {known}",
        f"tcp-request content set-var(sess.room) {number('slots', 'var(sess.lim)')},sub(sess.all) {known}",
        "tcp-request content reject if { var(sess.room) -m int lt 0 }"
        f" {{ {number('queue', 'var(sess.lim)')},add(sess.room) lt 0 }}"
        f" {{ sc_inc_gpc({Reason.QUEUE},1) gt 0 }}",
        f"tcp-request content sc-inc-gpc({QUEUED},1) if {{ var(sess.room) -m int lt 0 }}",
        "tcp-request content set-var-fmt(sess.stream) %rt",
        f"tcp-request content track-sc2 var(sess.stream),concat(|,sess.sni) table open {known}",
        f"tcp-request content accept if {hello}",
        "tcp-request content reject",
    ]
