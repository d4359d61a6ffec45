"""``python -m bench.challenge [--quick]``: all of it in one run; the last line is JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from bench.challenge import browser, costs, path, proofs, report
from bench.challenge.figures import Solves, as_json
from bench.challenge.ground import CHALLENGED, HARD, ground
from bench.cores import on
from bench.report import machine

RESULTS: Final = Path(__file__).parent.parent / "results"
BOUNDED: Final = 5_000.0
"""Solutions/s that are sent in where it is not at full speed: far more than visitors could need."""

begun = time.monotonic()


@dataclass(frozen=True, slots=True)
class Pace:
    """Rounds and seconds of each part, and how long all may take."""

    rounds: int
    others_every: int
    seconds: float
    library: float
    solves: dict[str, int]
    path_rounds: int
    path_seconds: float
    longest: int


QUICK: Final = Pace(5, 4, 0.15, 0.3, {CHALLENGED: 20}, 3, 0.6, 120)
FULL: Final = Pace(11, 1, 0.5, 2.0, {CHALLENGED: 100, HARD: 12}, 7, 2.5, 720)


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:6.1f} s] {words}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.challenge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few short rounds, no files")
    pace = QUICK if (quick := parser.parse_args().quick) else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds as Ctrl-C does: all is stopped
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(pace.longest)
    say(f"{machine()}; all is started")
    with ground() as running:
        began, before = time.monotonic(), running.edge.used_by_others()
        seen = costs.measure(running, pace.rounds, pace.others_every, pace.seconds, say)
        with on(running.ours):
            library = proofs.library(pace.library)
        others = (running.edge.used_by_others() - before) / (time.monotonic() - began)
        say("the path of requests")
        traffic = path.measure(running, pace.path_rounds, pace.path_seconds, BOUNDED, say)
        say("Chromium")
        solved = asyncio.run(browser.solves(running, pace.solves))
        page = running.page
    solves = Solves(solved[CHALLENGED], solved.get(HARD, []))
    measured = report.Measured(seen, traffic.waits, traffic.sent, solves, library, page, others)
    print(report.terminal(measured))
    if not quick:
        report.write(RESULTS, measured, f"{datetime.now(UTC):%Y-%m-%d}")
        say(f"written: {RESULTS}/challenge.md and challenge.png")
    notes = {
        "altcha_python_us": {"issue": round(library.issue, 2), "verify": round(library.verify, 2)},
        "page_bytes": page,
        "solutions_per_second": {
            state: round(statistics.median(each)) for state, each in traffic.sent.items()
        },
        "others_cores": round(others, 2),
    }
    print(json.dumps(as_json(seen, traffic.waits, solves, notes)))


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise RuntimeError("the benchmark takes too long; something hangs")


if __name__ == "__main__":
    main()
