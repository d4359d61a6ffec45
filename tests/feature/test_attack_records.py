"""An attack is on record: told, drawn and explained while it goes on and afterwards, also when the agent dies
in the middle of it. By commands, against an agent in a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from holdfast.cli import main
from holdfast.cli.common import ask
from holdfast.edge.traffic.archive import Archive, Item
from holdfast.model.enforcement import SiteScope
from holdfast.shield.record import record_document
from tests.feature.flooding import SHOP, bot_source, flooded
from tests.feature.lab import block_at, eventually, site
from tests.feature.mortal import mortal
from tests.feature.test_cli import Shell, shell
from tests.feature.test_shield_faults import agent_of
from tests.feature.wire import connect
from tests.unit.shield.recorded import record

__all__ = ["shell"]  # a fixture


def asked(shell: Shell, *words: str) -> Result:
    """A command, without the start of a process."""
    return CliRunner().invoke(main, words, env={"HOLDFAST_CONFIG": str(shell.directory / "holdfast.toml")})


def told(shell: Shell, *words: str) -> str:
    done = asked(shell, *words)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def explained(shell: Shell, identifier: str) -> str:
    """In one line."""
    return " ".join(told(shell, "explain", identifier).split())


async def heard(shell: Shell, *words: str) -> str:
    """As ``told``, while a flood goes on."""
    return await asyncio.to_thread(told, shell, *words)


async def known(shell: Shell, *words: str) -> Any:
    return json.loads(await heard(shell, *words, "--json"))


async def answer_id(shell: Shell, host: str, *lines: str) -> str:
    """What a refused program is shown."""
    async with connect(shell.http) as wire:
        answer = await wire.get(b"/?q=1", host, *lines, "Connection: close")
    assert answer.status == 403
    return answer.headers["x-holdfast-id"]


async def test_a_flood_is_on_record_although_the_agent_dies_in_the_middle_of_it(shell: Shell) -> None:
    async with mortal() as origin:
        shell.configure(site("shop", [SHOP], origin.port))
        with agent_of(shell) as agent:
            async with flooded(shell.http) as (flood, people):
                await asyncio.sleep(1.5)
                attack = await _is_told_and_drawn(shell)
                mitigation = await _is_explained(shell, attack)
                before = await known(shell, "attack", "show", attack)
                agent.send_signal(signal.SIGKILL)
                agent.wait(20)
                with agent_of(shell):
                    await _goes_on(shell, before, mitigation)
                    flood.rate = 0
                assert set(people.statuses) == {200}
        with shell.up():
            story = await heard(shell, "attack", "show", "last")
            assert attack in story
            assert "nothing is known of the next" in story
            assert attack in await heard(shell, "attacks")
            words = await asyncio.to_thread(explained, shell, mitigation)
            assert "a person has undone it" in words
            assert "nothing has to be undone" in words
    _names_nobody(shell.directory / "state" / "shield" / "records.db", attack, mitigation)


async def _is_told_and_drawn(shell: Shell) -> str:
    """Returns the attack's id."""
    story = await heard(shell, "attack", "show", "last")
    (row,) = await known(shell, "attacks")
    attack = str(row["id"])
    assert story.startswith(f"{attack}: an attack on shop\n  It goes on since ")
    assert re.search(r"\+0\.0  -1 challenge: \d+% of the excess has one agent", story)
    assert f"  {attack}-1  challenge" in story
    assert "▲" in story
    assert f"draw it with: holdfast attack show {attack} --png {attack}.png\n" in story
    files = ("--png", "a.png", "--svg", "a.svg")
    drawn = await asyncio.to_thread(shell.run, "attack", "show", attack[:-3], *files)
    assert drawn.stdout.endswith("drawn: a.png\n\ndrawn: a.svg\n")
    assert drawn.stderr == ""
    assert (shell.directory / "a.png").read_bytes().startswith(b"\x89PNG")
    svg = (shell.directory / "a.svg").read_text()
    ElementTree.fromstring(svg)  # noqa: S314 - our own
    assert attack in svg
    document = await known(shell, "attack", "show", attack)
    assert document["attack"]["peak"] > 200
    assert document["totals"]["challenged"] > 200
    assert len(document["course"]["at"]) >= 4, "it begins before the attack"
    assert document["course"]["at"][0] < document["attack"]["began"] - 1.5
    return attack


