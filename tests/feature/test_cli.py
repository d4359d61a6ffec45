"""The commands as a person types them, against an agent in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.dataplane.process import Master
from holdfast.edge.public_service import PublicService
from holdfast.model.enforcement import SiteScope
from tests.feature.lab import MEMORY, block_at, echo_origin, free_ports, site, to_toml
from tests.feature.recorded import ledger_table

HOLDFAST = Path(sys.executable).with_name("holdfast")


class Shell:
    """A directory with a holdfast.toml, and commands run in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.http, self.metrics, self.public = free_ports(3)
        self.run_dir = MEMORY / f"holdfast-test-cli-{os.getpid()}-{self.http}"

    def configure(self, *sites: dict[str, Any], **edge: Any) -> None:
        settings = {
            "http": [f"127.0.0.1:{self.http}"],
            "https": [],
            "state_dir": "state",
            "run_dir": str(self.run_dir),
            "metrics": f"127.0.0.1:{self.metrics}",
        }
        text = to_toml(
            {"edge": {**settings, **edge}, "ledger": ledger_table(self.public), "sites": list(sites)}
        )
        (self.directory / "holdfast.toml").write_text(text)

    def run(self, *words: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """One command; ``without`` names capabilities(7) that it does not have, as if it were not root."""
        dropped = ",".join(f"-{name}" for name in without.split())
        prefix = ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"] if without else []
        return subprocess.run(
            [*prefix, HOLDFAST, *words],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, host: str, path: str = "/") -> int:
        """The status of one request; 0 when nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    @contextmanager
    def up(self, *prefix: str) -> Iterator[subprocess.Popen[str]]:
        """An agent, started by the command ``prefix`` if there is one."""
        agent = subprocess.Popen(
            [*prefix, HOLDFAST, "up"],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert agent.stdout is not None
            assert "Holdfast protects" in agent.stdout.readline()
            yield agent
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.communicate(timeout=30)

    def clean(self) -> None:
        """End what a test has left without an agent, and remove what it read."""
        asyncio.run(Master(self.run_dir).stop(0.2))
        asyncio.run(PublicService(self.run_dir).stop())
        shutil.rmtree(self.run_dir, ignore_errors=True)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One agent that hears all the bad input."""
    made = Shell(tmp_path_factory.mktemp("listening"))
    with echo_origin() as port:
        made.configure(site("a", ["a.test"], port))
        with made.up():
            yield made
    made.clean()


@pytest.fixture
def origin() -> Iterator[int]:
    with echo_origin() as port:
        yield port


def wait_until(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_site_is_seen_and_its_block_listed(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin, customer="acme"))
    with shell.up():
        assert shell.get("a.test") == 200
        decision = block_at(shell.directory / "holdfast.toml", SiteScope("a"))
        assert shell.get("a.test") == 403
        assert f"{decision}  403  site a  until " in shell.run("blocks").stdout
        state = json.loads(shell.run("status", "--json").stdout)
        (row,) = state["sites"]
        told = row["name"], row["refused"], row["origins_up"], row["block"]
        assert told == ("a", {"blocked": 1}, 1, decision)
        assert "a     web" in shell.run("status").stdout
        assert shell.run("edge", "diff").returncode == 0


def test_metrics_count_what_happens(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin))
    with shell.up():
        block_at(shell.directory / "holdfast.toml", SiteScope("a"))
        shell.get("a.test")
        with urllib.request.urlopen(f"http://127.0.0.1:{shell.metrics}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    for line in (
        'holdfast_site_requests_total{site="a"} 1.0',
        'holdfast_site_refused_total{reason="blocked",site="a"} 1.0',
        'holdfast_site_is_blocked{site="a"} 1.0',
        "holdfast_in_step 1.0",
        "holdfast_blocks 1.0",
    ):
        assert line in text.splitlines()


