"""HAProxy's totals of each site → what came since the last look."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.edge.dataplane.reasons import QUEUED, Reason, Verdict
from holdfast.shield.counts import Counts

Totals = Mapping[str, int]
"""A row of the table ``sites``, by the names that HAProxy gives."""
_REFUSED = tuple(
    f"gpc{int(each)}" for each in (Reason.BLOCKED, Reason.RATE, Reason.AT_ONCE, Reason.BYTES, Reason.BODY)
)
_CHALLENGED, _DENIED, _DROPPED, _EARNED, _ASIDE = (
    f"gpc{int(each)}"
    for each in (Verdict.CHALLENGED, Verdict.DENIED, Verdict.DROPPED, Verdict.EARNED, Verdict.ASIDE)
)


def since(before: Totals | None, now: Totals, at: float, seconds: float) -> Counts:
    """``before``: None where the site was not seen; totals begin anew with each worker of HAProxy."""
    if before is not None and now.get("http_req_cnt", 0) < before.get("http_req_cnt", 0):
        before = {}

    def grown(name: str) -> int:
        return max(0, now.get(name, 0) - (before or {}).get(name, 0))

    return Counts(
        at=at,
        seconds=seconds,
        # What a visitor asks for on the way through a challenge is no request for the site.
        requests=max(0, grown("http_req_cnt") - grown(_ASIDE)),
        waited=grown(f"gpc{QUEUED}"),
        overflowed=grown(f"gpc{Reason.QUEUE}"),
        open=now.get("conn_cur", 0),
        challenged=grown(_CHALLENGED),
        denied=grown(_DENIED),
        dropped=grown(_DROPPED),
        earned=grown(_EARNED),
        refused=sum(map(grown, _REFUSED)),
    )
