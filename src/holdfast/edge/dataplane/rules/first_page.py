"""The first page of a challenge, as an answer: what a flood is given. Not here: what is on it
(``challenge_page``), who gets it (``shield``), the way through it (``challenge``)."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import HEADERS, POLICY
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.gateway import https_rules
from holdfast.edge.dataplane.rules.refused import BROWSER, IDENTITY

FIXED: Final = " ".join(f'hdr {name} "{value}"' for name, value in HEADERS.items())
HTML: Final = 'content-type "text/html; charset=utf-8"'
COUNTED: Final = f"{{ sc_inc_gpc({Verdict.CHALLENGED},1) gt 0 }}"
ASKED: Final = f"{BROWSER} {{ method GET HEAD }}"
"""A browser asks for a page, and sends nothing."""


def first_page(context: Context, condition: str, *, sent: bool) -> list[str]:
    """Where plain HTTP leads to HTTPS the visitor goes there first: else he would have to pass twice."""
    return [
        *(f"{rule} {condition}" for rule in https_rules(context)),
        f"http-request return status 403 {HTML} file {context.places.challenge_page(sent=sent)}"
        f' hdr X-Holdfast-Id {IDENTITY} {FIXED} hdr Content-Security-Policy "{POLICY}"'
        f" if {condition} {COUNTED}",
    ]