async def _is_explained(shell: Shell, attack: str) -> str:
    """Returns the mitigation's id."""
    identifier = await answer_id(shell, SHOP, "User-Agent: floodtool/1.0")
    mitigation, _, second = identifier.rpartition(".")
    assert mitigation == f"{attack}-1"
    assert abs(int(second) - time.time()) < 5
    whole = await asyncio.to_thread(explained, shell, f"X-Holdfast-Id: {identifier}")
    assert whole.startswith(f"{identifier} answer: given at 2")
    for words in ("challenge: ", "the shield, by itself", f"holdfast mitigation undo {mitigation}", attack):
        assert words in whole
    assert "it was not in force in that second" not in whole
    told = await known(shell, "explain", mitigation)
    assert (told["kind"], told["at"], told["mitigation"]["steps"][0]["action"]) == (
        "mitigation",
        None,
        "challenge",
    )
    assert told["mitigation"]["evidence"] == ["GET / · floodtool/1.0"]
    return mitigation


async def _goes_on(shell: Shell, before: dict[str, Any], mitigation: str) -> None:
    attack = before["attack"]["id"]
    document = await known(shell, "attack", "show", attack)
    (gap,) = document["gaps"]
    assert gap[0] < gap[1] < gap[0] + 15
    assert document["attack"]["began"] == before["attack"]["began"]
    assert document["course"]["at"][0] == before["course"]["at"][0]
    assert [each["id"] for each in document["mitigations"]] == [mitigation]
    assert document["mitigations"][0]["steps"] == before["mitigations"][0]["steps"]

    async def counts() -> bool:
        later = await known(shell, "attack", "show", attack)
        return bool(later["course"]["at"][-1] > gap[1] and later["course"]["challenged"][-1] > 50)

    await eventually(counts, 10)
    (row,) = await known(shell, "attacks")
    assert (row["id"], row["ended"]) == (attack, "")
    await heard(shell, "mitigation", "undo", mitigation)
    words = await asyncio.to_thread(explained, shell, f"{mitigation}.{int(gap[1])}")
    assert re.search(r"withdrawn 2.* UTC: a person has undone it", words)
    assert "not in force in that second" not in words
    story = await heard(shell, "attack", "show", attack)
    assert "-1 withdrawn: a person has undone it" in story


