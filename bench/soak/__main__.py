"""An hour at 80 % load, with everything that may happen to an edge: ``python -m bench.soak [--minutes 60]
[--quick]``.

A real edge with two hundred sites and real origins carries mixed traffic, from wrk and curl and from clients
whose every request is judged, while its sites, blocks, bans and file are changed at random, HAProxy is
reloaded and the agent restarted. No request may fail but for a reason that ``bench.soak.verdicts`` names;
memory and descriptors must stay flat (``bench.soak.flat``). Progress goes to stderr; the last line on stdout
is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.report import machine
from bench.soak import report
from bench.soak.result import Plan, Result
from bench.soak.run import soak

MINUTES, QUICK_MINUTES = 60.0, 40 / 60
BEYOND_SECONDS = 300.0
"""For the start, the calibration and the end."""
RESULTS = Path(__file__).parents[1] / "results"

begun = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:7.1f} s] {words}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, help=f"default {MINUTES:.0f}; with --quick 40 seconds")
    parser.add_argument("--quick", action="store_true", help="a short one that writes no files")
    parser.add_argument("--seed", type=int, default=20261122, help="of what is drawn at random")
    options = parser.parse_args()
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    say(machine())
    try:
        result = asyncio.run(bounded(Plan(60 * minutes, options.seed)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted; everything that was started has ended")
        return 130
    print(report.terminal(result), file=sys.stderr)
    if not options.quick:
        report.write(RESULTS, result, f"{datetime.now(UTC):%Y-%m-%d}")
        say(f"written: {RESULTS}/soak.md and soak.png")
    print(json.dumps(result.as_json()))
    return 0 if result.passed else 1


async def bounded(plan: Plan) -> Result:
    """It ends by itself, and unwinds on SIGTERM as on Ctrl-C: all is stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(plan.seconds + BEYOND_SECONDS):
        return await soak(plan, say)


if __name__ == "__main__":
    sys.exit(main())
