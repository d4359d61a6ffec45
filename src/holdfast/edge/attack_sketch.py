"""The course of an attack as a plot of characters, for a terminal without colours. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from holdfast.edge.attack_words import turns
from holdfast.edge.words import clock
from holdfast.shield.course import Row
from holdfast.shield.mitigation_record import WITHDRAWN
from holdfast.shield.record import AttackRecord

WIDTH: Final = 76
HEIGHT: Final = 8
MARGIN: Final = 10
PASSED, KEPT, UNKNOWN = "█", "░", "?"
PUSHED, GONE = "▲", "▼"
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Column:
    """Some of the time: requests/s, and ms."""

    total: float
    passed: float
    p95: float | None
    is_known: bool


def sketch(record: AttackRecord, width: int = WIDTH, height: int = HEIGHT) -> str:
    """'' where nothing was counted."""
    rows = record.rows
    if not rows:
        return ""
    begin, end = rows[0].at, max(rows[-1].end, rows[0].at + 1)
    seconds = (end - begin) / width
    columns = [_column(record, begin + each * seconds, begin + (each + 1) * seconds) for each in range(width)]
    top = nice(max(column.total for column in columns))
    keys = [f"{PASSED} passed on to the origin", f"{KEPT} kept away"]
    if not all(column.is_known for column in columns):
        keys.append(f"{UNKNOWN} not known")
    lines = [f"{'requests/s':>{MARGIN}}   {'   '.join(keys)}"]
    for level in range(height, 0, -1):
        told = f"{top * level / height:,.0f}" if level in (height, height // 2) else ""
        cells = "".join(_cell(column, top, level, height) for column in columns)
        lines.append(f"{told:>{MARGIN}} {'┤' if told else '│'}{cells}".rstrip())
    lines.append(f"{'0':>{MARGIN}} └{'─' * width}")
    marks = _marks(record, begin, seconds, width)
    if marks.strip():
        lines.append(f"{'':>{MARGIN}}  {marks}".rstrip())
        lines.append(f"{'':>{MARGIN}}  {PUSHED} pushed or changed   {GONE} withdrawn")
    times = [column.p95 for column in columns if column.p95 is not None]
    if times:
        most = nice(max(times))
        curve = "".join(_EIGHTHS[_eighth(column.p95, most)] for column in columns)
        lines += ["", f"{'origin':>{MARGIN}}   95% of its answers began within, up to {_time(most)}"]
        lines.append(f"{_time(most):>{MARGIN}} ┤{curve}".rstrip())
    first, last = clock(begin), f"{clock(end)} UTC"
    lines.append(f"{'':>{MARGIN}}  {first}{last:>{width - len(first)}}")
    return "\n".join(lines)


def nice(value: float) -> float:
    """The next number that is 1, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(each * power for each in (1, 2, 3, 4, 5, 6, 8, 10) if each * power >= value * 0.999)


def _column(record: AttackRecord, begin: float, end: float) -> Column:
    """By the share of each row that lies in it; where there is none, nothing came."""
    shares = [(_overlap(row, begin, end), row) for row in record.rows]
    present = [(seconds / row.seconds, row) for seconds, row in shares if seconds > 0 and row.seconds > 0]
    times = [row.p95 for _, row in present if row.p95 is not None]
    middle = (begin + end) / 2
    return Column(
        total=sum(share * row.requests for share, row in present) / (end - begin),
        passed=sum(share * row.passed for share, row in present) / (end - begin),
        p95=max(times) if times else None,
        is_known=bool(present) or not any(gap.begin <= middle <= gap.end for gap in record.gaps),
    )


def _overlap(row: Row, begin: float, end: float) -> float:
    return max(0.0, min(row.end, end) - max(row.at, begin))


def _cell(column: Column, top: float, level: int, height: int) -> str:
    if not column.is_known:
        return UNKNOWN if level == 1 else " "
    passed, total = (value / top * height - (level - 1) for value in (column.passed, column.total))
    if passed >= 0.5:
        return PASSED
    if total >= 0.5:
        return KEPT
    return "▁" if level == 1 and column.total > 0 else " "


def _marks(record: AttackRecord, begin: float, seconds: float, width: int) -> str:
    cells = [" "] * width
    for turn in turns(record):
        place = int((turn.at - begin) / seconds)
        if turn.action and 0 <= place < width and cells[place] != PUSHED:
            cells[place] = GONE if turn.action == WITHDRAWN else PUSHED
    return "".join(cells)


def _eighth(value: float | None, most: float) -> int:
    return 0 if value is None else max(1, min(8, math.ceil(8 * value / most)))


def _time(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:,.0f} s"
