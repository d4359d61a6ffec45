"""What programs are told when they are refused: a problem document (RFC 9457) with the id by which
``holdfast explain`` finds the rule and its reason, and with whom to turn to. Browsers get words, or a
page."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules.context import Context

ID: Final = "hdr X-Holdfast-Id %[var(txn.id)]"
"""The header that each denied or challenged answer has."""
PLAIN: Final = f"{ID} hdr Cache-Control no-store hdr X-Content-Type-Options nosniff"
IDENTITY: Final = "%[var(txn.sg),field(2,|)].%[var(txn.now)]"
"""The id of an answer: the mitigation, and when."""
BROWSER: Final = "{ req.fhdr(accept) -m sub text/html }"
"""Every browser says so of a page; programs, pictures and scripts do not."""
TYPE: Final = "urn:holdfast:problem:"


def problem(context: Context, kind: str, status: int, title: str, detail: str) -> str:
    """The arguments of a ``return``: content type and body. The texts may hold no quote and no percent
    sign."""
    contact = f"%[str(now),map({context.places.map(Maps.CONTACT)})]"
    fields = (
        f'\\"type\\":\\"{TYPE}{kind}\\"',
        f'\\"title\\":\\"{title}\\"',
        f'\\"status\\":{status}',
        f'\\"detail\\":\\"{detail}\\"',
        '\\"id\\":\\"%[var(txn.id)]\\"',
        f'\\"contact\\":\\"{contact}\\"',
    )
    return f'content-type application/problem+json lf-string "{{{",".join(fields)}}}\\n"'


def identified() -> str:
    """``txn.id``, for a backend that refuses."""
    return f'http-request set-var-fmt(txn.id) "{IDENTITY}"'
