"""A drill by its command, against an agent in a process of its own: it shows a flood being held, and sends
nothing where it must not."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.common import ask
from holdfast.cli.drill import conduct
from holdfast.drill.parties import TOOL
from holdfast.drill.plan import Plan
from holdfast.model.errors import HoldfastError
from tests.feature.lab import echo_origin, site
from tests.feature.test_cli import HOLDFAST, Shell, shell, wait_until

__all__ = ["shell"]  # a fixture

SHORT = Plan(calm=11, flood=4, after=1, rate=300)
DEAD = 9
"""The port of discard (RFC 863), where nobody listens."""
FAR = "192.0.2.10"
"""Of a network that is nobody's (RFC 5737)."""


def sites(port: int, b: str = "127.0.0.1") -> list[dict[str, Any]]:
    far = {"address": FAR, "port": 80}
    return [
        site("a", ["*.a.test"], port),
        site("b", ["b.test"], port) | {"origins": [{"address": b, "port": port}]},
        site("far", ["far.test"]) | {"origins": [{"address": "127.0.0.1", "port": port}, far]},
        site("t", ["t.test"], port, service="tcp"),
        site("dead", ["dead.test"], DEAD),
    ]


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    with echo_origin() as port:
        yield port


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, origin: int) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("drilled"))
    made.configure(*sites(origin))
    with made.up():
        yield made
    shutil.rmtree(made.run_dir, ignore_errors=True)


def requests_of(shell: Shell) -> dict[str, int]:
    """Site → how many requests it has had."""
    rows = ask(shell.directory / "holdfast.toml", "status")["sites"]
    return {row["name"]: int(row["requests"]) for row in rows}


@contextmanager
def drilling(shell: Shell, name: str) -> Iterator[subprocess.Popen[str]]:
    """A drill that has begun to send."""
    before = requests_of(shell)[name]
    command = [str(HOLDFAST), "drill", name]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    drill = subprocess.Popen(command, cwd=shell.directory, **streams)
    try:
        wait_until(lambda: requests_of(shell)[name] > before + 10)
        yield drill
    finally:
        drill.send_signal(signal.SIGINT)
        drill.communicate(timeout=5)


def test_it_shows_the_flood_being_held(
    edge: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = edge.directory / "holdfast.toml"
    assert conduct(config, "a", tmp_path / "plots", SHORT)
    said = capsys.readouterr().out
    assert "http://drill.a.test:" in said
    assert "The shield held." in said
    assert "first mitigation in force" in said
    assert "░ kept away" in said
    served = re.search(r"visitors served in the flood: ([0-9.]+) %", said)
    assert served is not None
    assert float(served[1]) >= 95
    (attack,) = [row for row in ask(config, "attacks") if row["site"] == "a"]
    assert f"holdfast attack show {attack['id']}" in said
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert pictures.keys() == {f"{attack['id']}.png", f"{attack['id']}.svg"}
    assert pictures[f"{attack['id']}.png"].startswith(b"\x89PNG")
    assert b"<svg" in pictures[f"{attack['id']}.svg"]
    (made,) = [row for row in ask(config, "mitigations", site="a") if row["attack"] == attack["id"]]
    assert all(TOOL in each for each in made["evidence"])
    # The next drill begins from calm.
    ask(config, "drill_begin", site="a")
    (attack,) = [row for row in ask(config, "attacks") if row["site"] == "a"]
    assert attack["ended"]
    assert attack["journal"][-1]["words"] == "it was a drill, and another one begins"
    assert ask(config, "mitigations", site="a") == []
    assert ask(config, "drill_over", site="a") == {"attacks": []}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("far", f"far has its origin at {FAR}, and a drill sends nothing to another machine"),
        ("t", "passes TLS through unopened"),
        ("none", "there is no site 'none'"),
        ("", "3 sites of this edge lie on this machine (a, b, dead); name one, as in: holdfast drill a"),
    ],
)
def test_it_refuses_any_other_target_and_sends_it_nothing(edge: Shell, name: str, words: str) -> None:
    before = requests_of(edge)
    refused = edge.run("drill", *([name] if name else []))
    assert refused.returncode == 2
    assert words in refused.stderr
    assert requests_of(edge) == before


def test_what_serves_nobody_is_not_flooded(edge: Shell, tmp_path: Path) -> None:
    config = edge.directory / "holdfast.toml"
    with pytest.raises(HoldfastError, match="dead does not serve its front page, with no flood yet"):
        conduct(config, "dead", tmp_path, Plan(calm=0.5, flood=1, after=0))
    assert requests_of(edge)["dead"] <= 0.5 * 20 + 1
    (facts,) = ask(config, "drill_target", site="dead")["sites"]
    assert not facts["drilling"]


def test_without_an_agent_it_says_how_to_start_one(shell: Shell, origin: int) -> None:
    shell.configure(*sites(origin))
    refused = shell.run("drill", "a")
    assert refused.returncode == 2
    assert "no agent runs here" in refused.stderr
    assert "holdfast up --demo" in refused.stderr


def test_ctrl_c_stops_it_at_once_and_another_may_begin(edge: Shell) -> None:
    with drilling(edge, "a") as drill:
        assert "a drill goes on at a" in edge.run("drill", "a").stderr
        drill.send_signal(signal.SIGINT)
        said, _ = drill.communicate(timeout=3)
        assert drill.returncode == 130
        assert "nothing is sent any more" in said
    sent = requests_of(edge)
    time.sleep(0.3)
    assert requests_of(edge) == sent
    with drilling(edge, "a"):
        pass


def test_it_stops_when_its_target_moves_to_another_machine(edge: Shell, origin: int) -> None:
    with drilling(edge, "b") as drill:
        edge.configure(*sites(origin, b=FAR))
        assert edge.run("edge", "apply").returncode == 0
        _, said = drill.communicate(timeout=5)
        assert drill.returncode == 2
        assert f"b has its origin at {FAR}" in said
    edge.configure(*sites(origin))
    assert edge.run("edge", "apply").returncode == 0
