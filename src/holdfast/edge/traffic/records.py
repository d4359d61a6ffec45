"""One line of HAProxy's samples → a ``Sample``. The other end is ``dataplane.rules.sampling``."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.rules.sampling import ALL, ARRIVED, BETWEEN, TOLD
from holdfast.shield.sample import Sample

_TAIL: Final = 6
"""What is known once the answer has been sent."""
_HEAD: Final = 5
FIELDS: Final = _HEAD + len(TOLD) + 2
LEAST_MS: Final = 0.5
"""HAProxy counts whole milliseconds: what took none was asked all the same."""


def parse(line: str) -> Sample | None:
    """None for a line that is no record of a request: of a malformed one, or cut.

    Fields, separated by spaces: status; milliseconds of the origin; milliseconds waited; verdict; clearance;
    whether it was told when it came (or, instead of these six, a ``+`` for a request that has just come);
    microseconds of unix time; site id; chosen of ten thousand; client; address; a value for each feature but
    ``STRANGER``; path; agent. Of the first six, ``-`` and -1 mean "none".
    """
    has_arrived = line.startswith(ARRIVED)
    skipped = 1 if has_arrived else _TAIL
    fields = line.split(BETWEEN, skipped + FIELDS - 1)
    if len(fields) != skipped + FIELDS:
        return None
    try:
        return _arrived(fields[1:]) if has_arrived else _answered(fields[:_TAIL], fields[_TAIL:])
    except ValueError:
        return None


def _arrived(request: list[str]) -> Sample:
    return _sample(request, 0, 0.0, 0.0, "", is_cleared=False, has_arrived=True)


def _answered(tail: list[str], request: list[str]) -> Sample:
    status, origin, queue, verdict, cleared, told = tail
    took, waited = int(origin), int(queue)
    return _sample(
        request,
        max(int(status), 0),
        max(took, LEAST_MS) if took >= 0 else 0.0,
        max(waited, 0),
        "" if verdict == "-" else verdict,
        is_cleared=cleared not in ("-", "0", ""),
        was_told=told != "-",
    )


def _sample(
    request: list[str],
    status: int,
    origin_ms: float,
    queue_ms: float,
    verdict: str,
    *,
    is_cleared: bool,
    has_arrived: bool = False,
    was_told: bool = False,
) -> Sample:
    micros, site, chosen, client, address = request[:_HEAD]
    path, agent = request[-2:]
    rate = int(chosen) if chosen else ALL
    return Sample(
        at=int(micros) / 1e6,
        site=site,
        client=client,
        values=tuple(request[_HEAD:-2]),
        weight=ALL / max(rate, 1),
        status=status,
        origin_ms=origin_ms,
        queue_ms=queue_ms,
        verdict=verdict,
        cleared=is_cleared,
        path=path,
        agent=agent.rstrip("\n"),
        address=address,
        arrived=has_arrived,
        told=was_told,
    )
