"""HAProxy's totals of each site → what came since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.edge.dataplane.reasons import QUEUED, Reason, Verdict
from holdfast.shield.counts import Counts

Totals = Mapping[str, int]
"""A row of the table ``sites``, by the names that HAProxy gives."""
_TOUCHED: Final = tuple(f"gpc{each}" for each in (Verdict.CHALLENGED, Verdict.DENIED, Verdict.DROPPED))


def since(before: Totals | None, now: Totals, at: float, seconds: float) -> Counts:
    """``before``: None where the site was not seen; totals begin anew with each worker of HAProxy."""
    if before is not None and now.get("http_req_cnt", 0) < before.get("http_req_cnt", 0):
        before = {}

    def grown(*names: str) -> int:
        return sum(max(0, now.get(name, 0) - (before or {}).get(name, 0)) for name in names)

    return Counts(
        at=at,
        seconds=seconds,
        requests=grown("http_req_cnt"),
        waited=grown(f"gpc{QUEUED}"),
        overflowed=grown(f"gpc{Reason.QUEUE}"),
        open=now.get("conn_cur", 0),
        touched=grown(*_TOUCHED),
    )
