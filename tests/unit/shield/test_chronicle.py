"""The chronicle of one site: it follows a brain in a made-up flood, and goes on with what an agent left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.chronicle import Chronicle
from holdfast.shield.counts import Counts
from holdfast.shield.mitigation_record import WITHDRAWN, MitigationRecord
from holdfast.shield.record import AFTER_SECONDS, AttackRecord, Gap, read_record, record_document
from holdfast.shield.sample import Sample
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation
from tests.unit.shield.test_brain import CALM, site
from tests.unit.shield.traffic import START, TICK, Site, bot

FLOOD = ("flood", 8000.0, bot)
SWITCH = {
    "id": "shop-under-attack",
    "author": "owner",
    "features": (),
    "values": (),
    "pinned": True,
    "attack": "",
}


class Followed(SiteBrain):
    """A brain that is followed at each look, as the guard does."""

    def __init__(self, brain: SiteBrain, chronicle: Chronicle) -> None:
        self.__dict__.update(brain.__dict__)
        self.chronicle = chronicle

    def tick(self, now: float, counts: Counts, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        super().tick(now, counts, samples, rng)
        self.chronicle.count(self, counts, samples)
        self.chronicle.follow(now, self, self.response.mitigations())


def followed() -> tuple[Site, Chronicle]:
    made, chronicle = site(), Chronicle()
    made.brain = Followed(made.brain, chronicle)
    made.run(40, CALM)
    return made, chronicle


def quiet(attack: Attack | None = None) -> SiteBrain:
    brain = SiteBrain("shop", Baseline.new(START))
    if attack is not None:
        brain.resume(attack, attack.began)
    return brain


def test_calm_leaves_nothing() -> None:
    made, chronicle = followed()
    assert chronicle.is_idle
    assert len(chronicle.course.rows) >= 38
    assert chronicle.complete(made.now) == []


def test_a_flood_is_on_record() -> None:
    """From half a minute before to half a minute after it, with each step and what was measured."""
    made, chronicle = followed()
    made.run(5, CALM, FLOOD)
    (record,), attack, before = chronicle.records, made.brain.attack, chronicle.state()
    assert attack is not None
    assert record.attack is attack
    (mitigated,) = record.mitigations.values()
    assert mitigated is chronicle.standing[mitigated.id]
    assert [step.action for step in mitigated.steps] == ["challenge", "deny"]
    assert mitigated.began == attack.began
    assert mitigated.steps[1].reason.endswith("too many to challenge")
    served = made.served["flood"]
    made.run(95, CALM)
    assert chronicle.state() != before
    assert attack.ended is not None
    assert chronicle.complete(attack.ended + AFTER_SECONDS - 1) == []
    while made.now < attack.ended + AFTER_SECONDS + 1:
        made.tick(CALM)
    assert chronicle.complete(made.now) == [record]
    assert (chronicle.records, chronicle.standing, chronicle.gone) == ([], {}, [mitigated])
    assert record.rows[0].at == pytest.approx(attack.began - 30, abs=1.1)
    assert record.rows[-1].end == pytest.approx(attack.ended + AFTER_SECONDS, abs=1.1)
    # The row in which it was confirmed counts for the side on which most of it lies.
    assert record.totals.denied == pytest.approx(attack.touched, abs=8000)
    assert record.totals.requests > 30_000
    assert sum(row.passed + row.overflowed for row in record.rows) >= served
    assert record.unusual() is not None
    assert mitigated.steps[-1].action == WITHDRAWN
    assert mitigated.steps[-1].reason in ("it has matched nothing for a minute", "the attack has ended")
    assert mitigated.matched == pytest.approx(40_000, rel=0.1)
    assert read_record(json.loads(json.dumps(record_document(record)))) == record


def test_what_was_in_force_before_is_part_of_the_record() -> None:
    made, chronicle = followed()
    switch = mitigation(**SWITCH)
    chronicle.follow(made.now, made.brain, [switch])
    attack = Attack(ATTACK, "shop", made.now + 1, "why")
    made.brain.resume(attack, made.now + 1)
    chronicle.follow(made.now + 1, made.brain, [switch, mitigation()])
    (record,) = chronicle.records
    assert list(record.mitigations) == ["shop-under-attack", FIRST]


def test_the_switch_has_one_record_however_often_it_is_turned() -> None:
    """Also over restarts: what is on disk is asked for."""
    chronicle, brain, switch = Chronicle(), quiet(), mitigation(**SWITCH)
    chronicle.follow(START, brain, [switch])
    chronicle.follow(START + 5, brain, [])
    chronicle.follow(START + 9, brain, [switch])
    record = chronicle.standing["shop-under-attack"]
    assert [step.action for step in record.steps] == ["challenge", WITHDRAWN, "challenge"]
    assert chronicle.gone == []
    chronicle.follow(START + 20, brain, [])
    asked: list[str] = []

    def recall(identifier: str) -> MitigationRecord | None:
        asked.append(identifier)
        return record

    after = Chronicle(recall)
    after.follow(START + 99, brain, [switch])
    assert after.standing["shop-under-attack"] is record
    assert [step.action for step in record.steps][2:] == ["challenge", WITHDRAWN, "challenge"]
    after.follow(START + 99, brain, [switch, mitigation(attack="", author="Ada", id="shop-x")])
    assert asked == ["shop-under-attack"]


def test_the_switch_gives_way_to_a_challenge_of_everybody() -> None:
    chronicle, brain = Chronicle(), quiet()
    chronicle.follow(START, brain, [mitigation(**SWITCH)])
    chronicle.follow(START + 1, brain, [mitigation(features=(), values=())])
    (gone,) = chronicle.gone
    assert gone.steps[-1].reason == "the challenge of an attack stands in its place"


def test_what_is_only_watched_is_recorded_as_that() -> None:
    chronicle, brain = Chronicle(), quiet(Attack(ATTACK, "shop", START, "why"))
    made = mitigation(action=Action.DENY)
    brain.response.put(made, START)
    chronicle.follow(START, brain, [replace(made, action=Action.OBSERVE)])
    assert [step.action for step in chronicle.standing[FIRST].steps] == ["observe"]


def left(now: float) -> tuple[AttackRecord, MitigationRecord]:
    """What an agent had on record when it was killed in mid-attack, some seconds ago."""
    chronicle, brain = Chronicle(), quiet(Attack(ATTACK, "shop", now, "why", peak=900))
    brain.response.put(mitigation(), now)
    for tick in range(50):
        at = now + tick * TICK
        chronicle.count(brain, Counts(at, TICK, 400, denied=380), [])
        chronicle.follow(at, brain, brain.response.mitigations())
    (record,) = chronicle.records
    whole = read_record(json.loads(json.dumps(record_document(record))))
    return whole, replace(chronicle.standing[FIRST])


def test_the_next_agent_goes_on_with_the_same_record() -> None:
    record, standing = left(START)
    rows = len(record.rows)
    brain, chronicle = quiet(Attack(ATTACK, "shop", START, "why")), Chronicle()
    brain.response.put(mitigation(), START)
    chronicle.resume([record], [standing])
    now = START + 20
    chronicle.follow(now, brain, brain.response.mitigations())
    chronicle.settle(now, brain.attack)
    assert chronicle.records == [record]
    assert record.attack is brain.attack
    assert record.attack.peak == 900
    assert record.gaps == [Gap(record.rows[-1].end, now)]
    assert record.mitigations[FIRST] is chronicle.standing[FIRST] is standing
    assert [step.action for step in standing.steps] == ["challenge"]
    for tick in range(1, 31):
        chronicle.count(brain, Counts(now + tick * TICK, TICK, 400, denied=380), [])
    assert len(record.rows) > rows


def test_what_nobody_goes_on_with_is_over() -> None:
    """HAProxy has ended the mitigations by its own clock."""
    record, standing = left(START)
    chronicle = Chronicle()
    chronicle.resume([record], [standing])
    chronicle.settle(START + 3600, None)
    assert record.attack.ended == record.rows[-1].end
    assert chronicle.gone == [standing]
    assert (standing.ended, standing.steps[-1].reason) == (START + 60, "no agent was there to renew it")
    assert chronicle.complete(START + 3600) == [record]


def test_of_what_was_left_some_is_still_in_force() -> None:
    """A person's mitigation outlives the attack, which nobody has seen the end of."""
    record, standing = left(START)
    chronicle, brain = Chronicle(), quiet()
    pinned = mitigation(
        pinned=True, author="Ada", until=datetime.fromtimestamp(START, UTC) + timedelta(hours=1)
    )
    chronicle.resume([record], [standing])
    chronicle.follow(START + 99, brain, [pinned])
    chronicle.settle(START + 99, None)
    assert chronicle.standing == {FIRST: standing}
    assert standing.author == "Ada"
    assert record.attack.ended is not None


def test_a_site_that_goes_takes_its_attack_with_it() -> None:
    chronicle, brain = Chronicle(), quiet(Attack(ATTACK, "shop", START, "why"))
    made: list[Mitigation] = [mitigation()]
    chronicle.follow(START, brain, made)
    (record,), standing = chronicle.records, chronicle.standing[FIRST]
    chronicle.leave(START + 5)
    assert (record.attack.ended is None, standing.ended) == (False, START + 5)
    assert standing.steps[-1].reason == "the site was removed"
    assert chronicle.complete(float("inf")) == [record]


def test_the_last_second_is_kept_when_the_agent_ends() -> None:
    chronicle, brain = Chronicle(), quiet(Attack(ATTACK, "shop", START, "why"))
    chronicle.follow(START, brain, [])
    chronicle.count(brain, Counts(START + 0.3, 0.2, 50), [])
    (record,) = chronicle.records
    assert record.rows == []
    chronicle.stop()
    assert [row.requests for row in record.rows] == [50]
