"""Did the shield hold: a table of drills that have ended, and how they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.drill.parties import Party
from holdfast.drill.plan import Plan
from holdfast.drill.result import Progress, Run
from holdfast.drill.tally import Answer, Outcome
from holdfast.drill.target import Target
from holdfast.drill.verdict import Seen, judge, seen_of
from holdfast.drill.words import HEAD, announced, second, suggested, timeline
from holdfast.model.mitigation import Action
from holdfast.shield.attack import Attack
from holdfast.shield.mitigation_record import MitigationRecord, Step
from holdfast.shield.record import AttackRecord

PLAN = Plan(calm=12, flood=10, after=5, visitors=20, rate=350)
BEGAN = 1_000_000.0
SEEN = Seen("gazette-1", BEGAN + 12.6, "370 requests/s, usually 20", BEGAN + 12.7, "challenge", "one agent")
FLOOD = tuple(
    Answer(Party.FLOOD, 12 + number / 350, Outcome.CHALLENGED if number > 245 else Outcome.SERVED, 0.01)
    for number in range(3500)
)


def visitors(begin: float, end: float, outcome: Outcome = Outcome.SERVED) -> tuple[Answer, ...]:
    times = range(round(20 * begin), round(20 * end))
    return tuple(Answer(Party.VISITORS, number / 20, outcome, 0.01) for number in times)


def run_of(*people: tuple[Answer, ...], sent: int = 3500) -> Run:
    return Run(PLAN, BEGAN, sent, (*(each for some in people for each in some), *FLOOD))


HELD = run_of(visitors(0, 27))
LOST_EARLY = run_of(visitors(0, 12), visitors(12, 15, Outcome.SILENT), visitors(15, 27))
ASKED = run_of(visitors(0, 15), visitors(15, 22, Outcome.CHALLENGED), visitors(22, 27))


@pytest.mark.parametrize(
    ("run", "seen", "watches", "held", "why"),
    [
        (HELD, SEEN, False, True, "the shield held"),
        (LOST_EARLY, SEEN, False, True, "the shield held"),
        (ASKED, SEEN, False, True, "140 of them met the challenge, which a browser passes by itself"),
        # 7 of 140: one in twenty.
        (
            run_of(visitors(0, 20), visitors(20, 20.35, Outcome.DENIED), visitors(20.35, 27)),
            SEEN,
            False,
            True,
            "",
        ),
        (
            run_of(visitors(0, 20), visitors(20, 20.4, Outcome.DENIED), visitors(20.4, 27)),
            SEEN,
            False,
            False,
            "8 of 140 visitors were turned away (132 served, 8 denied)",
        ),
        (
            run_of(visitors(0, 14), visitors(14, 27, Outcome.SILENT)),
            SEEN,
            False,
            False,
            "140 of 140 visitors were turned away (140 unanswered)",
        ),
        (HELD, None, False, False, "took the flood for no attack. 'holdfast status'"),
        (HELD, replace(SEEN, in_force=None), False, False, "nothing was in force before the flood had ended"),
        (HELD, replace(SEEN, in_force=BEGAN + 22.1), False, False, "'holdfast attack show gazette-1'"),
        (HELD, replace(SEEN, action="observe"), True, False, "it only watches. Set shield"),
        (HELD, None, True, False, "took the flood for no attack"),
        (run_of(visitors(0, 27), sent=1700), SEEN, False, False, "sent 1700 of the flood's 3500 requests"),
    ],
)
def test_a_drill_is_judged(run: Run, seen: Seen | None, watches: bool, held: bool, why: str) -> None:
    verdict = judge(run, seen, watches=watches)
    assert verdict.held is held
    assert why in verdict.why


def test_where_few_visitors_come_one_may_be_lost() -> None:
    few = [Answer(Party.VISITORS, float(at), Outcome.SERVED, 0.01) for at in range(27) if at != 18]
    one = Answer(Party.VISITORS, 18.0, Outcome.SILENT, 3.0)
    another = Answer(Party.VISITORS, 19.0, Outcome.SILENT, 3.0)
    assert judge(run_of((*few, one)), SEEN, watches=False).held
    assert not judge(run_of((*few, one, another)), SEEN, watches=False).held


def test_the_record_says_when_the_first_of_the_shields_mitigations_came() -> None:
    attack = Attack("gazette-1", "gazette", BEGAN + 12.6, "370 requests/s, usually 20")
    record = AttackRecord(attack)
    assert seen_of(record) == Seen("gazette-1", BEGAN + 12.6, "370 requests/s, usually 20", None)
    for name, of, at, action in (
        ("a person's", "", 3.0, Action.LIMIT),
        ("the second", "gazette-1", 14.0, Action.DENY),
        ("the first", "gazette-1", 12.7, Action.CHALLENGE),
    ):
        made = MitigationRecord(name, "gazette", of, "automatic", ("agent",), ("1",), 0.1, BEGAN + 99)
        made.steps.append(Step(BEGAN + at, action.value, "a test"))
        record.put(made)
    seen = seen_of(record)
    assert (seen.in_force, seen.action, seen.matches) == (BEGAN + 12.7, "challenge", "one agent")
    assert seen.mitigation == "the first"


def test_what_to_look_at_next_is_said() -> None:
    target = Target("gazette", "gazette.test", "127.0.0.1", 8080, False)
    said = suggested(target, replace(SEEN, mitigation="gazette-1-1"))
    assert said.splitlines()[0].endswith("  holdfast attack show gazette-1")
    assert said.splitlines()[-1].endswith("  holdfast explain gazette-1-1")
    assert "explain" not in suggested(target, replace(SEEN, in_force=None))


def test_a_drill_is_told_as_a_timeline() -> None:
    told = timeline(run_of(visitors(0, 15), visitors(15, 16, Outcome.CHALLENGED), visitors(16, 27)), SEEN)
    lines = told.splitlines()
    assert [line.split(" s ")[0].strip() for line in lines[:6]] == [
        "0.0",
        "12.0",
        "12.6",
        "12.7",
        "22.0",
        "27.0",
    ]
    assert "first mitigation in force, 0.7 s after that: challenge, one agent" in lines[3]
    assert "  visitors served before the flood: 100 % (240 of 240)" in lines
    assert "  visitors served in the flood: 90.0 % (180 of 200; 20 challenged)" in lines
    assert "  visitors served after it: 100 % (100 of 100)" in lines
    assert lines[-1] == (
        "  of 3500 flood requests 246 reached the origin, 1 of them sent after the mitigation was in force;"
        " 3254 were challenged"
    )


def test_what_was_not_seen_is_not_told() -> None:
    told = timeline(HELD, None)
    assert "mitigation" not in told
    assert "sure" not in told
    assert "246 reached the origin; 3254 were challenged" in told


def test_each_second_is_a_line_under_the_head() -> None:
    answers = (*visitors(0, 13, Outcome.SILENT), *visitors(13, 15), *(each for each in FLOOD if each.at < 15))
    line = second(PLAN, Progress(15.01, 1060, answers))
    assert line.split() == ["15", "1060", "246", "804", "0", "0", "100", "%", "in", "the", "flood"]
    assert len(line.rpartition("  ")[0]) == len(HEAD)
    assert "—" in second(PLAN, Progress(1.0, 0, ()))


@pytest.mark.parametrize("watches", [True, False])
def test_what_will_happen_is_said_before(watches: bool) -> None:
    said = announced(Target("gazette", "gazette.test", "127.0.0.1", 8080, watches), PLAN)
    assert "http://gazette.test:8080/ at 127.0.0.1, this machine only" in said
    assert ("nothing will be refused" in said) is watches
