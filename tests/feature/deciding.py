"""A provider that decides: an edge with a log and grounds of its own, in one directory, by its commands."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from holdfast.cli import main
from holdfast.cli.demo_record import prepare_record
from holdfast.ledger.log import Log
from tests.feature.lab import to_toml
from tests.feature.test_cli import Shell

DYING = Path(__file__).with_name("dying.py")
WHY = ("--by", "Ada Example, duty officer", "--reason", "It is gone.")


class Provider(Shell):
    """A directory with a log, published grounds, and a holdfast.toml that trusts the log."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.key = ""

    def configure(self, *sites: dict[str, Any], **ledger: Any) -> None:
        """``ledger``: other settings of [ledger]."""
        self.key = prepare_record(self.directory, self.directory / "state")
        record = {
            "key": self.key,
            "directory": "ledger",
            "grounds": "grounds.toml",
            "listen": f"127.0.0.1:{self.public}",
        }
        edge = {
            "http": [f"127.0.0.1:{self.http}"],
            "https": [],
            "state_dir": "state",
            "run_dir": str(self.run_dir),
            "metrics": f"127.0.0.1:{self.metrics}",
        }
        text = to_toml({"edge": edge, "ledger": {**record, **ledger}, "sites": list(sites)})
        (self.directory / "holdfast.toml").write_text(text)

    def run(self, *words: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """One command, in this process: what it takes to start one would be most of a test's time."""
        assert not without, "a command in this process has what the process has"
        with contextlib.chdir(self.directory):
            done = CliRunner().invoke(main, list(words), catch_exceptions=False)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def block(self, *target: str, until: str = "", **changed: str) -> subprocess.CompletedProcess[str]:
        """``holdfast block``; ``changed`` replaces options by their names, '' leaves one out."""
        options = {
            "ground": "threat to life",
            "clause": "4.2",
            "until": until or f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "by": "Ada Example, duty officer",
            "approved-by": "Grace Example, head of operations",
            "statement": "statement.md",
            "facts": "facts.md",
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
        return self.run("block", *target, *words)

    def unblock(self, identifier: str) -> subprocess.CompletedProcess[str]:
        """``holdfast unblock`` with a reason."""
        return self.run("unblock", identifier, *WHY)

    def kill(self, kind: str, moment: str, step: str, identifier: str = "") -> int:
        """A decision that is killed at that moment; its exit status."""
        words = [
            sys.executable,
            str(DYING),
            "holdfast.toml",
            kind,
            moment,
            step,
            *([identifier] if identifier else []),
        ]
        done = subprocess.run(
            words, cwd=self.directory, capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.stderr, done.stderr
        return done.returncode

    def entries(self) -> list[bytes]:
        """All of the log, the last ones published now."""
        with Log.open(self.directory / "ledger") as log:
            log.publish()
            return [log.entry(index) for index in range(log.checkpoint().checkpoint.size)]


def decision(output: str) -> str:
    """The id in what ``holdfast block`` has printed."""
    return output.partition("holdfast unblock ")[2].partition(" ")[0]
