"""The agent's process ends, politely or by SIGKILL: what it has answered holds, and it leaves no noise."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from holdfast.model.enforcement import SiteScope
from tests.feature.lab import echo_origin, enforcement, released, site
from tests.feature.recorded import enforce_request
from tests.feature.test_cli import Shell, shell, wait_until

__all__ = ["shell"]  # a fixture
SITES = 800
"""So many that a reload takes longer than to ask for a block."""


class Conversation:
    """One connection to an agent's admin socket."""

    def __init__(self, shell: Shell) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(shell.run_dir / "agent.sock"))
        self._answers = self._socket.makefile("rb")

    def ask(self, do: str, **fields: Any) -> None:
        """Ask, and do not wait for the answer."""
        self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        """The next answer; empty when the agent has ended."""
        return dict(json.loads(self._answers.readline() or b"{}"))

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


@contextmanager
def conversations(shell: Shell, count: int) -> Iterator[list[Conversation]]:
    """So many, each of which the agent has heard."""
    made = [Conversation(shell) for _ in range(count)]
    try:
        for each in made:
            each.ask("blocks")
            assert each.answer() == {"result": []}
        yield made
    finally:
        for each in made:
            each.close()


def is_reloading(shell: Shell) -> bool:
    """Whether HAProxy's master has no ear: it is about to have another worker."""
    with closing(socket.socket(socket.AF_UNIX)) as master:
        try:
            master.connect(str(shell.run_dir / "master.sock"))
        except ConnectionRefusedError:
            return True
    return False


def test_a_block_that_was_answered_during_a_reload_outlives_the_agent(shell: Shell) -> None:
    """With nobody to tell the new worker what its files do not say."""
    with echo_origin() as port:
        shell.configure(
            site("a", ["a.test"], port), *(site(f"n{n}", [f"n{n}.test"], port) for n in range(SITES))
        )
        with shell.up() as agent, conversations(shell, 2) as (one, two):
            one.ask("reload")
            wait_until(lambda: is_reloading(shell))
            two.ask("enforce", **enforce_request(released(enforcement(SiteScope("a")))))
            assert two.answer()["result"]["status"] == 403
            agent.send_signal(signal.SIGKILL)
            seen, until = set(), time.monotonic() + 2
            while time.monotonic() < until:
                seen.add(shell.get("a.test"))
                time.sleep(0.02)  # fewer connections a second than one source may make
            agent.wait(20)
            with shell.up():
                seen.add(shell.get("a.test"))
                shell.run("down")
            assert seen == {403}


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_an_agent_that_leaves_ends_its_conversations(shell: Shell, number: signal.Signals) -> None:
    """One says nothing, and one waits for what takes long."""
    with echo_origin() as port:
        shell.configure(*(site(f"n{n}", [f"n{n}.test"], port) for n in range(SITES)))
        with shell.up() as agent, conversations(shell, 2) as (idle, busy):
            busy.ask("reload")
            wait_until(lambda: is_reloading(shell))
            agent.send_signal(number)
            assert (idle.answer(), busy.answer()) == ({}, {})
            words = agent.communicate(timeout=30)[1]
        if number is signal.SIGUSR1:  # HAProxy is still there
            with shell.up():
                shell.run("down")
        assert agent.returncode == 0
        assert "Traceback" not in words
        assert "xception" not in words
