"""Mitigations and what a site knows, as entries of maps; in general: ``test_verdicts_property``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from holdfast.edge.dataplane.limits import DEFAULT
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.rules.features import LINGERING, WHOLE_SITE, bit, needed_by
from holdfast.edge.dataplane.verdicts import (
    STRICT_LIMIT,
    familiar_facts,
    held_mitigations,
    shield_facts,
    template_of,
)
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.features import TEMPLATES, Feature

UNTIL = datetime(2026, 11, 22, 12, 0, 0, 900_000, tzinfo=UTC)
END = "1795348800"
MADE = Mitigation("m-1", "shop", Action.DENY, ("agent", "names"), ("4", "-5"), "r", UNTIL, UNTIL)


def entries(*mitigations: Mitigation, lingers: bool = False) -> dict[tuple[str, str], str]:
    return shield_facts("1-7", mitigations, DEFAULT, lingers=lingers).maps


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (Action.OBSERVE, f"observe|m-1|{END}"),
        (Action.LIMIT, f"limit|m-1|{END}|{STRICT_LIMIT}:100:400:2147483647:1073741824"),
        (Action.CHALLENGE, f"challenge|m-1|{END}"),
        (Action.DENY, f"deny|m-1|{END}"),
        (Action.DROP, f"drop|m-1|{END}"),
    ],
)
def test_a_verdict(action: Action, verdict: str) -> None:
    """Its end in whole seconds, never later than it says."""
    assert entries(replace(MADE, action=action)) == {
        (Maps.SIGNATURES, "1-7|8|4|-5"): verdict,
        (Maps.MASKS, "1-7"): str(1 << 8),
    }


def test_an_end_is_a_moment_wherever_it_was_written_down() -> None:
    elsewhere = replace(MADE, until=UNTIL.astimezone(timezone(timedelta(hours=-5))))
    assert entries(elsewhere) == entries(MADE)


def test_several_of_a_site() -> None:
    """The mask is the sum of the templates in use, each once."""
    second = replace(MADE, id="m-2", values=("6", "7"))
    whole = replace(MADE, id="m-3", features=(), values=())
    found = entries(MADE, second, whole, lingers=True)
    assert {key for name, key in found if name == Maps.SIGNATURES} == {
        "1-7|8|4|-5",
        "1-7|8|6|7",
        f"1-7|{WHOLE_SITE}",
    }
    assert found[Maps.MASKS, "1-7"] == str((1 << 8) | (1 << WHOLE_SITE) | (1 << LINGERING))


def test_nothing_in_force_is_nothing_held() -> None:
    assert entries() == {}
    assert entries(lingers=True) == {(Maps.MASKS, "1-7"): str(1 << LINGERING)}


def test_absent_values_have_their_place() -> None:
    assert (Maps.SIGNATURES, "1-7|8||-5") in entries(replace(MADE, values=("", "-5")))
    assert (Maps.SIGNATURES, "1-7|8|4|") in entries(replace(MADE, values=("4", "")))


def test_every_template_has_a_number_of_its_own() -> None:
    numbers = [template_of(tuple(each.name.lower() for each in one.features)) for one in TEMPLATES]
    assert numbers == [each.bit for each in TEMPLATES] == list(range(len(TEMPLATES)))
    assert len({each.features for each in TEMPLATES}) == len(TEMPLATES)
    assert template_of(()) == WHOLE_SITE
    # HAProxy's integers have 64 bits and a sign.
    assert len(TEMPLATES) <= WHOLE_SITE < LINGERING <= 62


@pytest.mark.parametrize(
    "features", [("version",), ("names", "agent"), ("agent", "agent"), ("AGENT",), ("x",)]
)
def test_what_is_no_template(features: tuple[str, ...]) -> None:
    with pytest.raises(KeyError):
        template_of(features)


@pytest.mark.parametrize("feature", Feature)
def test_which_templates_need_a_feature(feature: Feature) -> None:
    mask = needed_by(feature)
    assert [bool(mask & bit(each.bit)) for each in TEMPLATES] == [
        feature in each.features for each in TEMPLATES
    ]
    assert not mask & bit(WHOLE_SITE)
    assert not mask & bit(LINGERING)


def test_what_is_read_back() -> None:
    held = {
        key: value for (name, key), value in entries(MADE, lingers=True).items() if name == Maps.SIGNATURES
    }
    assert held_mitigations(held) == {"m-1": ("1-7", UNTIL.replace(microsecond=0))}


@pytest.mark.parametrize("value", ["", "deny", "deny|m-1", "deny|m-1|soon", "|||"])
def test_what_somebody_else_has_written_is_passed_over(value: str) -> None:
    assert held_mitigations({"1-7|8|4": value}) == {}


def test_what_a_site_knows_of_its_usual_traffic() -> None:
    maps = familiar_facts(
        "1-7", {Feature.AGENT: ["4"], Feature.NAMES: ["-5", "6"]}, ["192.0.2.0"], [("192.0.2.0", "4")]
    ).maps
    assert {key for name, key in maps if name == Maps.FAMILIAR} == {
        "1-7",
        "1-7|0|4",
        "1-7|1|-5",
        "1-7|1|6",
        "1-7|11|192.0.2.0",
    }
    assert maps[Maps.NETWORKS, "1-7|192.0.2.0"] == "0", "no stranger"
    assert maps[Maps.FRIENDS, "1-7|192.0.2.0|4"] == "1"


def test_a_site_that_knows_nothing_grades_nobody() -> None:
    assert familiar_facts("1-7", {}, [], []).maps == {}
    assert familiar_facts("1-7", {Feature.AGENT: []}, [], []).maps == {}
    friends = familiar_facts("1-7", {}, [], [("192.0.2.0", "4")]).maps
    assert friends == {(Maps.FRIENDS, "1-7"): "1", (Maps.FRIENDS, "1-7|192.0.2.0|4"): "1"}
