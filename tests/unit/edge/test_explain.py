"""What an id leads to, in words: the rule, its reason, and what can be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.edge.dataplane.reasons import LIMITS as REASONS
from holdfast.edge.explain import (
    DOES,
    LIMITS,
    Explanation,
    explanation_as_text,
    explanation_document,
    read_explanation,
)
from holdfast.model.enforcement import Enforcement, SiteScope, dump_enforcement
from holdfast.model.mitigation import Action
from holdfast.shield.mitigation_record import MitigationRecord
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation, mitigation_record, record
from tests.unit.shield.traffic import START

SECOND = int(START)
BLOCK: dict[str, Any] = {
    **dump_enforcement(
        Enforcement(
            id="20231114-0a1b2c3d",
            scope=SiteScope("shop"),
            ground="Terms of service, section 4",
            since=datetime.fromtimestamp(START, UTC),
            until=datetime.fromtimestamp(START + 3600, UTC),
            by="duty officer",
        )
    ),
    "scope": "site shop",
    "status": 403,
    "index": 7,
}


def text(identifier: str, kind: str, **more: Any) -> str:
    return explanation_as_text(Explanation(identifier, kind, **more))


def standing(**more: Any) -> MitigationRecord:
    return MitigationRecord.of(mitigation(**more), START)


def test_every_limit_and_every_rung_has_words() -> None:
    assert set(LIMITS) == {each.name.lower() for each in REASONS}
    assert set(DOES) == {each.value for each in Action}


def test_an_answer_tells_the_step_that_was_in_force() -> None:
    made = mitigation_record()
    told = {
        second: text(f"{FIRST}.{second}", "mitigation", at=second, mitigation=made, attack=record().attack)
        for second in (SECOND, SECOND + 5, SECOND + 99)
    }
    assert "answer:     given at 2023-11-14 22:13:20 UTC" in told[SECOND]
    assert "does:       challenge: " in told[SECOND]
    assert "step:" not in told[SECOND]
    assert "does:       deny: refused (403)" in told[SECOND + 5]
    assert "step:       deny since 2023-11-14 22:13:21 UTC: 12% passed the step before" in told[SECOND + 5]
    assert "it was not in force in that second" not in told[SECOND + 5]
    assert "it was not in force in that second" in told[SECOND + 99]
    for each in told.values():
        assert "matches:    one agent and one order of headers" in each
        assert "reason:     93% of the excess" in each
        assert "withdrawn 2023-11-14 22:14:20 UTC: the attack has ended" in each
        assert f"attack:     {ATTACK} on shop, 2023-11-14 22:13:20 UTC, for 1 min" in each
        assert "nothing has to be undone" in each
        assert "mitigation undo" not in each


def test_what_is_in_force_can_be_undone() -> None:
    told = text(FIRST, "mitigation", mitigation=standing())
    assert "made by:    the shield, by itself" in told
    assert "it is renewed while it is needed" in told
    for words in ("undo", "forbid", "pin"):
        assert f"holdfast mitigation {words} {FIRST}" in told
    assert "such as:    GET / · floodtool" in told
    assert "198.18" not in told


def test_a_persons_mitigation() -> None:
    made = standing(author="Ada", attack="", pinned=True, features=(), values=(), harm=1.0)
    told = text(FIRST, "mitigation", mitigation=made)
    assert "made by:    Ada" in told
    assert "until 2023-11-14 22:14:20 UTC" in told
    assert "it touches all visitors" in told
    assert "forbid" not in told


def test_the_owners_switch() -> None:
    made = standing(id="shop-under-attack", author="owner", attack="", pinned=True, features=(), values=())
    told = text("shop-under-attack", "mitigation", mitigation=made)
    assert "by the switch 'under attack'" in told
    assert "turn it off: holdfast under-attack shop off" in told
    assert "mitigation undo" not in told


@pytest.mark.parametrize("reason", sorted(LIMITS))
def test_a_limit_is_told_without_its_site(reason: str) -> None:
    told = text(f"limit-{reason}.{SECOND}", "limit", at=SECOND, limit=reason)
    assert "the id does not say which site it was" in told
    assert "docs/explain/limits.md" in told
    assert "holdfast status" in told


def test_a_limit_that_a_mitigation_has_set() -> None:
    made = standing(action=Action.LIMIT)
    told = text(f"{FIRST}/limit-rate.{SECOND}", "limit", at=SECOND, limit="rate", mitigation=made)
    assert "under the mitigation 2 such requests a second, 20 at once after a pause, 6 at the same" in told
    assert f"withdraw it: holdfast mitigation undo {FIRST}" in told
    told = text(f"{FIRST}/limit-body.{SECOND}", "limit", at=SECOND, limit="body", mitigation=made)
    assert "those of the site under [sites.limits]" in told


@pytest.mark.parametrize(
    ("kind", "words"), [("ceiling", "a client without a clearance"), ("challenge", "a page of")]
)
def test_what_belongs_to_no_mitigation(kind: str, words: str) -> None:
    told = text(f"{kind}.{SECOND}", kind, at=SECOND)
    assert f"rule:       {words}" in told
    assert "allow list" in told


def test_an_attack_leads_to_its_story() -> None:
    told = text(ATTACK, "attack", attack=record().attack)
    assert "what:       an attack on shop, 2023-11-14 22:13:20 UTC, for 1 min" in told
    assert "confirmed:  1900 requests/s, usually 40; few fingerprints" in told
    assert f"holdfast attack show {ATTACK}" in told


def test_a_block_leads_to_who_decided() -> None:
    told = text(BLOCK["id"], "block", block=BLOCK)
    assert "what:       a block of site shop, answered 403" in told
    assert "by:         duty officer" in told
    assert "in force:   since 2023-11-14 22:13:20 UTC, until 2023-11-14 23:13:20 UTC" in told
    assert "entry 7 of the public log" in told
    assert f"lift it: holdfast unblock {BLOCK['id']}" in told
    assert "on demand of the court" in text("x", "block", block={**BLOCK, "authority": "the court"})


def test_an_explanation_is_its_document() -> None:
    for made in (
        Explanation(f"{FIRST}.{SECOND}", "mitigation", SECOND, "", mitigation_record(), record().attack),
        Explanation(f"limit-rate.{SECOND}", "limit", SECOND, "rate"),
        Explanation(BLOCK["id"], "block", block=BLOCK),
    ):
        assert read_explanation(json.loads(json.dumps(explanation_document(made)))) == made
