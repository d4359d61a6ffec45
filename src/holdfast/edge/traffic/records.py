"""One line of HAProxy's samples → a ``Sample``. The other end is ``dataplane.rules.sampling``."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.rules.sampling import ALL, TOLD
from holdfast.shield.sample import Sample

_HEAD: Final = 5
_VALUES: Final = _HEAD + len(TOLD)
FIELDS: Final = _VALUES + 2 + 5
LEAST_MS: Final = 0.5
"""HAProxy counts whole milliseconds: what took none was asked all the same."""


def parse(line: str) -> Sample | None:
    """None for a line that is no record of a request: of a malformed one, or cut.

    Fields, separated by tabs: microseconds of unix time; site id; chosen of ten thousand; client; address; a
    value for each feature but ``STRANGER``; path; agent; status; milliseconds of the origin; milliseconds
    waited; verdict; clearance. The last five are HAProxy's own, with ``-`` or -1 for "none".
    """
    fields = line.split("\t")
    if len(fields) != FIELDS:
        return None
    micros, site, chosen, client, address = fields[:_HEAD]
    path, agent, status, origin, queue, verdict, cleared = fields[_VALUES:]
    try:
        rate = int(chosen) if chosen else ALL
        took, waited = int(origin), int(queue)
        return Sample(
            at=int(micros) / 1e6,
            site=site,
            client=client,
            values=tuple(fields[_HEAD:_VALUES]),
            weight=ALL / max(rate, 1),
            status=max(int(status), 0),
            origin_ms=max(took, LEAST_MS) if took >= 0 else 0.0,
            queue_ms=max(waited, 0),
            verdict="" if verdict == "-" else verdict,
            cleared=cleared not in ("-", "0", ""),
            path=path,
            agent=agent,
            address=address,
        )
    except ValueError:
        return None
