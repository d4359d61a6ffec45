"""Which rung: the mildest that is predicted to suffice and that harm allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.model.mitigation import Action
from holdfast.shield.ladder import LIMIT_RATE, Case, allowed, choose, passes

FEW = Case(rate=500, clients=(250.0, 250.0), room=10, harm=0.0005, is_young=False)
MANY = replace(FEW, rate=2000, clients=(0.4,) * 5000)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (replace(FEW, rate=5, clients=(5.0,)), Action.OBSERVE),  # can be borne
        (FEW, Action.LIMIT),  # two clients that ask too much
        (MANY, Action.CHALLENGE),  # a limit of each would change nothing
        (replace(MANY, solved=0.5), Action.DENY),  # they pass the challenge
        (replace(MANY, solved=0.5, harm=0.01), Action.CHALLENGE),  # but visitors would be denied, too
        (replace(MANY, solved=0.5, is_young=True), Action.CHALLENGE),  # or nobody knows
        (replace(MANY, rate=8000), Action.DENY),  # pages for all of them would cost too much
        (replace(MANY, rate=40_000), Action.DROP),  # refusals, too
        (replace(MANY, rate=40_000, harm=0.01), Action.CHALLENGE),
    ],
)
def test_the_mildest_rung_that_suffices(case: Case, expected: Action) -> None:
    assert choose(case) is expected


def test_nothing_steps_down_while_the_flood_goes_on() -> None:
    for present in Action:
        chosen = choose(replace(FEW, rate=1), at_least=present)
        assert list(Action).index(chosen) >= list(Action).index(present)


def test_denying_needs_harm_that_is_surely_negligible() -> None:
    for action in (Action.DENY, Action.DROP):
        assert allowed(action, FEW)
        assert not allowed(action, replace(FEW, harm=0.0011))
        assert not allowed(action, replace(FEW, is_young=True))


def test_a_limit_passes_what_each_client_keeps() -> None:
    assert passes(Action.LIMIT, FEW) == pytest.approx(2 * LIMIT_RATE)
    assert passes(Action.LIMIT, MANY) == pytest.approx(2000)


def test_each_rung_passes_no_more_than_the_one_below() -> None:
    for case in (FEW, MANY, replace(MANY, solved=0.9)):
        flows = [passes(action, case) for action in Action if action is not Action.LIMIT]
        assert flows == sorted(flows, reverse=True)
