"""When the traffic has ended: nothing may be left of it, and the edge ends as it should."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from bench.edge import Edge

DRAIN_SECONDS = 45.0
"""Within which every worker from before a reload must have ended: nobody is connected any more."""
SETTLE_SECONDS = 10.0
TROUBLE = re.compile(r"\[(error|critical)|^Exception|^Traceback")


def look_back(edge: Edge) -> list[str]:
    """What is wrong. Ends the edge, by SIGTERM: that is a part of what is looked at."""
    admin = edge.wait_admin()
    faults = [*_leaving(edge)]
    deadline = time.monotonic() + SETTLE_SECONDS
    while (missing := admin.ask("diff")["now"]) and time.monotonic() < deadline:
        time.sleep(0.5)
    faults += [f"HAProxy lacks, or has too much: {line}" for line in missing[:10]]
    if trouble := admin.ask("status")["trouble"]:
        faults.append(f"the agent is in trouble: {trouble}")
    admin.close()
    if status := edge.end_agent(signal.SIGTERM):
        faults.append(f"the agent ended with status {status} on SIGTERM")
    if left := edge.found():
        faults.append(f"HAProxy goes on after the edge has ended: {left}")
    return faults + [f"the agent said: {line}" for line in complaints(edge.directory / "agent.log")][:20]


def _leaving(edge: Edge) -> Iterator[str]:
    deadline = time.monotonic() + DRAIN_SECONDS
    while (found := edge.found()) and found.leaving:
        if time.monotonic() > deadline:
            yield f"{len(found.leaving)} workers from before a reload do not end"
            return
        time.sleep(0.2)


def complaints(log: Path) -> list[str]:
    """The lines in which the agents told of an error."""
    return [line for line in log.read_text(errors="replace").splitlines() if TROUBLE.search(line)]
