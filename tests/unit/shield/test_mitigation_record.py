"""The record of one mitigation: each step with its reason, what was in force when, why it is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holdfast.model.mitigation import Action
from holdfast.shield.mitigation_record import (
    MOST_STEPS,
    WITHDRAWN,
    MitigationRecord,
    Step,
    is_switch,
    mitigation_record_document,
    read_mitigation_record,
    why_gone,
)
from holdfast.shield.phase import Phase
from holdfast.shield.response import EVERYBODY, STRANGERS, Response, Standing
from tests.unit.shield.recorded import mitigation, mitigation_record
from tests.unit.shield.traffic import START


def test_no_network_is_on_record() -> None:
    made = mitigation(features=("network",), values=("198.18.0.0",))
    record = MitigationRecord.of(made, START)
    assert (record.features, record.values, record.matches) == (("network",), ("",), "one network")
    assert record.evidence == ("GET / · floodtool",)
    assert "198.18" not in json.dumps(mitigation_record_document(record))


def test_each_step_has_what_is_new_of_the_reason() -> None:
    """Reasons of mitigations grow with each step."""
    first = mitigation(reason="few")
    second = replace(first, action=Action.DENY, reason="few; 12% passed")
    third = replace(second, action=Action.CHALLENGE, harm=0.02, reason="few; 12% passed; too much harm")
    record = MitigationRecord.of(first, START)
    assert not record.follow(first, replace(first, until=first.until + timedelta(seconds=30)), START + 0.5)
    assert record.follow(first, second, START + 1)
    assert record.follow(second, third, START + 2)
    assert record.steps == [
        Step(START, "challenge", "few"),
        Step(START + 1, "deny", "12% passed"),
        Step(START + 2, "challenge", "too much harm"),
    ]
    assert record.harm == 0.0008, "as it was predicted at first"
    assert record.until == first.until.timestamp()


def test_who_pins_it_is_on_record() -> None:
    first = mitigation()
    record = MitigationRecord.of(first, START)
    assert record.follow(first, replace(first, pinned=True, author="Ada"), START + 5)
    assert (record.author, record.pinned) == ("Ada", True)
    assert record.steps[-1] == Step(START + 5, "challenge", "pinned by Ada")


def test_what_was_in_force_in_a_second() -> None:
    record = mitigation_record()
    second = int(START)
    found = {offset: record.at(second + offset) for offset in (-1, 0, 1, 2, 59, 60, 61)}
    actions = {offset: step.action if step else "" for offset, step in found.items()}
    assert actions == {-1: "", 0: "challenge", 1: "deny", 2: "deny", 59: "deny", 60: "deny", 61: ""}
    record.steps.append(Step(START + 100, "challenge", "again"))
    assert record.at(second + 99) is None
    assert (step := record.at(second + 100)) is not None
    assert step.reason == "again"


def test_it_is_withdrawn_once() -> None:
    record = MitigationRecord.of(mitigation(), START)
    ended = [record.ended]
    for later, why in ((9, "a person has undone it"), (10, "the attack has ended")):
        record.withdraw(START + later, why)
        ended.append(record.ended)
    assert ended == [None, START + 9, START + 9]
    assert record.steps[-1].reason == "a person has undone it"
    assert record.reason == mitigation().reason


def test_the_switch_has_no_end_of_steps() -> None:
    record = MitigationRecord.of(mitigation(), START)
    for number in range(MOST_STEPS):
        record.follow(None, mitigation(), START + number + 0.5)
        record.withdraw(START + number + 0.6, f"off {number}")
    assert len(record.steps) == MOST_STEPS
    assert (record.began, record.steps[-1].reason) == (START, f"off {MOST_STEPS - 1}")


def test_what_was_measured_is_summed_up() -> None:
    record = MitigationRecord.of(mitigation(), START)
    standing = Standing(mitigation(), START, rate=1000.0, solved=0.1)
    record.measure(standing, 0.5)
    assert (record.matched, record.passed, record.worst, record.last) == (500.0, 50.0, None, None)
    for harm in (0.02, 0.001, None):
        standing.harm = harm
        record.measure(standing, 0.5)
    assert (record.matched, record.worst, record.last) == (2000.0, 0.02, 0.001)


WHOLE = {"features": (), "values": ()}


@pytest.mark.parametrize(
    ("more", "phase", "after", "expected"),
    [
        ({}, Phase.ATTACK, 9, "it has matched nothing for a minute"),
        ({}, Phase.CALM, 9, "the attack has ended"),
        ({}, Phase.ATTACK, 61, "its end had come"),
        ({"pinned": True, "author": "Ada"}, Phase.ATTACK, 9, "a person has undone it"),
        ({"author": "Ada"}, Phase.CALM, 9, "a person has undone it"),
        ({"author": "Ada"}, Phase.CALM, 61, "its end had come"),
        (dict(zip(WHOLE, EVERYBODY, strict=True)), Phase.EASING, 9, "no flood is seen any more, and it"),
        (dict(zip(WHOLE, STRANGERS, strict=True)), Phase.EASING, 9, "no flood is seen any more, and it"),
        (dict(zip(WHOLE, STRANGERS, strict=True)), Phase.ATTACK, 9, "it has matched nothing for a minute"),
        ({"id": "shop-under-attack", "author": "owner", **WHOLE}, Phase.CALM, 9, "the switch was turned off"),
    ],
)
def test_why_it_is_gone(more: dict[str, Any], phase: Phase, after: float, expected: str) -> None:
    assert why_gone(mitigation(**more), Response("shop"), phase, START + after).startswith(expected)


def test_what_a_person_has_undone_or_forbidden_and_what_another_has_replaced() -> None:
    response, made = Response("shop"), mitigation()
    response.undone.add((made.features, made.values))
    assert why_gone(made, response, Phase.ATTACK, START) == "a person has undone it"
    response.forbidden.add((made.features, made.values))
    assert why_gone(made, response, Phase.ATTACK, START) == "a person has forbidden it"
    switch = mitigation(id="shop-under-attack", **WHOLE)
    assert is_switch(switch)
    told = why_gone(switch, Response("shop"), Phase.ATTACK, START, replaced=True)
    assert told == "the challenge of an attack stands in its place"


def test_a_record_is_its_document() -> None:
    for record in (mitigation_record(), MitigationRecord.of(mitigation(**WHOLE, pinned=True), START)):
        document = json.loads(json.dumps(mitigation_record_document(record)))
        assert read_mitigation_record(document) == record
        assert document["matches"] == record.matches


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": [{"at": "soon", "action": WITHDRAWN, "reason": ""}]},
        {"values": []},
        {"harm": None},
        {"worst": "much"},
        {"steps": 5},
    ],
    ids=str,
)
def test_a_broken_document_is_told(change: dict[str, Any]) -> None:
    document = mitigation_record_document(mitigation_record())
    with pytest.raises((TypeError, ValueError)):
        read_mitigation_record({**document, **change})
    document.pop(next(iter(change)))
    with pytest.raises(KeyError):
        read_mitigation_record(document)
