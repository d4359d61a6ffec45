"""Floods against Holdfast and its peers: ``python -m bench.floods [--quick] [--scenario N|PATH.toml ...]
[--raw FILE] [--runs N] [--peers/--no-peers]``.

Floods and legitimate visitors come out of one network namespace, the edge and its origins stand in another;
no packet leaves the machine. Needs root. ``--quick --scenario N`` runs Holdfast alone three times within 150
seconds. Without ``--quick`` the peers run in turns with it, and ``bench/results/floods.md`` and its plots
are written after each run. Progress goes to stderr; the last line on stdout is JSON: of shares the worst run,
of counts the sum of all runs. What the fields of a scenario and of the JSON mean:
``bench/floods/scenarios/README.md``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench.floods import calm
from bench.floods.contestant import Contestant
from bench.floods.figures import Figures, figures, together
from bench.floods.log import Visit, data_directory, halves, read_visits
from bench.floods.made_up import made_up_visits
from bench.floods.ours import Holdfast
from bench.floods.records import write_raw
from bench.floods.report import Book
from bench.floods.run import Setting, measure
from bench.floods.scenario import ScenarioError, everything, find, read_scenario

RUNS, QUICK_RUNS = 10, 3
QUICK_SECONDS = 150
RESULTS = Path(__file__).parents[1] / "results"
UNWIND_SECONDS = 8
"""Of a quick run's, to end everything where a run hangs."""
SEED = 20261122

begun = time.monotonic()


class TooLongError(Exception):
    """A quick run's time is over."""


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:7.1f} s] {words}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.floods", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Holdfast alone, three short runs, no files")
    parser.add_argument("--short", action="store_true", help="a full run with the lengths of a quick one")
    parser.add_argument("--scenario", nargs="+", action="extend", metavar="N|PATH", help="default: all")
    parser.add_argument(
        "--raw", type=Path, metavar="FILE", help="keep every request there; .gz is compressed"
    )
    parser.add_argument("--runs", type=int, help=f"of each contestant; default {RUNS}, quick {QUICK_RUNS}")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, help="default: in full runs")
    parser.add_argument("--seed", type=int, default=SEED, help="of what is drawn at random")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds as Ctrl-C does: all is ended
    try:
        return floods(options)
    except (ScenarioError, PermissionError) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("interrupted; everything that was started has ended")
        return 130


def floods(options: argparse.Namespace) -> int:
    """Every scenario that is asked for."""
    if options.raw is not None:
        options.raw.unlink(missing_ok=True)
    paths = [find(text) for text in options.scenario] if options.scenario else everything()
    scenarios = {path.stem: read_scenario(path) for path in paths}
    visits, data = visitors()
    say(f"the legitimate visitors: {data}")
    contestants: list[Callable[[], Contestant]] = [Holdfast]
    if options.peers if options.peers is not None else not options.quick:
        from bench.floods.peered import peers

        found, left_out = peers()
        contestants += found
        for words in left_out:
            say(words)
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    book = None if options.quick else Book(RESULTS, runs, started=f"{datetime.now(UTC):%Y-%m-%d}")
    last: dict[str, object] = {}
    for name, scenario in scenarios.items():
        setting = Setting(name, scenario, halves(visits), data, options.quick or options.short)
        say(f"{name}: {scenario.title}")
        if scenario.kind == "calm":
            seen = [calm.run(scenario, quick=options.quick or options.short, name=name)]
            if book is not None:
                book.note(setting, seen)
        else:
            seen = in_turns(setting, contestants, runs, options, book)
        last = together([each for each in seen if each.contestant == Holdfast.name])
        print(json.dumps(last), flush=True)
    return 0 if last else 1


def visitors() -> tuple[list[Visit], str]:
    """The visits of the real log, or made-up ones; and which."""
    path = data_directory() / "apache_access.log"
    if path.exists():
        return read_visits(path), f"whole visits of {path.name}, HOLDFAST_DATA"
    return made_up_visits(), f"made up by bench.floods, as there is no {path} (set HOLDFAST_DATA)"


def in_turns(
    setting: Setting,
    contestants: Sequence[Callable[[], Contestant]],
    runs: int,
    options: argparse.Namespace,
    book: Book | None,
) -> list[Figures]:
    """All contestants, round after round; in a quick run for as long as time allows."""
    seen: list[Figures] = []
    started, longest = time.monotonic(), 0.0
    if options.quick:
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(QUICK_SECONDS - UNWIND_SECONDS)
    try:
        for number in range(runs):
            for make in contestants:
                began = time.monotonic()
                if options.quick and seen and began + longest > started + QUICK_SECONDS - UNWIND_SECONDS:
                    raise TooLongError
                run = measure(setting, make, number, options.seed + number)
                seen.append(figures(run))
                if book is not None:
                    book.keep(setting, run, seen)
                if options.raw is not None:
                    write_raw(options.raw, run)
                say(sentence(seen[-1]))
                longest = max(longest, time.monotonic() - began)
    except TooLongError:
        say(f"{len(seen)} of {runs} runs are all that {QUICK_SECONDS} s allow")
        if not seen:
            raise
    finally:
        signal.alarm(0)
    return seen


def sentence(one: Figures) -> str:
    """A run in a line."""
    mitigated = "never" if one.time_to_mitigate_s is None else f"{one.time_to_mitigate_s:.1f} s"
    at_origin = "–" if one.flood_at_origin is None else f"{one.flood_at_origin:.1%}"
    return (
        f"{one.contestant}, run {one.run + 1}: mitigated after {mitigated}; legitimate"
        f" {one.legit_rate:.0f}/s, served {one.legit_served:.2%}, after 3 s {one.legit_served_after_3s:.2%},"
        f" denied {one.legit_denied}, challenged {one.legit_challenged:.2%} ({one.challenged_before} before);"
        f" flood {one.flood_rate:.0f}/s, at the origin {at_origin}; CPU {one.cpu_seconds:.1f} s,"
        f" the flood's senders {one.generator_cpu:.1f} s, held back {one.held_back}"
    )


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLongError


if __name__ == "__main__":
    sys.exit(main())
