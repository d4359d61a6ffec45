"""The course of an attack as a picture, PNG or SVG: above what came and what became of it, below how fast the
origin was. The same record gives the same bytes.

Not here: the plot for a terminal (``attack_sketch``), where the picture goes (``cli.attack``).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from holdfast.edge.attack_words import Turn, turns
from holdfast.edge.words import clock, lasted, moment
from holdfast.shield.course import GAP_SECONDS, Row, coarser
from holdfast.shield.mitigation_record import WITHDRAWN
from holdfast.shield.record import AttackRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]
# Colours that are told apart with any kind of sight: Okabe and Ito, "Color Universal Design" (2008).
VERDICTS: Final[tuple[tuple[str, str, Callable[[Row], float]], ...]] = (
    ("passed on to the origin", "#0072B2", lambda row: row.passed),
    ("a clearance given", "#009E73", lambda row: row.earned),
    ("challenged", "#56B4E9", lambda row: row.challenged),
    ("denied", "#E69F00", lambda row: row.denied),
    ("dropped", "#D55E00", lambda row: row.dropped),
    ("refused at a limit", "#CC79A7", lambda row: row.refused),
    ("queue full", "#8C8C8C", lambda row: row.overflowed),
)
"""From the bottom up."""
INK, FAINT, TINT, MARK = "#222222", "#DDDDDD", "#F4F1E6", "#555555"
MEDIAN, P95 = "#0072B2", "#D55E00"
DPI: Final = 130
HSPACE: Final = 0.08
"""Of a panel's height, between the two: the lower one's legend stands there."""
MOST_MARKS: Final = 12
NEAR: Final = 0.016
"""Of the width: marks that lie nearer share a letter."""
WIDE: Final = 40.0
"""Times the smallest: from there on the origin's times are shown by their orders of magnitude."""
TICKS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
"""Seconds."""
MOST_TICKS: Final = 9
MOST_ROWS: Final = 600
"""More are not told apart."""
DOTTED: Final = 200
"""Up to so many rows each time has a dot."""
LONGEST: Final = 140
"""Characters of a line below the plot."""
STYLE: Final = {
    "svg.hashsalt": "holdfast",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": MARK,
    "axes.labelcolor": INK,
    "xtick.color": MARK,
    "ytick.color": MARK,
    "text.color": INK,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Turns at about the same time, under one letter."""

    letter: str
    at: float
    turns: tuple[Turn, ...]

    @property
    def is_end(self) -> bool:
        return all(turn.action == WITHDRAWN for turn in self.turns)


def draw(record: AttackRecord, form: Format) -> bytes:
    """Imports matplotlib, which takes a second."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(10.5, 6.2), layout=ConstrainedLayoutEngine(hspace=HSPACE))
        _compose(figure, record)
        out = io.BytesIO()
        nothing: dict[str, Any] = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=DPI, metadata=nothing)
    return out.getvalue()