def _names_nobody(path: Path, attack: str, mitigation: str) -> None:
    """Neither a client nor its network is on disk."""
    archive = Archive(path)
    texts = [json.dumps(each) for each in (archive.attack(attack), archive.mitigation(mitigation))]
    archive.close()
    assert all("floodtool" in text for text in texts), "it is there"
    networks = {bot_source(number).rpartition(".")[0] for number in range(200)}
    assert not [(text, network) for text in texts for network in networks if f"{network}." in text]


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One agent that is asked for much; another one has left it three attacks."""
    made = Shell(tmp_path_factory.mktemp("records"))
    now = datetime.now(UTC).timestamp()
    archive = Archive(made.directory / "state" / "shield" / "records.db")
    for number, name in enumerate(("a-20260101T000001", "a-20260101T000002", "b-20260101T000003")):
        past = record()
        past.attack.id, past.attack.site = name, name[0]
        shift = now - 3600 + number - past.attack.began
        past.attack.began += shift
        past.attack.ended = past.attack.began + 60
        archive.put([Item(True, name, name[0], past.attack.began, past.attack.ended, record_document(past))])
    archive.close()
    made.configure(site("a", ["a.test"], 9), site("b", ["b.test"], 9, under_attack=True))
    with made.up():
        yield made
    shutil.rmtree(made.run_dir, ignore_errors=True)


def test_attacks_from_before_the_agents_start_are_listed_and_told(listening: Shell) -> None:
    listed = told(listening, "attacks")
    assert re.findall(r"^\S+", listed, re.MULTILINE) == [
        "a-20260101T000001",
        "a-20260101T000002",
        "b-20260101T000003",
    ]
    assert "at most 2100 requests/s, usually 40 · 60000 kept away" in listed
    assert told(listening, "attack", "show", "last").startswith("b-20260101T000003: an attack on b\n")
    assert told(listening, "attack", "show", "b-").startswith("b-20260101T000003: an attack on b\n")
    assert "holdfast attack show a-20260101T000001" in explained(listening, "a-20260101T000001")


async def test_the_owners_switch_is_explained(listening: Shell) -> None:
    identifier = await answer_id(listening, "b.test", "User-Agent: curl/8")
    assert identifier.startswith("b-under-attack.")
    words = explained(listening, identifier)
    assert "the site's owner, by the switch 'under attack'" in words
    assert "turn it off: holdfast under-attack b off" in words


def test_a_persons_mitigation_is_explained_after_its_end(listening: Shell) -> None:
    words = ("--action", "limit", "--for", "10s", "--reason", "it looks odd", "--by", "Ada L.")
    made = told(listening, "mitigation", "add", "a", *words)
    identifier = re.search(r"undo (\S+)", made)
    assert identifier is not None
    assert f"holdfast mitigation undo {identifier[1]}" in explained(listening, identifier[1])
    told(listening, "mitigation", "undo", identifier[1])
    after = explained(listening, identifier[1])
    for part in ("made by: Ada L.", "reason: it looks odd", "a person has undone it"):
        assert part in after
    assert "'holdfast explain" in asked(listening, "attack", "show", identifier[1]).stderr


def test_a_block_is_explained_while_it_is_in_force(listening: Shell) -> None:
    config = listening.directory / "holdfast.toml"
    identifier = block_at(config, SiteScope("a"))
    words = explained(listening, identifier)
    for part in ("a block of site a, answered 403", "by: duty officer", f"holdfast unblock {identifier}"):
        assert part in words
    assert re.search(r"record: +entry \d+ of the public log", words)
    ask(config, "unblock", id=identifier)
    assert "nothing is known of" in asked(listening, "explain", identifier).stderr


KEPT = "records are kept for 30 days"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["attack", "show", "c-1"],
            "there is no attack 'c-1'; 'holdfast attacks' lists those of the last 30 days",
        ),
        (
            ["attack", "show", "a-"],
            "2 attacks begin with 'a-'; name one of them, such as a-20260101T000001, a-",
        ),
        (["attack", "show", "a b"], "is no id; ids look like"),
        (["attack", "show", "last", "--png", "a.svg"], "a.svg does not end in .png; name it a.png"),
        (["attack", "show", "last", "--svg", "no/a.svg"], "there is no directory no; make it"),
        (["attack", "show", "last", "--png", "there.png"], "there.png is there already; name another file"),
        (["explain", "shop-20260101T000001-1"], KEPT),
        (["explain", "shop-20260101T000001-1.1795780400"], KEPT),
        (["explain", "limit-shoes.1795780400"], KEPT),
        (["explain", "what is this"], "is no id; ids look like"),
        (["explain", ""], "is no id; ids look like"),
    ],
)
def test_bad_input_is_told_with_a_remedy(
    listening: Shell, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    (listening.directory / "there.png").write_text("mine")
    with monkeypatch.context() as here:
        here.chdir(listening.directory)
        done = asked(listening, *words)
    assert done.exit_code == 2
    assert expected in done.stderr
    assert isinstance(done.exception, SystemExit), "told, and not fallen over"
    assert done.stdout == ""
    assert (listening.directory / "there.png").read_text() == "mine"
    assert [path.name for path in listening.directory.glob("*.*g")] == ["there.png"], "nothing is drawn"


def test_only_who_draws_waits_for_matplotlib() -> None:
    look = "import sys, holdfast.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
