"""A decision there and back, and its course."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.accountable.draft import COURSE, Draft, Step, dump_draft, load_draft
from holdfast.model.errors import HoldfastError
from tests.unit.accountable.test_decide import decided


@pytest.mark.parametrize(
    "draft",
    [
        decided(),
        replace(decided(), step=Step.PUBLISHED, index=0, start=7, proof="c2sp.org/tlog-proof@v1\n…"),
        replace(decided(), kind="lift", enforcement=None, step=Step.LIFTED, document=""),
    ],
)
def test_a_draft_comes_back_as_it_was(draft: Draft) -> None:
    assert load_draft(dump_draft(draft)) == draft


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        dump_draft(decided())[:-20],
        dump_draft(decided()).replace(b"drafted", b"thought of"),
        dump_draft(decided()).replace(b"holdfast-decision/1", b"holdfast-decision/2"),
        dump_draft(decided()).replace(b'"start"', b'"begin"'),
        dump_draft(decided()).replace(b'"start": 0', b'"start": "0"'),
        dump_draft(decided()).replace(b'"index": null', b'"index": true'),
        dump_draft(decided()).replace(b'"salt": "A', b'"salt": "'),
        dump_draft(decided()).replace(b'"kind": "block"', b'"kind": "fine"'),
    ],
)
def test_what_is_no_draft_is_told(data: bytes) -> None:
    with pytest.raises(HoldfastError) as raised:
        load_draft(data, "decisions/x.json")
    assert "decisions/x.json: this is not a decision's file" in str(raised.value)


@pytest.mark.parametrize("kind", COURSE)
def test_each_step_leads_to_the_next(kind: str) -> None:
    draft = replace(decided(), kind=kind, step=COURSE[kind][0])
    walked = [draft.step]
    while not draft.is_over:
        draft = draft.onward()
        walked.append(draft.step)
    assert tuple(walked) == COURSE[kind]


def test_a_block_is_recorded_before_it_is_in_force_and_lifted_before_that_is_recorded() -> None:
    assert COURSE["block"].index(Step.PUBLISHED) < COURSE["block"].index(Step.IN_FORCE)
    assert COURSE["lift"].index(Step.LIFTED) < COURSE["lift"].index(Step.RECORDED)