def _compose(figure: Figure, record: AttackRecord) -> None:
    attack = record.attack
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
    rows = spaced(record)
    begin, end = _limits(record)
    marks = lettered(record, begin, end)
    for panel in (above, below):
        panel.set_xlim(begin, end)
        panel.grid(axis="y", color=FAINT, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.axvspan(attack.began, record.until, color=TINT, linewidth=0, zorder=0)
        for gap in record.gaps:
            panel.axvspan(gap.begin, gap.end, color=FAINT, hatch="//", linewidth=0, zorder=3)
        for mark in marks:
            panel.axvline(mark.at, color=MARK, linewidth=0.8, linestyle=":" if mark.is_end else "-")
    _requests(above, rows)
    _times(below, rows)
    for mark in marks:
        _note(above, mark.letter, 2, x=mark.at, ha="center", fontsize=8, fontweight="bold")
    _keys(above, marks, has_gaps=bool(record.gaps))
    length = "it goes on" if attack.ended is None else lasted(attack.ended - attack.began)
    peak = f"at most {attack.peak:,.0f} requests/s, usually {attack.usual:,.0f}"
    _note(above, f"Attack on {attack.site}", 64, fontsize=14, fontweight="bold")
    told = f"{attack.id}   ·   {moment(attack.began)}, {length}   ·   {peak}"
    _note(above, told, 48, fontsize=9)
    _time_axis(below, begin, end)
    below.set_xlabel("\n".join(_list(marks)), loc="left", fontsize=8, labelpad=8)


def _note(panel: Axes, text: str, points: float, *, x: float | None = None, **how: Any) -> None:
    """So many points above a panel, at its left edge or at a time."""
    panel.annotate(
        text,
        (0.0, 1.0) if x is None else (x, 1.0),
        xycoords="axes fraction" if x is None else ("data", "axes fraction"),
        xytext=(0, points),
        textcoords="offset points",
        annotation_clip=False,
        **how,
    )


def _keys(panel: Axes, marks: Sequence[Mark], *, has_gaps: bool) -> None:
    """The legend: the areas, and above them the lines and the rest."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys = list(zip(*panel.get_legend_handles_labels(), strict=True))
    lines = [each for each in keys if isinstance(each[0], Line2D)]
    if any(not mark.is_end for mark in marks):
        lines.append((Line2D([], [], color=MARK, linewidth=0.8), "pushed, changed"))
    if any(mark.is_end for mark in marks):
        lines.append((Line2D([], [], color=MARK, linewidth=0.8, linestyle=":"), "withdrawn"))
    lines.append((Patch(color=TINT), "under attack"))
    if has_gaps:
        lines.append((Patch(facecolor=FAINT, hatch="//"), "not known"))
    _legend_above(panel, 14, [each for each in keys if not isinstance(each[0], Line2D)])
    _legend_above(panel, 27, lines)


def _legend_above(panel: Axes, points: float, keys: Iterable[tuple[Any, Any]]) -> None:
    """In a row so far above a panel, where it hides nothing."""
    from matplotlib.legend import Legend
    from matplotlib.transforms import ScaledTranslation

    handles, names = zip(*keys, strict=True)
    shift = ScaledTranslation(0, points / 72, panel.figure.dpi_scale_trans)
    made = Legend(
        panel,
        handles,
        names,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=panel.transAxes + shift,
        borderaxespad=0.0,
        borderpad=0.0,
        ncols=len(names),
        frameon=False,
        fontsize=8,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.3,
    )
    panel.add_artist(made)


def _requests(panel: Axes, rows: Sequence[Row]) -> None:
    edges = [*(row.at for row in rows), rows[-1].end] if rows else []
    base = [0.0] * len(rows)
    for name, colour, count in VERDICTS:
        rates = [count(row) / row.seconds for row in rows]
        if not any(rates) and count is not VERDICTS[0][2]:
            continue
        top = [low + rate for low, rate in zip(base, rates, strict=True)]
        panel.fill_between(edges, _held(base), _held(top), step="post", color=colour, linewidth=0, label=name)
        base = top
    panel.step(
        edges,
        _held([row.mean for row in rows]),
        where="post",
        color=INK,
        linewidth=1.2,
        linestyle="--",
        label="usual",
    )
    upper = [float("nan") if row.upper is None else row.upper for row in rows]
    panel.step(
        edges, _held(upper), where="post", color=INK, linewidth=1.0, linestyle=":", label="usual, at most"
    )
    panel.set_ylabel("requests/s")
    panel.set_ylim(0, 1.05 * max([1.0, *base]))
    panel.yaxis.set_major_formatter(_number)


def _times(panel: Axes, rows: Sequence[Row]) -> None:
    nothing = float("nan")
    when = [row.at + row.seconds / 2 for row in rows]
    median = [nothing if row.median is None else row.median for row in rows]
    p95 = [nothing if row.p95 is None else row.p95 for row in rows]
    dot = "." if len(rows) <= DOTTED else ""
    panel.plot(
        when,
        p95,
        color=P95,
        linewidth=1.3,
        linestyle="--",
        marker=dot,
        markersize=3,
        label="95% of the origin's answers began within",
    )
    panel.plot(when, median, color=MEDIAN, linewidth=1.6, marker=dot, markersize=3, label="half of them")
    panel.set_ylabel("origin, ms")
    told = [each for each in (*median, *p95) if each == each and each > 0]
    if not told:
        panel.set_ylim(0, 1)
        panel.set_yticks([])
        panel.text(0.5, 0.5, "no sample reached the origin", transform=panel.transAxes, ha="center")
        return
    if max(told) > WIDE * min(told):
        panel.set_yscale("log")
    else:
        panel.set_ylim(0, 1.15 * max(told))
    panel.yaxis.set_major_formatter(_number)
    _legend_above(panel, 4, zip(*panel.get_legend_handles_labels(), strict=True))


def _number(value: float, _: object) -> str:
    return f"{value:,.10g}"


def _time_axis(panel: Axes, begin: float, end: float) -> None:
    step = next((each for each in TICKS if (end - begin) / each <= MOST_TICKS), TICKS[-1])
    first = math.ceil(begin / step) * step
    ticks = [first + number * step for number in range(int((end - first) / step) + 1)]
    panel.set_xticks(ticks, [clock(each) for each in ticks])


def _list(marks: Iterable[Mark]) -> list[str]:
    lines = []
    for mark in marks:
        for number, turn in enumerate(mark.turns):
            head = f"{mark.letter}  " if number == 0 else "     "
            lines.append(f"{head}{clock(turn.at)}  {_cut(turn.words)}")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def lettered(record: AttackRecord, begin: float, end: float) -> list[Mark]:
    """The steps of mitigations, those that lie near each other under one letter; of many the first and the
    last ones."""
    steps = [turn for turn in turns(record) if turn.action and begin <= turn.at <= end]
    if len(steps) > MOST_MARKS:
        steps = [*steps[: MOST_MARKS // 2], *steps[-MOST_MARKS // 2 :]]
    groups: list[list[Turn]] = []
    for turn in steps:
        if groups and turn.at - groups[-1][0].at < NEAR * (end - begin):
            groups[-1].append(turn)
        else:
            groups.append([turn])
    return [Mark(chr(ord("a") + number), group[0].at, tuple(group)) for number, group in enumerate(groups)]


def spaced(record: AttackRecord) -> list[Row]:
    """The rows, with empty ones where nothing came between them. Where nobody looked they tell nothing."""
    rows, found = record.rows, list[Row]()
    while len(rows) > MOST_ROWS:
        rows = coarser(rows)
    for row in rows:
        if found and row.at - found[-1].end > GAP_SECONDS:
            before = found[-1]
            found.append(Row(before.end, row.at - before.end, mean=before.mean, upper=before.upper))
        found.append(row)
    return [row for row in found if row.seconds > 0]


def _limits(record: AttackRecord) -> tuple[float, float]:
    if not record.rows:
        return record.attack.began - 1, record.until + 1
    return record.rows[0].at, max(record.rows[-1].end, record.rows[0].at + 1)


def _held(values: Sequence[float]) -> list[float]:
    """With the last one again: a step goes on to the end of its row."""
    return [*values, *values[-1:]]