def test_an_edited_file_is_applied_and_a_broken_one_changes_nothing(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin))
    with shell.up() as agent:
        shell.configure(site("b", ["b.test"], origin))
        done = shell.run("edge", "apply")
        assert done.stdout == "1 sites added or changed, 1 removed\n"
        assert (shell.get("a.test"), shell.get("b.test")) == (421, 200)
        shell.configure(site("a", ["a.test"], origin), site("b", ["b.test"], origin))
        agent.send_signal(signal.SIGHUP)
        wait_until(lambda: shell.get("a.test") == 200)
        good = (shell.directory / "holdfast.toml").read_text()
        (shell.directory / "holdfast.toml").write_text(good + "\n[[sites]]\nname = 'c'\n")
        agent.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert (shell.get("a.test"), shell.get("b.test")) == (200, 200)


def test_the_agent_alone_may_end_and_be_replaced(shell: Shell, origin: int) -> None:
    shell.configure(site("a", ["a.test"], origin))
    with shell.up() as agent:
        agent.send_signal(signal.SIGUSR1)
        agent.wait(20)
        assert shell.get("a.test") == 200, "HAProxy carries on"
        assert "no agent runs here" in shell.run("status").stderr
    with shell.up():
        assert json.loads(shell.run("status", "--json").stdout)["starts"] == 0, "it was adopted"
        assert shell.run("down").returncode == 0
        wait_until(lambda: shell.get("a.test") == 0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["block", "a"], "this machine keeps no log, and nothing is blocked without a record; set [ledger]"),
        (["unblock", "D-0"], "this machine keeps no log"),
        (["ban", "192.0.2.1/24"], "write 192.0.2.0/24"),
        (["ban", "192.0.2.1", "--seconds", "0"], "seconds"),
    ],
)
def test_bad_input_is_told_with_a_remedy(listening: Shell, words: list[str], expected: str) -> None:
    done = listening.run(*words)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert listening.run("blocks").stdout == "", "bad input changes nothing"


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        ("missing", "there is no holdfast.toml"),
        ("broken", "sites[1].hostnames: this setting is missing; add it"),
        ("in use", "is in use by another program; 'ss -ltnp"),
        ("on disk", "not in memory; set [edge] run_dir"),
        ("running", "another agent already runs in"),
    ],
)
def test_a_start_that_cannot_be_starts_nothing(
    shell: Shell, listening: Shell, prepare: str, expected: str
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        if prepare == "broken":
            (shell.directory / "holdfast.toml").write_text("[[sites]]\nname = 'a'\n")
        elif prepare == "in use":
            shell.configure(http=[f"127.0.0.1:{taken.getsockname()[1]}"])
        elif prepare == "on disk":
            shell.configure(run_dir=str(shell.directory / "run"))
        elif prepare == "running":
            shell.configure(run_dir=str(listening.run_dir))
        done = shell.run("up")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert shell.get("a.test") == 0


def test_a_missing_permission_is_named(shell: Shell) -> None:
    shell.configure(http=["127.0.0.1:80"])
    done = shell.run("up", without="net_bind_service")
    assert (done.returncode, "no permission to listen at port 80; run as root" in done.stderr) == (2, True)
    assert "no right to listen at 80" in shell.run("doctor", without="net_bind_service").stdout
    shell.configure(state_dir="/proc/nowhere")
    done = shell.run("up")
    assert (done.returncode, "cannot use the state directory /proc/nowhere" in done.stderr) == (2, True)


def test_the_doctor_examines_everything(shell: Shell) -> None:
    shell.configure()
    done = shell.run("doctor")
    subjects = {line.split(":")[0].split(None, 1)[1] for line in done.stdout.splitlines() if "→" not in line}
    assert subjects >= {
        "haproxy",
        "account",
        "run_dir",
        "state_dir",
        "ports",
        "open files",
        "syn cookies",
        "clock",
    }
    shell.configure(run_dir=str(shell.directory / "run"), user="nobody-of-that-name")
    done = shell.run("doctor")
    assert done.returncode == 1
    assert "wrong run_dir" in done.stdout
    assert done.stdout.count("→") >= 1, "whatever is wrong has a remedy"
