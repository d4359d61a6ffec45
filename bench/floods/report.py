"""The results of a full run, written anew after each run, so that one that is cut keeps what it has:
``bench/results/floods.md``, its plots, and the figures of each run beside them in ``floods.json``."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.floods.figures import Figures, Spread
from bench.floods.ours import Holdfast
from bench.floods.plot import plot
from bench.floods.records import Run
from bench.floods.run import Setting
from bench.floods.targets import verdicts
from bench.report import machine

INTRODUCTION = """
Everything runs on one machine: the senders in one network namespace, the edge and the origins in another.
The floods are made by `bench/floods`; no recording of a real one is public. Cells are the median of all runs,
with the least and the most in brackets where they differ.

- *in force*: seconds from the flood's first packet to the first half second in which at least 95 % of it is
  refused, and which a second follows in which that is so, too, as its sender sees it.
- *served*: share of legitimate requests that the origin answered in the end; *denied*: how many it did not;
  *challenged*: share that met a challenge on the way.
- *at origin*: share of the flood that reached the origin, of what was sent from half a second after
  *in force* on (of all, where it never was).
- *p50, p99*: milliseconds of legitimate requests that were served, before / during / after the flood.
- *CPU*: seconds that the contestant used while the flood was on.
"""
HEAD = (
    *("contestant", "runs", "in force", "re-armed", "served", "served from 3 s", "denied", "challenged"),
    *("at origin", "p50 ms", "p99 ms", "CPU s", "false alarms"),
)


class Book:
    """What is known of a full run so far."""

    def __init__(self, directory: Path, runs: int, started: str) -> None:
        self._directory = directory
        self._runs = runs
        self._started = started
        self._chapters: dict[str, tuple[Setting, list[Figures]]] = {}
        self._shown: dict[str, dict[str, Run]] = {}

    def keep(self, setting: Setting, run: Run, seen: Sequence[Figures]) -> None:
        """Note a run (the last of ``seen``), and write everything anew."""
        shown = self._shown.setdefault(setting.name, {})
        if run.meta.contestant not in shown:
            shown[run.meta.contestant] = run
            self._directory.mkdir(exist_ok=True)
            plot(self._directory / picture(setting.name), setting.scenario.title, list(shown.values()))
        self.note(setting, seen)

    def note(self, setting: Setting, seen: Sequence[Figures]) -> None:
        """Figures alone, of what has no requests to draw."""
        self._directory.mkdir(exist_ok=True)
        self._chapters[setting.name] = (setting, list(seen))
        (self._directory / "floods.md").write_text(self.markdown())
        lines = [asdict(each) for _, those in self._chapters.values() for each in those]
        (self._directory / "floods.json").write_text("\n".join(json.dumps(line) for line in lines) + "\n")

    def markdown(self) -> str:
        """The whole page."""
        return "\n".join(
            [
                "# Floods",
                "",
                f"Made by `python -m bench.floods` on {self._started}: {machine()}; {self._runs} runs of each"
                " contestant in each scenario, in turns.",
                INTRODUCTION,
                *(
                    line
                    for name, chapter in self._chapters.items()
                    for line in _chapter(*chapter, is_drawn=name in self._shown)
                ),
            ]
        )


def picture(name: str) -> str:
    """The file of a scenario's plot."""
    number = name.partition("-")[0]
    return f"floods-{number if number.isdigit() else name}.png"


def _chapter(setting: Setting, seen: Sequence[Figures], *, is_drawn: bool) -> list[str]:
    span = setting.scenario.span(setting.quick)
    by_name: dict[str, list[Figures]] = {}
    for each in seen:
        by_name.setdefault(each.contestant, []).append(each)
    rows = [HEAD, ("---",) * len(HEAD), *(_row(name, those) for name, those in by_name.items())]
    ours = by_name.get(Holdfast.name, [])
    told = [
        f"| {each.target} | {each.seen} | {'met' if each.met else '**missed**'} |"
        for each in (verdicts(setting.scenario.targets, ours) if ours else [])
    ]
    return [
        f"## {setting.name}: {setting.scenario.title}",
        "",
        *([setting.scenario.about, ""] if setting.scenario.about else []),
        f"{statistics.median(each.legit_rate for each in seen):.0f} legitimate requests a second"
        f" ({setting.data}), {statistics.median(each.flood_rate for each in seen):.0f} of the flood;"
        f" {span.before:.0f} s before it, {span.flood:.0f} s of it, {span.after:.0f} s after."
        f" Again: `python -m bench.floods {'--short ' if setting.quick else ''}--scenario"
        f" {setting.name.partition('-')[0].lstrip('0')}`",
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(["| target, Holdfast | seen | |", "|---|---|---|", *told, ""] if told else []),
        *([f"![Requests a second]({picture(setting.name)})", ""] if is_drawn else []),
    ]


def _row(name: str, runs: Sequence[Figures]) -> tuple[str, ...]:
    re_arms = [each for run in runs for each in run.re_arm_s]

    def shown(value: Callable[[Figures], Any], form: str = "{:.2f}") -> str:
        return _cell([value(each) for each in runs], form)

    return (
        name,
        str(len(runs)),
        shown(lambda each: each.time_to_mitigate_s, "{:.1f}"),
        _cell(re_arms, "{:.1f}") if re_arms else "–",
        shown(lambda each: 100 * each.legit_served, "{:.2f} %"),
        shown(lambda each: 100 * each.legit_served_after_3s, "{:.2f} %"),
        shown(lambda each: each.legit_denied, "{:.0f}"),
        shown(lambda each: 100 * each.legit_challenged, "{:.2f} %"),
        _percent(each.flood_at_origin for each in runs),
        _times(runs, "p50"),
        _times(runs, "p99"),
        shown(lambda each: each.cpu_seconds, "{:.1f}"),
        shown(lambda each: each.false_alarms, "{:.0f}"),
    )


def _cell(values: Sequence[float | None], form: str) -> str:
    """Median, and least and most; None stands for never, and is more than any time."""
    numbers = sorted(math.inf if each is None else each for each in values)
    words = ["never" if math.isinf(each) else form.format(each) for each in numbers]
    middle, low, high = words[len(words) // 2], words[0], words[-1]
    return middle if low == high else f"{middle} ({low} to {high})"


def _percent(values: Iterable[float | None]) -> str:
    found = [100 * each for each in values if each is not None]
    return _cell(found, "{:.2f} %") if found else "–"


def _times(runs: Sequence[Figures], name: str) -> str:
    cells = []
    for phase in ("before", "during", "after"):
        spreads: list[Spread] = [found for each in runs if (found := getattr(each, phase)) is not None]
        values = [getattr(each, name) for each in spreads]
        cells.append(f"{statistics.median(values):.0f}" if values else "–")
    return " / ".join(cells)
