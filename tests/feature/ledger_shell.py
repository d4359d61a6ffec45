"""``holdfast ledger`` and ``holdfast witness`` as they are typed, and their servers as processes."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from holdfast.cli.ledger import ledger
from holdfast.cli.witness import witness

PROGRAM = (sys.executable, "-m", "holdfast")
NOUNS = {"ledger": ledger, "witness": witness}


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def shell(*arguments: str | Path, given: bytes = b"") -> Done:
    """In a process of its own, as at the shell."""
    command = (*PROGRAM, *map(str, arguments))
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout, done.stderr.decode())


def run(noun: str, *arguments: str | Path, given: bytes = b"") -> Done:
    """In this process, which is quicker: for what does not depend on there being several."""
    done = CliRunner().invoke(NOUNS[noun], [*map(str, arguments)], input=given)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout_bytes, done.stderr)


def succeed(noun: str, *arguments: str | Path, given: bytes = b"") -> str:
    """As ``run``; what it prints."""
    done = run(noun, *arguments, given=given)
    assert done.status == 0, done.err
    return done.text


@contextlib.contextmanager
def serving(noun: str, directory: Path, port: int = 0) -> Iterator[str]:
    """``holdfast NOUN serve``, ready; its address. It ends as with Ctrl-C."""
    with started((*PROGRAM, noun, "serve", str(directory), "--listen", f"127.0.0.1:{port}")) as (_, url):
        yield url


@contextlib.contextmanager
def started(command: tuple[str, ...]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that first prints its address; killed where it does not end when it is told to."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        found = re.search(r"http://[0-9.:]+", server.stdout.readline())
        assert found, "the server does not say where it listens"
        yield server, found[0]
        if server.poll() is None:
            server.terminate()
            assert server.wait(10) == 0
    finally:
        if server.poll() is None:
            server.kill()
        server.wait()
        server.stdout.close()


def new_log(directory: Path, origin: str = "example.org/log") -> str:
    """Its verifier key."""
    return succeed("ledger", "init", directory, origin).strip()


def append(directory: Path, *entries: bytes) -> None:
    for entry in entries:
        succeed("ledger", "append", directory, "-", given=entry)


def new_witness(directory: Path, name: str, *logs: str) -> str:
    """Its verifier key."""
    key = succeed("witness", "init", directory, name).strip()
    for log in logs:
        succeed("witness", "add-log", directory, log)
    return key
