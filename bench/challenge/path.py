"""What the path of requests notices of the challenge: the time of answers to a holder of a clearance and to a
visitor of a site that challenges nobody, while all is calm, while solutions are sent in, while the agent is
dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from bench import usage
from bench.bystanders import end
from bench.challenge import figures, proofs
from bench.challenge.costs import HTML, get, passed
from bench.challenge.crowd import Crowd
from bench.challenge.figures import BOUNDED, CALM_STATE, DEAD, FULL, Waits
from bench.challenge.ground import CALM, CHALLENGED, Ground
from bench.cores import preferred, step_back
from bench.overhead_figures import turns

RATE: Final = 1_000.0
"""Requests/s, of both sites together: enough to measure, and next to nothing for the proxy."""
VISITORS: Final = 32
FIRST_VISITOR: Final = IPv4Address("127.60.0.1")
ORDER: Final = (CALM_STATE, DEAD, BOUNDED, FULL)
SETTLE: Final = 0.25
"""Seconds after a change of state before anything is measured."""
READY: Final = b"sending\n"


@dataclass(frozen=True, slots=True)
class Path:
    """What was measured: waits, and the solutions/s that were sent in meanwhile, by state."""

    waits: list[Waits]
    sent: dict[str, list[float]]


def measure(ground: Ground, rounds: int, seconds: float, bounded: float, say: Callable[[str], None]) -> Path:
    """The states take turns. ``bounded``: solutions/s of the one that is not at full speed."""
    waits: list[Waits] = []
    sent: dict[str, list[float]] = {BOUNDED: [], FULL: []}
    key = ground.key
    requests = [
        passed(get(CHALLENGED, "/", HTML, proofs.clearance(key, CHALLENGED))),
        passed(get(CALM, "/", HTML)),
    ]
    agent, _, haproxy = ground.edge.processes()
    ours = [each for each in usage.children(os.getpid()) if each != agent]
    proxies = [pid for each in ours for pid in (each, *usage.children(each))]
    step_back([agent])
    with (
        preferred([os.getpid(), *proxies, *haproxy]),
        Crowd(ground.edge.http, VISITORS, FIRST_VISITOR) as visitors,
    ):
        visitors.pace(requests, RATE, seconds / 2)
        for number in range(rounds):
            for state in turns(ORDER, number):
                with _state(ground, state, bounded, sent):
                    time.sleep(SETTLE)
                    took = visitors.pace(requests, RATE, seconds)
                waits += [
                    Waits(site, state, number, figures.p99(each), len(each))
                    for site, each in zip(figures.SITES, took, strict=True)
                ]
            done = [each for each in waits if each.round == number]
            told = ", ".join(
                f"{state} {max(each.p99 for each in done if each.state == state):.2f}"
                for state in figures.STATES
            )
            say(f"path, round {number + 1} of {rounds}: p99 in ms, the worse site: {told}")
    return Path(waits, sent)


@contextmanager
def _state(ground: Ground, state: str, bounded: float, sent: dict[str, list[float]]) -> Iterator[None]:
    if state == DEAD:
        ground.edge.end_agent(signal.SIGKILL)
        yield
        ground.start_agent()
        step_back([ground.edge.processes()[0]])
    elif state == CALM_STATE:
        yield
    else:
        with submitting(ground, bounded if state == BOUNDED else float("inf"), sent[state]):
            yield


@contextmanager
def submitting(ground: Ground, rate: float, sent: list[float]) -> Iterator[None]:
    """A process of its own sends solutions, half of them right, from many addresses. It takes what others
    leave of their core: else the visitors would wait for it, and not for the proxy."""
    name, text = ground.key
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.challenge.submit", str(ground.edge.http), str(rate), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        os.setpriority(os.PRIO_PROCESS, process.pid, 0)
        step_back([process.pid])
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        if process.stdout.readline() != READY:
            raise RuntimeError("the sender of solutions does not start")
        yield
        if process.poll() is not None:
            raise RuntimeError("the sender of solutions has ended before its time")
    finally:
        end(process)
    sent += [float(line) for line in process.stdout if line.endswith(b"\n")]
