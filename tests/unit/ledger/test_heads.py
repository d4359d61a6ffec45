from __future__ import annotations

from contextlib import nullcontext

import pytest

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.errors import InconsistentError
from holdfast.ledger.heads import check_heads


def head(size: int, letter: str = "r") -> Checkpoint:
    return Checkpoint("log.example", size, letter.encode() * 32)


@pytest.mark.parametrize(
    ("start", "published", "signed", "end", "problem"),
    [
        (0, head(0), head(0), 0, ""),
        (0, head(0), head(0), 9, ""),  # killed before anything was signed
        (5, head(5), head(7), 9, ""),  # killed before it was published
        (5, head(7), head(7), 7, ""),
        (6, head(5), head(7), 9, "of size 5, and one of 6 was published before"),
        (0, head(8), head(7), 9, "of size 8 is newer than the one signed last"),
        (0, head(7, "s"), head(7), 9, "two checkpoints of size 7: the log was forked"),
        (0, head(5), head(7), 6, "a tree of 7 entries was signed, and the journal ends at 6"),
    ],
)
def test_what_belongs_together(
    start: int, published: Checkpoint, signed: Checkpoint, end: int, problem: str
) -> None:
    with pytest.raises(InconsistentError, match=problem) if problem else nullcontext():
        check_heads("the log", start, published, signed, end)
