"""Decisions on disk: private, whole or not there, one command at a time."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.accountable.draft import Step
from holdfast.accountable.drafts import Drafts
from holdfast.model.errors import HoldfastError
from tests.unit.accountable.test_decide import decided


def test_only_its_owner_reads_a_decision(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path / "state" / "decisions")
    drafts.put(decided())
    (file,) = (tmp_path / "state" / "decisions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (file.parent, tmp_path / "state"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "Eve" in json.loads(file.read_text())["private"][2]["value"], "kept for an auditor"


def test_they_are_found_again_and_replaced(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    block = decided()
    lift = replace(block, kind="lift", step=Step.ASKED, enforcement=None)
    drafts.put(block)
    drafts.put(lift)
    drafts.put(block.onward(index=3))
    with drafts.held(block.id):
        assert drafts.all() == [block.onward(index=3), lift]
    assert drafts.get("block", "20261127-ffffffff") is None
    assert Drafts(tmp_path / "nowhere").all() == []


def test_what_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    drafts.put(decided())
    file = next(tmp_path.iterdir())
    before = file.read_bytes()
    blocked = Drafts(file)  # no directory can be there
    with pytest.raises(HoldfastError) as raised:
        blocked.put(decided())
    assert "does not take this decision" in str(raised.value)
    assert (file.read_bytes(), [*tmp_path.iterdir()]) == (before, [file])


def test_two_commands_are_not_at_one_decision_at_once(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    with drafts.held("a"):
        with drafts.held("b"):
            pass
        with pytest.raises(HoldfastError) as raised, Drafts(tmp_path).held("a"):
            pass
        assert "another command is at a just now" in str(raised.value)
    with drafts.held("a"):
        pass


@pytest.mark.parametrize("identifier", ["", "../x", "a/b", "a\nb", "*"])
def test_an_id_is_no_path(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(HoldfastError):
        Drafts(tmp_path).get("block", identifier)


def test_what_a_kill_has_left_beside_goes_with_the_next_step(tmp_path: Path) -> None:
    """It has the private fields."""
    drafts, draft = Drafts(tmp_path), decided()
    left = tmp_path / f"block:{draft.id}.json.new"
    left.write_text("facts")
    drafts.put(draft)
    assert [each.name for each in tmp_path.iterdir()] == [f"block:{draft.id}.json"]
