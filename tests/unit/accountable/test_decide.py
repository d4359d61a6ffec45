"""Who may decide what, and what the record then says: cases without a disk or a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

import pytest

from holdfast.accountable.decide import (
    Asked,
    Person,
    check_two,
    decide_block,
    decide_grounds,
    decide_lift,
    parse_person,
)
from holdfast.accountable.draft import Draft, Step
from holdfast.ledger.entry import check_disclosure, parse_entry
from holdfast.model.enforcement import PathScope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.grounds import parse_grounds
from holdfast.model.record import content_hash, parse_block, parse_grounds_record, parse_lift

NOW = datetime(2026, 11, 27, 12, 0, 0, 250_000, tzinfo=UTC)
FILE = """
format = "holdfast-grounds/1"
version = "1"
[[grounds]]
clause = "4.2"
name = "threat to life"
text = "It threatens a life."
measures = ["block-site"]
max_days = 14
"""
GROUNDS = parse_grounds(FILE.encode())
ADA = Person("Ada Example", "duty officer")
GRACE = Person("Grace Example", "head of operations")
ASKED = Asked(
    scope=SiteScope("gazette"),
    hostnames=("gazette.test",),
    ground="threat to life",
    clause="4.2",
    until=NOW + timedelta(days=7),
    by=ADA,
    approved_by=GRACE,
    statement="# Why\n\nBecause of the addresses.\n",
    facts="Report 1, by the clerk Eve, at 07:40.",
)


def salts() -> Callable[[], bytes]:
    numbers = iter(range(1, 100))
    return lambda: bytes([next(numbers)]) * 32


def decided(**changed: Any) -> Draft:
    return decide_block(replace(ASKED, **changed), GROUNDS, "20261127-0a1b2c3d", NOW, salts())


def test_a_decision_says_the_same_to_the_record_and_to_the_edge() -> None:
    draft = decided()
    entry = parse_entry(draft.entry)
    record = parse_block(entry.public)
    assert draft.enforcement is not None
    assert (entry.kind, entry.time, draft.step) == ("block", int(NOW.timestamp()), Step.DRAFTED)
    assert record.ground == draft.enforcement.ground == "Clause 4.2, threat to life: It threatens a life."
    assert record.since == draft.enforcement.since == NOW.replace(microsecond=0)
    assert record.until == draft.enforcement.until
    assert record.by_role == draft.enforcement.by == "duty officer"
    assert record.approved_by_role == "head of operations"
    assert (record.clause, record.grounds_hash) == ("4.2", GROUNDS.hash)
    assert record.statement_hash == content_hash(draft.document.encode())


def test_what_is_private_is_committed_to_and_can_be_shown() -> None:
    draft = decided()
    assert {each.field for each in draft.private} == {"by", "approved_by", "facts"}
    assert len({each.salt for each in draft.private}) == 3
    for each in draft.private:
        check_disclosure(parse_entry(draft.entry), each)
    for secret in ("Ada", "Grace", "Eve", "07:40"):
        assert secret not in draft.entry.decode()


def test_two_decisions_that_say_the_same_do_not_show_it() -> None:
    one, two = (decide_block(ASKED, GROUNDS, "a", NOW, lambda: token_bytes(32)) for _ in range(2))
    assert {*parse_entry(one.entry).commitments.values()}.isdisjoint(
        parse_entry(two.entry).commitments.values()
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"until": NOW}, "is over; name a time to come"),
        ({"until": NOW - timedelta(days=1)}, "is over; name a time to come"),
        ({"until": NOW + timedelta(days=15)}, "clause 4.2 (threat to life) admits at most 14 days"),
        ({"ground": "we find it disgusting"}, "'we find it disgusting' is not a ground"),
        ({"scope": PathScope("gazette", "/x/")}, "no clause admits block-url"),
        ({"approved_by": ADA}, "cannot approve what"),
        ({"statement": " \n"}, "--statement: the file is empty"),
        ({"statement": "x" * 65_537}, "--statement: 65537 bytes are too many"),
        ({"statement": "a\x00b"}, "there is a control character"),
        ({"facts": ""}, "--facts: the file is empty"),
        ({"facts": "x" * 1_048_577}, "--facts: 1048577 bytes are too many"),
        ({"authority": "the court"}, "does not rest on a legal demand"),
        ({"authority": "c" * 101}, "--legal-demand: 101 characters are too many"),
    ],
)
def test_what_may_not_be_decided_is_refused_with_a_reason(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(HoldfastError) as raised:
        decided(**changed)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        *("Ada Example", "ada  EXAMPLE", " Ada\u00a0Example", "\uff21da Example"),
        *("Ada\ufe0f Example", "Ada E\u034fxample", "Ada\u3164 Example", "Ada Example\u2800"),
    ],
)
def test_nobody_approves_what_they_decided(name: str) -> None:
    """However the name is spelt, and in whichever role."""
    with pytest.raises(HoldfastError):
        check_two(ADA, Person(name, "night watch"))


def test_two_people_of_one_role_may_decide() -> None:
    check_two(ADA, Person("Grace Example", "duty officer"))


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Ada Example, duty officer", ADA),
        ("  Ada   Example ,duty  officer ", ADA),
        ("Example, Ada, duty officer", Person("Example, Ada", "duty officer")),
    ],
)
def test_a_person_is_a_name_and_a_role(text: str, person: Person) -> None:
    assert parse_person(text, "--by") == person


@pytest.mark.parametrize(
    "text", ["", "Ada", "Ada,", ", officer", " , ", "A\x07da, officer", "A" * 101 + ", b"]
)
def test_who_does_not_say_name_and_role_does_not_decide(text: str) -> None:
    with pytest.raises(HoldfastError) as raised:
        parse_person(text, "--by")
    assert "--by" in str(raised.value)


def test_a_lift_says_who_in_which_role_and_why() -> None:
    draft = decide_lift("20261127-0a1b2c3d", ADA, "  The addresses\n are gone. ", NOW, salts())
    record = parse_lift(parse_entry(draft.entry).public)
    assert (record.id, record.by_role, record.reason) == (
        "20261127-0a1b2c3d",
        "duty officer",
        "The addresses are gone.",
    )
    assert draft.step is Step.ASKED
    assert b"Ada" not in draft.entry


@pytest.mark.parametrize("reason", ["", " ", "x" * 1_001])
def test_a_lift_without_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(HoldfastError) as raised:
        decide_lift("20261127-0a1b2c3d", ADA, reason, NOW, salts())
    assert "--reason" in str(raised.value)


def test_grounds_are_recorded_by_their_hash() -> None:
    draft = decide_grounds(GROUNDS, FILE, ADA, GRACE, NOW, salts())
    record = parse_grounds_record(parse_entry(draft.entry).public)
    assert (record.hash, record.version) == (content_hash(FILE.encode()), "1")
    assert json.loads(draft.entry)["commitments"].keys() == {"by", "approved_by"}
    with pytest.raises(HoldfastError):
        decide_grounds(GROUNDS, FILE, ADA, ADA, NOW, salts())


@pytest.mark.parametrize("role", ["ada example", "Grace Example"])
def test_a_name_is_no_role(role: str) -> None:
    """It would be public for ever."""
    with pytest.raises(HoldfastError, match="is a name; write the name first"):
        check_two(ADA, Person("Grace Example", role))
