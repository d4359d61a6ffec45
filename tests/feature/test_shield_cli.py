"""The shield as an operator sees and steers it: by commands, against an agent in a process of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.traffic.notes import Notes, attack_document
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from tests.feature.lab import echo_origin, site
from tests.feature.test_cli import Shell, shell, wait_until
from tests.feature.test_counters import metrics

__all__ = ["shell"]  # a fixture


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One agent that hears all the bad input."""
    made = Shell(tmp_path_factory.mktemp("listening"))
    with echo_origin() as port:
        sites = [
            site("a", ["a.test"], port),
            site("b", ["b.test"], port, under_attack=True),
            site("t", ["t.test"], port, service="tcp"),
        ]
        made.configure(*sites)
        with made.up():
            yield made
    shutil.rmtree(made.run_dir, ignore_errors=True)


@pytest.fixture
def origin() -> Iterator[int]:
    with echo_origin() as port:
        yield port


def told(shell: Shell, *words: str) -> str:
    done = shell.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(shell: Shell, *words: str) -> list[dict[str, Any]]:
    found = json.loads(told(shell, *words, "--json"))
    assert isinstance(found, list)
    return found


def test_the_owners_switch_lasts_until_it_is_turned_off(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin), site("b", ["b.test"], origin))
    with shell.up():
        assert "challenges every visitor" in told(shell, "under-attack", "a", "on")
        assert (shell.get("a.test"), shell.get("b.test")) == (403, 200)
        assert "Switched to 'under attack' by its owner: a\n" in told(shell, "status")
    with shell.up():
        assert (shell.get("a.test"), shell.get("b.test")) == (403, 200), "it survives a restart"
        (row,) = listed(shell, "mitigations", "a")
        assert (row["action"], row["author"], row["matches"]) == ("challenge", "owner", "the whole site")
        assert listed(shell, "mitigations", "b") == []
        for words in (("undo",), ("forbid",), ("pin", "--for", "1h")):
            refused = shell.run("mitigation", words[0], row["id"], *words[1:])
            assert "turn it off with 'holdfast under-attack a off'" in refused.stderr
        assert shell.get("a.test") == 403
        assert "the shield decides by itself" in told(shell, "under-attack", "a", "off")
        assert shell.get("a.test") == 200
        assert "no mitigation is in force\n" in told(shell, "mitigations")


def test_a_person_adds_pins_and_undoes(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin))
    words = ("--action", "challenge", "--for", "10s", "--reason", "a\ttest", "--by", "Ada L.")
    with shell.up():
        assert "no mitigation is in force" in told(shell, "mitigations")
        made = told(shell, "mitigation", "add", "a", *words)
        assert shell.get("a.test") == 403
        (row,) = listed(shell, "mitigations")
        assert f"holdfast mitigation undo {row['id']}\n" in made
        assert (row["author"], row["reason"], row["pinned"]) == ("Ada L.", "a test", True)
        first = datetime.fromisoformat(row["until"])
        assert timedelta(seconds=3) < first - datetime.now(UTC) <= timedelta(seconds=10)
        told(shell, "mitigation", "pin", row["id"], "--for", "1h", "--by", "Grace")
        (pinned,) = listed(shell, "mitigations")
        assert pinned["author"] == "Grace"
        assert datetime.fromisoformat(pinned["until"]) - first > timedelta(minutes=50)
        assert "by Grace" in told(shell, "mitigations", "a")
        told(shell, "mitigation", "undo", row["id"])
        assert shell.get("a.test") == 200
        assert listed(shell, "mitigations") == []
        assert told(shell, "mitigation", "permit", "a") == "nothing was forbidden at a\n"
        (state,) = json.loads(told(shell, "status", "--json"))["sites"]
        assert state["shield"] == {"challenged": 1}
        assert "  a: 1 challenged\n" in told(shell, "status")


@pytest.mark.parametrize(("of_site", "of_edge"), [(True, "act"), (False, "watch")])
def test_what_is_only_watched_is_said(shell: Shell, origin: int, of_site: bool, of_edge: str) -> None:
    shell.configure(site("a", ["a.test"], origin, watch_only=of_site), shield=of_edge)
    with shell.up():
        assert "nobody is challenged" in told(shell, "under-attack", "a", "on")
        made = told(shell, "mitigation", "add", "a", "--action", "challenge", "--reason", "r")
        assert "requests are counted, no more" in made
        assert shell.get("a.test") == 200
        assert {row["action"] for row in listed(shell, "mitigations")} == {"observe"}


