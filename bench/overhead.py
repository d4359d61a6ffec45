"""What Holdfast costs beside nginx and HAProxy: ``python -m bench.overhead [--quick]``.

The processor time of each request passed on, with the whole chain and 100,000 hostnames known, the same for a
site under attack, and of each refusal: a block page, a limit, a banned connection. All in one run, in turns;
the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench import overhead_report as report
from bench import usage
from bench.contest import HOSTNAMES, SOURCE, Case, Contest, ban, contest
from bench.load import attempts, wrk
from bench.overhead_figures import (
    ARMED,
    BANNED,
    BLOCK_PAGE,
    GROUPS,
    HAPROXY,
    HOLDFAST,
    LIMIT,
    NGINX,
    PASSED,
    PROXIED,
    Sample,
    as_json,
    check_passed,
    check_refused,
    turns,
)
from bench.probe import Http
from bench.report import machine

RESULTS = Path(__file__).parent / "results"
WARM_SECONDS = 0.2

begun = time.monotonic()


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, how many seconds for each contestant of a group, how many at rest, and how
    long all may take."""

    rounds: int
    seconds: dict[str, float]
    rest: float
    longest: int


QUICK = Pace(7, {PROXIED: 0.7, ARMED: 0.7, BLOCK_PAGE: 0.2, LIMIT: 0.2, BANNED: 0.2}, 2.0, 120)
FULL = Pace(9, {PROXIED: 3.0, ARMED: 3.0, BLOCK_PAGE: 1.5, LIMIT: 1.5, BANNED: 1.0}, 10.0, 900)


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:6.1f} s] {words}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seven short rounds, no files")
    pace = QUICK if (quick := parser.parse_args().quick) else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds as Ctrl-C does: all is stopped
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(pace.longest)
    say(f"{machine()}; Holdfast is started, with {HOSTNAMES:,} hostnames")
    with contest() as running:
        say("all run; first what they use while nobody asks them anything")
        idle = at_rest(running.cases, pace.rest)
        say("everything is asked once, to warm up")
        began, before = time.monotonic(), running.edge.used_by_others()
        samples = measure(running, pace)
        others = (running.edge.used_by_others() - before) / (time.monotonic() - began)
    told = report.conditions(samples, running.limits, running.page, idle, others)
    print(report.terminal(samples, told))
    if not quick:
        report.write(RESULTS, samples, told, f"{datetime.now(UTC):%Y-%m-%d}")
        say(f"written: {RESULTS}/overhead.md and overhead.png")
    notes = {"idle_cores": {who: round(each, 3) for who, each in idle.items()}}
    print(json.dumps(as_json(samples, {**notes, "limits": running.limits, "others_cores": round(others, 2)})))


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise RuntimeError("the benchmark takes too long; something hangs")


def at_rest(cases: Sequence[Case], seconds: float) -> dict[str, float]:
    """Cores that each contestant uses while nobody asks it anything. Holdfast checks the origins of all its
    sites: that is part of what is counted for each request, and the more so the fewer there are."""
    workers = {case.who: case.worker for case in cases if case.group == PROXIED}
    before = {who: usage.spent(worker) for who, worker in workers.items()}
    time.sleep(seconds)
    return {who: (usage.spent(worker) - before[who]) / seconds for who, worker in workers.items()}


def measure(running: Contest, pace: Pace) -> list[Sample]:
    """Every case once to warm up, then in rounds."""
    for case in running.cases:
        sample(case, 0, WARM_SECONDS)
    samples = []
    for number in range(pace.rounds):
        ban(running.edge)
        for group in GROUPS:
            several = [case for case in running.cases if case.group == group]
            samples += [sample(case, number, pace.seconds[group]) for case in turns(several, number)]
        done = {each.who: each for each in samples if (each.group, each.round) == (PROXIED, number)}
        costs = ", ".join(f"{who} {done[who].micros:.1f}" for who in (HOLDFAST, NGINX, HAPROXY))
        say(f"round {number + 1} of {pace.rounds}: CPU-µs a request: {costs}")
    return samples


def sample(case: Case, number: int, seconds: float) -> Sample:
    """Load on one contestant for a moment. Raises RuntimeError when it does not answer as it should."""
    name = f"{case.who}, {case.group}"
    before = usage.spent(case.worker)
    if case.group == BANNED:
        expected = f"HTTP/1.1 {case.status}".encode() if case.status else b""
        tried = attempts(case.port, case.host, SOURCE, expected, seconds)
        used = usage.spent(case.worker) - before
        if tried.let_in:
            raise RuntimeError(f"{name}: {tried.let_in} of {tried.made} connections were not refused")
        return Sample(case.group, case.who, number, tried.made, tried.seconds, used)
    seen = wrk(case.port, case.host, seconds, case.lines)
    used = usage.spent(case.worker) - before
    check = check_passed if case.group in PASSED else check_refused
    check(name, seen.requests, seen.refused, seen.broken)
    with closing(Http(case.port)) as client:  # wrk does not tell which status it was
        if (status := client.status(case.host, lines=case.lines)) != case.status:
            raise RuntimeError(f"{name}: answered with {status}, not with {case.status}")
    return Sample(case.group, case.who, number, seen.requests, seen.seconds, used)


if __name__ == "__main__":
    main()
