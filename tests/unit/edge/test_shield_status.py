"""Mitigations and attacks as rows, and rows as people read them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.edge.shield_status import (
    AttackRow,
    MitigationRow,
    attack_row,
    attacks_as_text,
    mitigation_rows,
    mitigations_as_text,
)
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT = NOON.timestamp()


def mitigation(**more: object) -> Mitigation:
    fields: dict[str, object] = {
        "id": "shop-1",
        "site": "shop",
        "action": Action.CHALLENGE,
        "features": ("agent", "names"),
        "values": ("-1", "7"),
        "reason": "93% of the excess has one agent",
        "since": NOON,
        "until": NOON + timedelta(minutes=1),
        "harm": 0.0008,
    }
    return Mitigation(**{**fields, **more})  # type: ignore[arg-type]


def brain(made: Mitigation, *, fights: bool) -> SiteBrain:
    """One that has measured 1,830 requests/s, of which 2 % passed."""
    one = SiteBrain("shop", Baseline.new(AT))
    one.response.put(made, AT)
    (standing,) = one.response.standing.values()
    standing.rate, standing.solved = 1830.0, 0.02
    if fights:
        one.resume(Attack("shop-a", "shop", AT, "2000 requests/s, usually 40"), AT)
    return one


def row(made: Mitigation, one: SiteBrain | None = None) -> MitigationRow:
    (found,) = mitigation_rows([made], {"shop": one} if one else {})
    return found


def test_a_mitigation_tells_what_it_matches_and_how_it_does() -> None:
    made = mitigation()
    assert mitigations_as_text([row(made, brain(made, fights=True))]) == (
        "shop-1  challenge  shop: one agent and one order of headers\n"
        "    since 2026-11-22 12:00:00 UTC, until 2026-11-22 12:01:00 UTC · by automatic"
        " · 1830 requests/s match, 2% of them passed · touches at most 0.08% of usual requests\n"
        "    93% of the excess has one agent"
    )


@pytest.mark.parametrize("known", [True, False])
def test_what_nobody_measures_now_has_no_rate(known: bool) -> None:
    """The brain measures while it fights; the owner's switch is none of its mitigations."""
    made = mitigation(features=(), values=(), harm=1.0, pinned=True, author="ada")
    text = mitigations_as_text([row(made, brain(made, fights=False) if known else None)])
    assert "shop: the whole site\n" in text
    assert "12:01:00 UTC, pinned · by ada · touches all visitors\n" in text


def test_of_a_young_site_harm_is_not_known() -> None:
    text = mitigations_as_text([row(mitigation(harm=1.0))])
    assert "by automatic · the site is too young to tell whom it touches\n" in text


def test_an_attack_that_goes_on_and_one_that_has_ended() -> None:
    attack = Attack("shop-a", "shop", AT, "2000 requests/s, usually 40", peak=2100.4, usual=40.2)
    attack.touched, attack.reached = 73_210.4, 350.6
    attack.note(AT, "begins", "2000 requests/s, usually 40")
    going_on = attacks_as_text([attack_row(attack)])
    assert going_on == (
        "shop-a  shop  going on since 2026-11-22 12:00:00 UTC\n"
        "    at most 2100 requests/s, usually 40 · 73210 kept away,"
        " about 351 of the excess reached the origin\n"
        "    confirmed: 2000 requests/s, usually 40"
    )
    attack.ended = AT + 90
    assert "shop-a  shop  2026-11-22 12:00:00 UTC to 2026-11-22 12:01:30 UTC\n" in attacks_as_text(
        [attack_row(attack)]
    )
    assert attack_row(attack).journal == [
        {"at": "2026-11-22T12:00:00+00:00", "kind": "begins", "words": "2000 requests/s, usually 40"}
    ]


def test_rows_cross_a_socket_as_json() -> None:
    made = mitigation(evidence=("GET / · floodtool · from 198.18.0.0/24",))
    for one, back in ((row(made, brain(made, fights=True)), MitigationRow), (_attack(), AttackRow)):
        assert back(**json.loads(json.dumps(asdict(one)))) == one


def _attack() -> AttackRow:
    return attack_row(Attack("shop-a", "shop", AT, "why"))


def test_nothing_is_said_too() -> None:
    assert mitigations_as_text([]) == "no mitigation is in force"
    assert attacks_as_text([]) == "no attack in the last 30 days"
