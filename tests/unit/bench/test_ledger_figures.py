"""What follows from a run of bench/ledger: rates, verdicts, the last line, the tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.ledger import report
from bench.ledger.figures import (
    HUNDRED_THOUSAND,
    MILLION,
    Appends,
    Batches,
    Reads,
    Stage,
    as_json,
    durable,
    rate,
    verdicts,
)
from bench.ledger.plot import plot

READS = Reads(HUNDRED_THOUSAND, 70_000.0, [0.0005] * 4, [0.0007] * 4, 1.0)
APPENDS = Appends([0.002] * 4, [0.0025] * 4, [0.02] * 4)
BATCHES = Batches(200_000.0, 20_000.0)
SMALL = Stage(READS, [APPENDS] * 3, [BATCHES] * 3, 90 << 20)
MILLION_READ = replace(READS, size=MILLION, proofs=[0.001] * 4, fsck=9.0)
LARGE = replace(SMALL, reads=MILLION_READ, memory=99 << 20)
IN_MEMORY = Stage(replace(MILLION_READ, fsck=None), [], [], 99 << 20)


def test_the_last_line_of_a_full_run() -> None:
    found = json.loads(json.dumps(as_json([SMALL, LARGE])))
    assert (found["appends_per_s"], found["single_appends_per_s"]) == (20_000, 400)
    assert (found["proof_ms_at_1m"], found["fsck_s_at_100k"], found["fsck_s_at_1m"]) == (1.0, 1.0, 9.0)


def test_the_last_line_of_a_quick_run() -> None:
    """The million lies in memory, where appends say nothing."""
    found = as_json([SMALL, IN_MEMORY])
    assert (found["appends_per_s"], found["single_appends_per_s"]) == (20_000, 400)
    assert (found["proof_ms_at_1m"], "fsck_s_at_1m" in found) == (1.0, False)
    assert durable([SMALL, IN_MEMORY]) == [SMALL]


@pytest.mark.parametrize(
    ("last", "missed"),
    [
        (LARGE, ""),
        (
            replace(LARGE, batches=[BATCHES, Batches(1.0, 9_999.0), Batches(1.0, 9.0)]),
            "durable appends/s in batches",
        ),
        (replace(LARGE, appends=[Appends([0.005], [0.0051], [0.1])]), "durable appends/s one at a time"),
        (replace(LARGE, reads=replace(MILLION_READ, proofs=[0.0051])), "a proof at a million"),
        (replace(LARGE, appends=[Appends([0.002], [0.0041], [0.1])]), "an append costs the same"),
        (replace(LARGE, memory=140 << 20), "memory is the same"),
        (replace(LARGE, reads=replace(MILLION_READ, fsck=20.5)), "fsck of a million"),
    ],
)
def test_what_is_missed(last: Stage, missed: str) -> None:
    found = [each.target for each in verdicts([SMALL, last]) if not each.met]
    assert len(found) == bool(missed)
    assert all(missed in each for each in found)


def test_a_rate_is_of_all_calls() -> None:
    assert rate([0.1, 0.3]) == pytest.approx(5.0)


def test_tables_and_plot(tmp_path: Path) -> None:
    for stages in ([SMALL, LARGE], [SMALL, IN_MEMORY]):
        widths = {len(row) for row in report.rows(stages)}
        assert widths == {len(report.HEAD)}
        assert "in batches, published: 20,000" in report.terminal(stages, load=0.5)
        assert "not a quiet machine" in report.terminal(stages, load=3.0)
    assert "![" in report.markdown([SMALL, LARGE], 0.5, "2026-11-27", "2 cores")
    plot(tmp_path / "ledger.png", [SMALL, LARGE])
    assert (tmp_path / "ledger.png").read_bytes().startswith(b"\x89PNG")
