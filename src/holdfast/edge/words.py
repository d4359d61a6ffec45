"""Numbers, times, harm and paragraphs as the commands tell them. Pure."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import Final

from holdfast.shield.mitigation_record import MitigationRecord

WIDTH: Final = 100


def moment(at: float) -> str:
    """Unix time as people read it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def lasted(seconds: float) -> str:
    """``4.2 s``, ``2 min 14 s``, ``3 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(share: float) -> str:
    """With as many digits as it takes to see that it is not nothing."""
    if share <= 0:
        return "none"
    if share < 0.0001:
        return "less than 0.01%"
    return f"{share:.2%}" if share < 0.1 else f"{share:.0%}"


def filled(head: str, text: str, *, indent: int, hang: int, width: int = WIDTH) -> list[str]:
    """``head``, and beside it ``text``, which goes on under itself."""
    first = f"{' ' * indent}{head}".ljust(hang - 1) + " "
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def harm_of(record: MitigationRecord) -> str:
    """Predicted and measured, in words."""
    if record.harm < 1:
        told = f"predicted to touch at most {percent(record.harm)} of usual requests"
    elif record.features:
        told = "the site was too young to tell whom it touches"
    else:
        told = "it touches all visitors"
    if record.worst is None or record.last is None:
        return f"{told}; too few visitors of known networks came to measure it"
    return (
        f"{told}; of the requests from known networks it kept away {percent(record.worst)} at worst,"
        f" {percent(record.last)} at last"
    )
