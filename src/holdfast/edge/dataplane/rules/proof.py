"""The proof of work, in ALTCHA's protocol (version 1 of its proof of work): find the number that, after a
salt, has a given SHA-256. HAProxy makes the challenge and checks the solution, without memory of it.

The salt says until when it holds, whose key signed it, for which host it is and how hard it is. It ends in
``&``, so that no digit can move between it and the number (CVE-2025-68113). The number follows from a key and
is not drawn: HAProxy's generator of random numbers is none for secrets.

https://altcha.org/docs/v2/proof-of-work-v1/
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import SOLVED
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.timed_link import HALF
from holdfast.shield.difficulty import LEAST_TRIES

PROOF_SECONDS: Final = 300
"""How long a challenge may be solved and shown."""
PROOFS_PER_NETWORK: Final = 1200
"""Clearances that a network (/24, /48) may earn by work in ten minutes: each of them is paid for, and a
mobile network may stand behind few addresses."""
SOLVES: Final = f"{{ path {SOLVED} }}"
_SALT: Final = (
    "%[var(txn.n)]?expires=%[var(txn.expires)]&k=%[var(txn.k)]&host=%[var(txn.host)]&max=%[var(txn.max)]&"
)


def make(context: Context) -> list[str]:
    """A new one, for the script: ``txn.salt``, ``goal``, ``max`` and ``signature``."""
    return [
        f"http-request set-var(txn.max) var(txn.sid),"
        f"map_str_int({context.places.map(Maps.DIFFICULTY)},{LEAST_TRIES})",
        f"http-request set-var(txn.expires) var(txn.t),add({PROOF_SECONDS})",
        f'http-request set-var-fmt(txn.salt) "{_SALT}"',
        # 48 bits of the half that nobody sees.
        f"http-request set-var(txn.number) var(txn.mac),bytes({HALF},12),hex2i,mod(txn.max)",
        "http-request set-var(txn.goal) var(txn.salt),concat(,txn.number),sha2(256),hex,lower",
        "http-request set-var(txn.signature) var(txn.goal),hmac(sha256,txn.lkey),hex,lower",
    ]


def check(context: Context) -> list[str]:
    """``txn.genuine``, ``txn.timely``, and what the clearance is made of. Its id is the hash that was to be
    found. Of what is shown only the salt, the number and the signature count: the algorithm is the rule's."""
    solves = SOLVES
    genuine = f"{solves} {{ var(txn.genuine) -m bool }}"
    said = "var(txn.salt),field(2,?),field({},&),field(2,=)"
    here = f"{{ {said.format(3)},strcmp(txn.host) eq 0 }}"
    return [
        f"http-request set-var(txn.shown) url_param(altcha),ub64dec if {solves}",
        f"http-request set-var(txn.salt) var(txn.shown),json_query('$.salt') if {solves}",
        f"http-request set-var(txn.number) var(txn.shown),json_query('$.number','int') if {solves}",
        f"http-request set-var(txn.s) var(txn.shown),json_query('$.signature') if {solves}",
        f"http-request set-var(txn.k) {said.format(2)} if {solves}",
        f"http-request set-var(txn.lkey) var(txn.k),map({context.places.map(Maps.KEYS)}),base64 if {solves}",
        f"http-request set-var(txn.goal) var(txn.salt),concat(,txn.number),sha2(256),hex,lower"
        f" if {solves} {{ var(txn.lkey) -m found }} {{ var(txn.number) -m found }}",
        f"http-request set-var(txn.mac) var(txn.goal),hmac(sha256,txn.lkey),hex,lower"
        f" if {solves} {{ var(txn.goal) -m found }}",
        f"http-request set-var(txn.genuine) var(txn.mac),secure_memcmp(txn.s)"
        f" if {solves} {here} {{ var(txn.mac) -m found }} {{ var(txn.s) -m found }}",
        f"http-request set-var(txn.expires) {said.format(1)} if {genuine}",
        f"http-request set-var(txn.born) var(txn.expires),sub({PROOF_SECONDS}) if {genuine}",
        f"http-request set-var(txn.n) var(txn.goal),bytes(0,{HALF}) if {genuine}",
        f"http-request set-var(txn.how) str(proof) if {genuine}",
        f"http-request set-var(txn.timely) bool(true) if {genuine} {{ var(txn.expires),sub(txn.now) gt 0 }}",
    ]
