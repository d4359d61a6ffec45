"""Scenario files: those that are shipped, and what is said of a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.floods.scenario import (
    DIRECTORY,
    CrowdSpec,
    FloodSpec,
    Scenario,
    ScenarioError,
    SiteSpec,
    TargetSpec,
    everything,
    find,
    parse_scenario,
    read_scenario,
)
from bench.floods.shots import Schedule, Shooter, sources


def test_there_are_fourteen() -> None:
    assert [int(path.name.split("-")[0]) for path in everything()] == list(range(1, 15))


@pytest.mark.parametrize("path", everything(), ids=lambda path: path.stem)
def test_every_shipped_file_is_read_and_is_a_flood_worth_its_name(path: Path) -> None:
    scenario = read_scenario(path)
    site = scenario.sites[0]
    slowest = max([site.ms, *site.costs.values()])
    capacity = 1000 * site.workers / slowest
    if scenario.floods:
        assert max(each.rate for each in scenario.floods) >= 10 * capacity
    for quick in (True, False):
        span = scenario.span(quick)
        assert all(0 <= begin < end <= span.flood for begin, end in scenario.pulses(quick))
    short = scenario.quick
    assert 3 * (short.before + short.flood + short.after + 15) <= 150


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "title: this field is missing: add it"),
        ('title = "a"\nspeed = 1', "speed: there is no such field: remove it"),
        ('title = "a"\n[[floods]]\nrate = 0\nsources = 1', "floods[1].rate: input should be greater than 0"),
        (
            'title = "a"\n[[floods]]\nrate = 1\nsources = 1\nclient = "h3"',
            "floods[1].client: input should be",
        ),
        ('title = "a"\n[[floods]]\nrate = 1\nsources = 1\nclient = "h2"', "set https = true"),
        ('title = "a"\n[[floods]]\nrate = 1\nsources = 1\nnetworks = ["8.0.0.0/8"]', "10.64.0.0/10"),
        (
            'title = "a"\n[[floods]]\nrate = 1\nsources = 1\nheaders = "lynx"',
            "write a list of headers, or one of",
        ),
        ('title = "a"\n[[floods]]\nrate = 1\nsources = 1\nsite = "b.test"', "there is no site 'b.test'"),
        ('title = "a"\n[[floods]]\nrate = 1\nsources = 9\nnetworks = ["10.64.0.0/29"]', "widen them"),
        ('title = "a"\n[[floods]]\nrate = 1\nsources = 1\npulse = { on = 4, every = 4 }', "make on < every"),
        ("title = ", "this is not TOML"),
    ],
)
def test_a_wrong_file_is_told_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(words)):
        parse_scenario(text, "my.toml")


def test_a_scenario_is_found_by_number_or_path(tmp_path: Path) -> None:
    assert find("3").name.startswith("03-")
    mine = tmp_path / "mine.toml"
    mine.write_text('title = "mine"')
    assert read_scenario(find(str(mine))).title == "mine"
    for text in ("99", "nowhere.toml"):
        with pytest.raises(ScenarioError):
            find(text)


def test_the_reference_names_every_field() -> None:
    text = (DIRECTORY / "README.md").read_text()
    for model in (Scenario, SiteSpec, FloodSpec, CrowdSpec, TargetSpec):
        for name in model.model_fields:
            assert f"`{name}`" in text or f"[{name}]" in text, f"{model.__name__}.{name}"


def test_overlapping_floods_are_one_span_and_pulses_are_several() -> None:
    flood = FloodSpec(rate=1, sources=1)
    pulses = FloodSpec.model_validate(
        {"rate": 1, "sources": 1, "pulse": {"on": 10, "every": 40}, "quick_pulse": {"on": 4, "every": 16}}
    )
    both = Scenario(title="a", floods=[flood, flood.model_copy(update={"start": 3.0, "seconds": 2.0})])
    assert both.pulses(quick=True) == [(0.0, 12.0)]
    several = Scenario(title="a", floods=[pulses])
    assert several.pulses(quick=True) == [(0.0, 4.0)]
    assert several.pulses(quick=False) == [(0.0, 10.0)]


def test_a_schedule_pauses_between_its_spans() -> None:
    schedule = Schedule(100.0, ((10.0, 12.0), (20.0, 22.0)))
    assert [schedule.due(moment) for moment in (9, 10, 11, 12, 19, 21, 30)] == [0, 0, 100, 200, 200, 300, 400]


def test_bots_are_who_they_are_said_to_be() -> None:
    spec = FloodSpec(
        rate=1, sources=300, agents=["a/1", "b/2"], paths=["/?q={random}"], headers=["Host", "X: 1"]
    )
    assert len(set(sources(spec, 1))) == 300
    assert sources(spec, 1) == sources(spec, 1) != sources(spec, 2)
    shooter = Shooter(spec, "a.test", 1, [])
    shots = [shooter.shot(bot) for bot in shooter.bots]
    assert len({shot.path for shot in shots}) == 300
    assert shots[0].http1().endswith(b" HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n\r\n")
