"""Decisions from step to step on a real log: killed at every step, and with everything failing that can.

The edge here is one that checks what real ones check, and remembers."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.accountable.decide import decide_grounds, decide_lift
from holdfast.accountable.draft import COURSE, Draft, Step
from holdfast.accountable.drafts import Drafts
from holdfast.accountable.own_log import OwnLog
from holdfast.accountable.publish_grounds import citable, in_use, replace_file
from holdfast.accountable.steps import DONE, NOTED, Office, go_on, pending, standing
from holdfast.edge.release import Release, Trust, check
from holdfast.ledger.log import Log
from holdfast.ledger.note import ED25519, Ed25519Signer, SignerKey
from holdfast.model.errors import HoldfastError, error
from holdfast.model.grounds import parse_grounds
from holdfast.model.record import BLOCK, GROUNDS, LIFT
from tests.unit.accountable.test_decide import ADA, FILE, GRACE, NOW, decided


class Dead(BaseException):
    """The command is no more."""


@dataclass
class CheckingEdge:
    """Puts nothing in force without a proof."""

    trust: Trust
    clock: Callable[[], datetime]
    is_down: bool = False
    held: dict[str, bool] = field(default_factory=dict)
    lifted: set[str] = field(default_factory=set)

    def enforce(self, draft: Draft) -> None:
        self._answer()
        assert draft.enforcement is not None
        check(Release(draft.enforcement, draft.entry, draft.proof, draft.document), self.trust, self.clock())
        self.held[draft.id] = True

    def lift(self, identifier: str) -> None:
        self._answer()
        self.lifted.add(identifier)
        self.held.pop(identifier, None)

    def blocks(self) -> Mapping[str, bool]:
        self._answer()
        return self.held

    def _answer(self) -> None:
        if self.is_down:
            raise error("no agent runs here", "start it")


@dataclass
class House:
    """One machine: its log, its decisions, its edge. Whatever dies is the office."""

    directory: Path
    log: OwnLog
    edge: CheckingEdge
    now: datetime = NOW

    @property
    def drafts(self) -> Drafts:
        return Drafts(self.directory / "decisions")

    def office(self, watch: Callable[[str, Draft], None] = lambda moment, draft: None) -> Office:
        grounds = self.directory / "grounds.toml"
        return Office(
            self.drafts,
            self.log,
            self.edge,
            lambda data: replace_file(grounds, data),
            lambda: self.now,
            watch,
        )

    def count(self, draft: Draft) -> int:
        """How often a decision stands in the log."""
        with Log.open(self.log.directory) as log:
            log.publish()
            size = log.checkpoint().checkpoint.size
            return [log.entry(index) for index in range(size)].count(draft.entry)

    def waiting(self) -> list[str]:
        held = {name for name, in_force in self.edge.held.items() if in_force}
        return [each.id for each in pending(self.drafts.all(), held, self.now)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    secret = SignerKey("log.test/steps", ED25519, secrets.token_bytes(32))
    Log.create(tmp_path / "ledger", Ed25519Signer(secret), secret).close()
    made = House(tmp_path, OwnLog(tmp_path / "ledger", secret.verifier), CheckingEdge(Trust(), lambda: NOW))
    made.edge.trust = Trust(secret.verifier)
    made.edge.clock = lambda: made.now
    return made


def lift_of(draft: Draft) -> Draft:
    return decide_lift(draft.id, ADA, "It is gone.", NOW, lambda: secrets.token_bytes(32))


def grounds() -> Draft:
    return decide_grounds(
        parse_grounds(FILE.encode()), FILE, ADA, GRACE, NOW, lambda: secrets.token_bytes(32)
    )


MOMENTS = {
    kind: [(NOTED, course[0]), *((moment, step) for step in course[1:] for moment in (DONE, NOTED))]
    for kind, course in COURSE.items()
}


def kill_at(moment: str, step: Step, kind: str) -> Callable[[str, Draft], None]:
    def watch(now: str, draft: Draft) -> None:
        if (now, draft.step, draft.kind) == (moment, step, kind):
            raise Dead

    return watch


def test_a_block_is_recorded_then_in_force(house: House) -> None:
    seen: list[tuple[str, Step, bool]] = []

    def watch(moment: str, draft: Draft) -> None:
        seen.append((moment, draft.step, bool(house.edge.held)))

    done = house.office(watch).begin(decided())
    assert (done.step, done.index, house.edge.held) == (Step.IN_FORCE, 0, {done.id: True})
    assert [(moment, step) for moment, step, _ in seen] == MOMENTS[BLOCK]
    assert {step for _, step, in_force in seen if in_force} == {Step.IN_FORCE}
    assert house.waiting() == []


@pytest.mark.parametrize(("moment", "step"), MOMENTS[BLOCK])
def test_a_block_killed_anywhere_is_visibly_pending_and_goes_on(
    house: House, moment: str, step: Step
) -> None:
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(moment, step, BLOCK)).begin(draft)
    kept = house.drafts.get(BLOCK, draft.id)
    assert kept is not None
    in_force = draft.id in house.edge.held
    if in_force:
        assert step is Step.IN_FORCE, "never in force without a record"
    else:
        assert house.waiting() == [draft.id], "never recorded without being in force or visibly pending"
        assert draft.id in go_on(kept)
    done = house.office().resume(BLOCK, draft.id)
    assert (done.step, house.count(draft), house.waiting()) == (Step.IN_FORCE, 1, [])
    assert house.edge.held == {draft.id: True}


@pytest.mark.parametrize(("moment", "step"), MOMENTS[LIFT])
def test_a_lift_killed_anywhere_is_visibly_pending_and_goes_on(house: House, moment: str, step: Step) -> None:
    draft = house.office().begin(decided())
    lift = lift_of(draft)
    with pytest.raises(Dead):
        house.office(kill_at(moment, step, LIFT)).lift(lift)
    recorded = (moment, step) not in MOMENTS[LIFT][:3]
    assert (draft.id in house.edge.held) == ((moment, step) == (NOTED, Step.ASKED)), "lifted first"
    with Log.open(house.log.directory) as log:
        assert (log.find(lift.entry) is not None) == recorded, "and recorded after"
    if (moment, step) != MOMENTS[LIFT][-1]:
        assert house.waiting() == [draft.id]
    done = house.office().resume(LIFT, draft.id)
    assert (done.step, house.count(lift), house.waiting()) == (Step.PUBLISHED, 1, [])
    assert house.edge.held == {}


@pytest.mark.parametrize(("moment", "step"), MOMENTS[GROUNDS])
def test_grounds_killed_anywhere_go_on(house: House, moment: str, step: Step) -> None:
    draft = grounds()
    with pytest.raises(Dead):
        house.office(kill_at(moment, step, GROUNDS)).begin(draft)
    done = house.office().resume(GROUNDS, draft.id)
    assert (done.step, house.count(draft)) == (Step.IN_USE, 1)
    assert citable(house.directory / "grounds.toml", house.drafts, house.log).hash in draft.entry.decode()


def test_an_entry_is_found_again_behind_those_of_others(house: House) -> None:
    """Where the append was done and not noted, and others have appended and published meanwhile."""
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(DONE, Step.RECORDED, BLOCK)).begin(draft)
    for _ in range(3):
        house.office().begin(grounds())
    assert house.office().resume(BLOCK, draft.id).index == 0
    assert house.count(draft) == 1


def test_while_the_agent_is_down_the_record_waits(house: House) -> None:
    house.edge.is_down = True
    with pytest.raises(HoldfastError) as raised:
        house.office().begin(decided())
    assert "no agent runs here; start it" in str(raised.value)
    assert "is on the public record (entry 0), and not in force; go on with: holdfast block --resume" in str(
        raised.value
    )
    house.edge.is_down = False
    (waits,) = house.waiting()
    assert house.office().resume(BLOCK, waits).step is Step.IN_FORCE


def test_a_lift_is_asked_again_when_the_agent_is_back(house: House) -> None:
    draft = house.office().begin(decided())
    house.edge.is_down = True
    with pytest.raises(HoldfastError) as raised:
        house.office().lift(lift_of(draft))
    assert "to be lifted, and may still be in force" in str(raised.value)
    house.edge.is_down = False
    house.office().resume(LIFT, draft.id)
    assert house.edge.held == {}


def test_a_block_is_lifted_while_the_log_cannot_be_read(house: House) -> None:
    draft = house.office().begin(decided())
    mark = house.log.directory / "ledger.json"
    mark.rename(house.directory / "away")
    with pytest.raises(HoldfastError) as raised:
        house.office().lift(lift_of(draft))
    assert "lifted, and that is not recorded" in str(raised.value)
    assert house.edge.held == {}
    assert house.waiting() == [draft.id]
    (house.directory / "away").rename(mark)
    assert house.office().resume(LIFT, draft.id).index == 1


def test_a_log_that_edges_do_not_trust_is_not_written_to(house: House) -> None:
    other = SignerKey("log.test/other", ED25519, secrets.token_bytes(32)).verifier
    with pytest.raises(HoldfastError) as raised:
        replace(house, log=replace(house.log, key=other)).office().begin(decided())
    assert "is not the one that edges trust (log.test/other)" in str(raised.value)
    assert house.drafts.all() == [], "nothing was even drafted"


def test_without_the_witnesses_that_edges_want_nothing_is_in_force(house: House) -> None:
    log = replace(house.log, quorum=1)
    with pytest.raises(HoldfastError) as raised:
        replace(house, log=log).office().begin(decided())
    assert "recorded (entry 0), not published and not in force" in str(raised.value)
    assert house.edge.held == {}
    (waits,) = house.waiting()
    assert house.office().resume(BLOCK, waits).index == 0


def test_what_was_never_recorded_is_dropped_without_a_trace(house: House) -> None:
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(NOTED, Step.DRAFTED, BLOCK)).begin(draft)
    assert house.office().lift(lift_of(draft)).step is Step.WITHDRAWN
    assert (house.waiting(), house.log.end(), house.edge.held) == ([], 0, {})
    with pytest.raises(HoldfastError, match="withdrawn before it was recorded"):
        house.office().resume(BLOCK, draft.id)
    with pytest.raises(HoldfastError, match="withdrawn before it was recorded"):
        house.office().lift(lift_of(draft))


@pytest.mark.parametrize("step", [Step.RECORDED, Step.PUBLISHED])
def test_what_was_recorded_and_is_pending_is_lifted_on_record(house: House, step: Step) -> None:
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(DONE, step, BLOCK)).begin(draft)
    done = house.office().lift(lift_of(draft))
    assert (done.step, done.index, house.waiting()) == (Step.PUBLISHED, 1, [])
    with pytest.raises(HoldfastError) as raised:
        house.office().resume(BLOCK, draft.id)
    assert "was lifted" in str(raised.value)
    assert house.edge.held == {}


def test_a_block_that_an_edge_has_lost_is_pending_and_can_be_put_back(house: House) -> None:
    draft = house.office().begin(decided())
    house.edge.held.clear()
    assert house.waiting() == [draft.id]
    assert "no more in force here" in standing(draft)
    house.office().resume(BLOCK, draft.id)
    assert (house.edge.held, house.count(draft)) == ({draft.id: True}, 1)


def test_a_block_that_is_over_is_neither_pending_nor_lifted(house: House) -> None:
    draft = house.office().begin(decided())
    house.now = NOW + timedelta(days=8)
    house.edge.held.clear()
    assert house.waiting() == []
    with pytest.raises(HoldfastError) as raised:
        house.office().lift(lift_of(draft))
    assert "has come to its end" in str(raised.value)


def test_a_decision_that_waited_beyond_its_end_is_not_recorded_any_more(house: House) -> None:
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(NOTED, Step.DRAFTED, BLOCK)).begin(draft)
    house.now = NOW + timedelta(days=8)
    with pytest.raises(HoldfastError) as raised:
        house.office().resume(BLOCK, draft.id)
    assert f"holdfast unblock {draft.id}" in str(raised.value)
    assert (house.log.end(), house.waiting()) == (0, [draft.id])


def test_a_record_that_waited_beyond_its_end_is_ended_on_record(house: House) -> None:
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(NOTED, Step.PUBLISHED, BLOCK)).begin(draft)
    house.now = NOW + timedelta(days=8)
    with pytest.raises(HoldfastError, match=f"put that on record: holdfast unblock {draft.id}"):
        house.office().resume(BLOCK, draft.id)
    assert house.waiting() == [draft.id]
    assert house.office().lift(lift_of(draft)).index == 1
    assert house.waiting() == []


def test_nothing_is_lifted_twice_or_unknown(house: House) -> None:
    draft = house.office().begin(decided())
    house.office().lift(lift_of(draft))
    for identifier, expected in (
        (draft.id, "was lifted (entry 1)"),
        ("20261127-00000000", "there is no block"),
    ):
        with pytest.raises(HoldfastError) as raised:
            house.office().lift(lift_of(replace(draft, id=identifier)))
        assert expected in str(raised.value)
    for kind in (BLOCK, LIFT, GROUNDS):
        with pytest.raises(HoldfastError) as raised:
            house.office().resume(kind, "20261127-00000000")
        assert "was decided here" in str(raised.value)


def test_a_block_of_another_machine_can_be_lifted_here(house: House) -> None:
    draft = house.office().begin(decided())
    elsewhere = replace(house, directory=house.directory / "elsewhere")
    assert elsewhere.office().lift(lift_of(draft)).index == 1
    assert house.edge.held == {}


def test_only_the_grounds_that_were_published_last_can_be_cited(house: House) -> None:
    path = house.directory / "grounds.toml"
    path.write_text(FILE)
    with pytest.raises(HoldfastError) as raised:
        citable(path, house.drafts, house.log)
    assert "no grounds were published last, and not version 1" in str(raised.value)
    house.office().begin(grounds())
    assert citable(path, house.drafts, house.log).version == "1"
    path.write_text(FILE + "# changed since\n")
    with pytest.raises(HoldfastError) as raised:
        citable(path, house.drafts, house.log)
    assert "put back the file that was published" in str(raised.value)
    second = house.office().begin(replace(grounds(), id="20261127-11111111", document=FILE + "# second\n"))
    assert in_use(house.drafts, house.log) == second
    path.write_text(FILE)
    with pytest.raises(HoldfastError):
        citable(path, house.drafts, house.log)


def test_grounds_in_another_log_do_not_count(house: House, tmp_path: Path) -> None:
    house.office().begin(grounds())
    secret = SignerKey("log.test/new", ED25519, secrets.token_bytes(32))
    Log.create(tmp_path / "new", Ed25519Signer(secret), secret).close()
    log = OwnLog(tmp_path / "new", secret.verifier)
    log.publish(decided().entry, log.append(decided().entry, ()))
    with pytest.raises(HoldfastError):
        citable(house.directory / "grounds.toml", house.drafts, log)


def test_times_are_given() -> None:
    """The office has no clock of its own: what is over is over by the one it was given."""
    assert pending([replace(decided(), step=Step.IN_FORCE)], set(), datetime(2099, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("step", [Step.RECORDED, Step.PUBLISHED, Step.IN_FORCE])
def test_edges_hear_of_a_lift_also_of_what_they_do_not_list(house: House, step: Step) -> None:
    """A release may be on its way there, and what a clock ahead has ended is stored."""
    draft = decided()
    with pytest.raises(Dead):
        house.office(kill_at(DONE, step, BLOCK)).begin(draft)
    house.edge.held.clear()
    house.office().lift(lift_of(draft))
    assert house.edge.lifted == {draft.id}


def test_what_was_lifted_and_is_in_force_again_is_pending_and_ends(house: House) -> None:
    """The database of an edge was put back from a backup that is older than the lift."""
    draft = house.office().begin(decided())
    house.office().lift(lift_of(draft))
    house.edge.held[draft.id] = True
    assert house.waiting() == [draft.id]
    with pytest.raises(
        HoldfastError, match=f"is there again; go on with: holdfast unblock --resume {draft.id}"
    ):
        house.office().lift(lift_of(draft))
    lift = house.office().resume(LIFT, draft.id)
    assert "in force here again" in standing(lift)
    assert (house.edge.held, house.count(lift), house.waiting()) == ({}, 1, [])


def test_a_log_that_is_older_than_its_decisions_is_not_gone_on_with(house: House) -> None:
    """It was put back from an old copy: another entry of the same number would be a second history."""
    house.office().begin(grounds())
    copy = house.directory / "copy"
    shutil.copytree(house.log.directory, copy)
    draft = house.office().begin(decided())
    shutil.rmtree(house.log.directory)
    copy.rename(house.log.directory)
    with pytest.raises(HoldfastError, match="older than what it has published: entry 1 is not in it"):
        house.office().begin(replace(decided(), id="20261127-00000002"))
    with pytest.raises(HoldfastError, match="lifted, and that is not recorded"):
        house.office().lift(lift_of(draft))
    assert (house.log.end(), house.edge.held) == (1, {})


def test_another_log_begins_its_own_numbers(house: House) -> None:
    """The key was lost, or replaced: what the former log had is not looked for in it."""
    house.office().begin(decided())
    house.office().begin(grounds())
    secret = SignerKey("log.test/next", ED25519, secrets.token_bytes(32))
    Log.create(house.directory / "next", Ed25519Signer(secret), secret).close()
    house.edge.trust = Trust(secret.verifier)
    following = replace(house, log=OwnLog(house.directory / "next", secret.verifier))
    done = following.office().begin(grounds())
    assert (done.step, done.index) == (Step.IN_USE, 0)
    assert in_use(house.drafts, following.log) == done
    assert citable(house.directory / "grounds.toml", house.drafts, following.log).version == "1"


def test_grounds_that_go_on_late_do_not_take_the_place_of_later_ones(house: House) -> None:
    first = grounds()
    with pytest.raises(Dead):
        house.office(kill_at(NOTED, Step.PUBLISHED, GROUNDS)).begin(first)
    second = house.office().begin(replace(grounds(), id="20261127-11111111", document=FILE + "# second\n"))
    assert house.office().resume(GROUNDS, first.id).step is Step.IN_USE
    assert (house.directory / "grounds.toml").read_text() == second.document
    assert citable(house.directory / "grounds.toml", house.drafts, house.log).version == "1"