async def test_an_attack_is_shown_and_its_mitigation_forbidden(shell: Shell, origin: int) -> None:
    """One that the agent before this one has left; the origin serves what it matches again."""
    shell.configure(site("a", ["a.test"], origin), site("b", ["b.test"], origin))
    _leave_an_attack(shell.directory / "state" / "shield")
    with shell.up():
        assert shell.get("a.test") == 403
        (attack,) = listed(shell, "attacks")
        assert (attack["id"], attack["site"], attack["ended"], attack["peak"]) == (
            "a-attack",
            "a",
            "",
            2100.0,
        )
        assert attack["journal"][0]["kind"] == "begins"
        assert "a-attack  a  going on since 2" in told(shell, "attacks")
        (row,) = listed(shell, "mitigations")
        assert (row["id"], row["attack"], row["matches"]) == ("a-attack-1", "a-attack", "one network")
        assert row["evidence"] == ["GET / · floodtool · from 198.18.0.0/24"]
        state = json.loads(told(shell, "status", "--json"))
        assert [each["phase"] for each in state["sites"]] == [_fights(state["sites"][0]["phase"]), "calm"]
        assert "Under attack: a (a-attack)" in told(shell, "status")
        wait_until(lambda: _samples(shell) > 0)
        shown = await metrics(shell)
        for line in ('holdfast_attack{site="a"} 1.0', 'holdfast_attack{site="b"} 0.0'):
            assert line in shown
        assert 'holdfast_site_shielded_total{reason="denied",site="a"} 1.0' in shown
        assert "holdfast_mitigations 1.0" in shown
        assert 'holdfast_samples_total{what="read"} 1.0' in shown
        assert any(line.startswith("holdfast_shield_tick_seconds_max ") for line in shown)
        assert "never used again at its site" in told(shell, "mitigation", "forbid", "a-attack-1")
        assert shell.get("a.test") == 200
        (attack,) = listed(shell, "attacks")
        assert "forbidden a-attack-1" in attack["journal"][-1]["words"]
    with shell.up():
        said = told(shell, "mitigation", "permit", "a")
        assert said == "1 forbidden mitigation of a may be used again\n", "it outlasts a restart"
        assert told(shell, "mitigation", "permit", "a") == "nothing was forbidden at a\n"


def _samples(shell: Shell) -> int:
    return int(json.loads(told(shell, "status", "--json"))["samples"]["read"])


def _fights(phase: str) -> str:
    """The flood that was left has ended: the phase is one of two."""
    assert phase in ("attack", "easing")
    return phase


def _leave_an_attack(directory: Path) -> None:
    now = datetime.now(UTC)
    brain = SiteBrain("a", Baseline.new(now.timestamp()))
    brain.attack = Attack("a-attack", "a", now.timestamp(), "2000 requests/s, usually 40", peak=2100.0)
    brain.attack.note(now.timestamp(), "begins", "2000 requests/s, usually 40")
    left = Mitigation(
        id="a-attack-1",
        site="a",
        action=Action.DENY,
        features=("network",),
        values=("127.0.0.0",),
        reason="a test",
        since=now,
        until=now + timedelta(minutes=10),
        attack="a-attack",
        evidence=("GET / · floodtool · from 198.18.0.0/24",),
    )
    brain.response.put(left, now.timestamp())
    Notes(directory).write_attacks({"a": attack_document(brain)})


ADD = ("mitigation", "add", "a", "--reason", "r", "--action")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mitigations", "nowhere"], "there is no site 'nowhere'; see 'holdfast status'"),
        (["mitigation", "undo", "m-0"], "there is no mitigation 'm-0'; 'holdfast mitigations' lists them"),
        (["mitigation", "forbid", "m-0"], "'holdfast mitigations' lists them"),
        (["mitigation", "permit", "nowhere"], "there is no site 'nowhere'; see 'holdfast status'"),
        (["mitigation", "permit", "t"], "passes TLS through unopened"),
        (["mitigation", "pin", "m-0", "--for", "1h"], "'holdfast mitigations' lists them"),
        (["mitigation", "pin", "m-0", "--for", "soon"], "write it like 30s, 15m, 1h or 2d"),
        ([*ADD, "challenge", "--for", "8d"], "name one from 1s to 7d; it can be pinned again"),
        ([*ADD, "challenge", "--for", "0s"], "name one from 1s to 7d"),
        ([*ADD, "deny"], "'holdfast block a' does, and tells visitors why"),
        ([*ADD, "drop"], "to refuse everybody is to block the site"),
        ([*ADD, "challenge", "--by", "a|b"], "use letters, digits, spaces"),
        ([*ADD, "challenge", "--by", "Automatic"], "not the word 'automatic'"),
        ([*ADD, "challenge", "--reason", ""], "reason"),
        (["mitigation", "add", "a", "--action", "challenge"], "Missing option '--reason'"),
        (["mitigation", "add", "t", "--action", "challenge", "--reason", "r"], "passes TLS through unopened"),
        (["under-attack", "t", "on"], "'holdfast ban' refuses a source's connections"),
        (["under-attack", "nowhere", "on"], "there is no site 'nowhere'"),
        (["under-attack", "b", "off"], "set it to false there, then run 'holdfast edge apply'"),
    ],
)
def test_bad_input_is_told_with_a_remedy(listening: Shell, words: list[str], expected: str) -> None:
    done = listening.run(*words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert listed(listening, "mitigations", "a") == [], "bad input changes nothing"


def test_a_quiet_edge_says_so(listening: Shell) -> None:
    assert told(listening, "attacks") == "no attack in the last 30 days\n"
    assert told(listening, "mitigations", "a") == "no mitigation is in force\n"
    time.sleep(0.3)
    state = {row["name"]: row for row in json.loads(told(listening, "status", "--json"))["sites"]}
    assert [state[name]["phase"] for name in "abt"] == ["calm", "calm", ""]
    assert [state[name]["switched"] for name in "abt"] == [False, True, False]
