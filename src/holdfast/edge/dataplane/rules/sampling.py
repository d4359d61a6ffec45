"""Which requests are told to the shield, and what of them: one line for each, to a ring in memory.

HAProxy never waits for who reads it: what overflows is dropped. A request is chosen here; its line is written
when its answer has been sent, and, at a site that is not quick, another one when it comes. Refused requests
are chosen like all others; what is no request for a site (an unknown host, a malformed request) is told with
the site ``-``.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.features import EXPRESSIONS, PRESENCE
from holdfast.shield.features import Feature

ALL: Final = 10_000
LINE_BYTES: Final = 2048
RING: Final = "samples"
QUICK: Final = 16
"""While a site has more requests open than this, each sampled one is told when it comes, too."""
RING_BYTES: Final = 1_048_576
TEXT: Final = "regsub([^ -~],?,g),bytes(0,{})"
"""Text that a client chooses, as evidence: printable, and cut."""
BETWEEN: Final = " "
"""Between two fields; only the last, the agent, may hold it."""
ARRIVED: Final = "+"
"""Begins a line that is written when the request comes."""
TOLD: Final = tuple(feature for feature in Feature if feature is not Feature.STRANGER)


def sampling_rules(context: Context) -> list[str]:
    values = (PRESENCE if feature is Feature.PRESENCE else f"%[{EXPRESSIONS[feature]}]" for feature in TOLD)
    parts = (
        "%[date(0,us)]",
        "%[var(txn.sid)]",
        "%[var(txn.every)]",
        f"%[var({context.scope}.net)]",
        "%[src]",
        *values,
        f"%[path,{TEXT.format(256)}]",
        f"%[req.fhdr(user-agent),{TEXT.format(256)}]",
    )
    samples = context.places.map(Maps.SAMPLES)
    chosen = f"{{ rand({ALL}),sub(txn.every) lt 0 }}"
    return [
        f"http-request set-var(txn.every) var(txn.sid),map_str_int({samples},{ALL})",
        f'http-request set-var-fmt(txn.sample) "{BETWEEN.join(parts)}" if {chosen}',
        # While many are open it may take seconds until the answer. Of a site with mitigations only the answer
        # says what they have done.
        f"http-request lua.tell if {{ var(txn.sample) -m found }} {{ sc_conn_cur(1) gt {QUICK} }}"
        f" !{{ var(txn.sid),map({context.places.map(Maps.MASKS)}) -m found }}",
        "http-request set-log-level silent if !{ var(txn.sample) -m found }",
    ]


LUA: Final = """\
-- Tells of a sampled request when it comes: HAProxy itself writes a line only when all is over.
core.register_action("tell", {"http-req"}, function(txn)
  txn:log(core.info, "ARRIVED " .. txn:get_var("txn.sample"))
  txn:set_var("txn.told", 1)
end, 0)
""".replace("ARRIVED", ARRIVED)


def sample_ring(address: str) -> list[str]:
    """The lines wait in memory and go over a stream socket: the reader gets many at one go, and what it does
    not fetch in time is overwritten."""
    return [
        "format raw",
        f"maxlen {LINE_BYTES}",
        f"size {RING_BYTES}",
        "timeout connect 1s",
        "timeout server 10s",
        f"server agent unix@{address}",
    ]


def sample_log(context: Context) -> list[str]:
    """Where the lines go, and what is known only once the answer has been sent: its status, the milliseconds
    that the origin took and that the request waited, what the shield did, whether a clearance came along."""
    line = BETWEEN.join(
        (
            *("%ST", "%Tr", "%Tw", "%[var(txn.sg),field(2,|)]", "%[var(txn.clr)]", "%[var(txn.told)]"),
            "%[var(txn.sample)]",
        )
    )
    return [
        f"log ring@{RING} len {LINE_BYTES} format raw local0",
        f'log-format "{line}"',
    ]


def tls_rules(context: Context) -> list[str]:
    """What the client offered, once for each connection. Browsers shuffle their extensions, so these are only
    counted; values that are there to be ignored (GREASE, RFC 8701) are left out."""
    return [
        'tcp-request session set-var-fmt(sess.tls) "%[ssl_fc_cipherlist_bin(1),xxh3]_'
        '%[ssl_fc_eclist_bin(1),xxh3]_%[ssl_fc_extlist_bin(1),hex,length]" if { ssl_fc }'
    ]
