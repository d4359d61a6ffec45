"""Who is usual, and what became of whom."""

from __future__ import annotations

from holdfast.model.mitigation import Action
from holdfast.replay.judge import Judgement
from holdfast.replay.order import Second
from holdfast.replay.tally import Tally
from tests.unit.replay.logs import START, entry

VISITOR, BOT = "192.0.2.7", "198.51.100.9"
CHALLENGED = Judgement("a-1", Action.CHALLENGE, True)
OBSERVED = Judgement("a-1", Action.OBSERVE, False)


def tally(*calm: tuple[int, str], suspected: float) -> Tally:
    """Clients that came in calm, each with its second; then a suspicion."""
    made = Tally()
    for offset, host in calm:
        made.in_calm(Second(START + offset, [entry(START + offset, host=host)]))
    made.suspect(START + suspected)
    return made


def test_who_came_before_the_suspicion_is_usual() -> None:
    made = tally((0, VISITOR), (40, BOT), suspected=40.1)
    for host in (VISITOR, BOT):
        made.count("a", entry(host=host), host, CHALLENGED)
    touched = made.mitigations["a-1"]
    assert touched.all == {"challenged": 2}
    assert touched.usual == {"challenged": 1}
    assert touched.clients == {VISITOR}
    assert made.meanwhile == {"a": 1}


def test_a_visit_that_has_just_begun_counts() -> None:
    made = tally((37, VISITOR), suspected=40.1)
    made.count("a", entry(), VISITOR, CHALLENGED)
    assert made.mitigations["a-1"].usual == {"challenged": 1}


def test_a_second_that_went_on_at_the_suspicion_may_be_the_floods() -> None:
    made = tally((39, BOT), suspected=40.1)
    made.count("a", entry(host=BOT), BOT, CHALLENGED)
    assert made.mitigations["a-1"].usual == {}


def test_what_passes_is_counted_and_harms_nobody() -> None:
    made = tally((0, VISITOR), suspected=40.0)
    made.count("a", entry(), VISITOR, OBSERVED)
    made.count("a", entry(), VISITOR, None)
    touched = made.mitigations["a-1"]
    assert (touched.usual, touched.clients) == ({"passed": 1}, set())
    assert made.real == {}
    assert made.meanwhile == {"a": 2}


def test_generated_requests_are_counted_apart() -> None:
    made = Tally()
    made.let_pass([entry(flood=1), entry()])
    made.count("a", entry(flood=1), BOT, CHALLENGED)
    made.count("a", entry(), BOT, CHALLENGED)
    assert made.floods == {1: {"passed": 1, "challenged": 1}}
    assert made.real == {"challenged": 1}
    assert made.mitigations["a-1"].real == {"challenged": 1}


def test_of_another_log_only_who_is_usual_is_remembered() -> None:
    made = tally((0, VISITOR), suspected=40.0)
    made.count("a", entry(flood=1), VISITOR, CHALLENGED)
    made.forget()
    assert (made.mitigations, made.floods, made.real, made.meanwhile) == ({}, {}, {}, {})
    made.count("b", entry(), VISITOR, None)
    assert made.meanwhile == {"b": 1}
