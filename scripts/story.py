"""The first accountable block, told in one page: ``make story``.

Runs an edge of its own on loopback in a directory of its own, types the commands that are shown, and shows
what they answer. Exit status 1 when one answers other than it should; whatever happens, all of it is gone at
the end. It needs curl.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

WIDTH = 104
SECONDS = 60
DECIDES, APPROVES = "Ada Example, duty officer", "Grace Example, head of operations"

CONFIGURATION = """\
[edge]
http = ["127.0.0.1:{http}"]
https = []
state_dir = "state"
run_dir = "{run}"
metrics = "127.0.0.1:{metrics}"

[ledger]
key = "{key}"
directory = "ledger"
grounds = "grounds.toml"
listen = "127.0.0.1:{public}"

[provider]
name = "The Harbour Co-operative"
url = "https://harbour.example/"
"""

SITE = """
[[sites]]
name = "{name}"
hostnames = ["{name}.localhost"]

[[sites.origins]]
address = "127.0.0.1"
port = {origin}
"""

# What somebody would do who has got hold of a proof, and speaks to the agent past every check of the command.
FORGE = """\
import base64, pathlib, sys
from holdfast.cli.common import ask
from holdfast.ledger.entry import parse_entry
from holdfast.model.enforcement import Enforcement, dump_enforcement
from holdfast.model.errors import HoldfastError
from holdfast.model.record import parse_block
entry = pathlib.Path("forged.json").read_bytes()
record = parse_block(parse_entry(entry).public)
forged = Enforcement(record.id, record.scope, record.ground, record.since, record.until, record.by_role)
try:
    ask(pathlib.Path("holdfast.toml"), "enforce", enforcement=dump_enforcement(forged),
        entry=base64.b64encode(entry).decode(), proof=pathlib.Path("block.tlog-proof").read_text(),
        statement=pathlib.Path("statement.md").read_text())
except HoldfastError as refused:
    sys.exit(f"error: {refused}")
"""


class Wrong(Exception):
    """A step of the story went otherwise than it should."""


class Story:
    """Types commands in one directory, and tells them with their answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": binaries, "COLUMNS": str(WIDTH)}
        self._chapter = 0

    def chapter(self, words: str) -> None:
        """What comes now."""
        self._chapter += 1
        print(f"\n{self._chapter}. {words}")

    def type(self, command: str, expected: str, status: int = 0) -> str:
        """One command, and its answer, in which ``expected`` is a regular expression. Raises Wrong."""
        for number, line in enumerate(command.splitlines()):
            print(f"   {'$' if not number else ' '} {line}")
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        for line in done.stdout.splitlines():
            print(textwrap.fill(line, WIDTH, initial_indent="     ", subsequent_indent="       "))
        if done.returncode != status or not re.search(expected, done.stdout):
            raise Wrong(f"status {done.returncode}, expected {status} and {expected!r}")
        return done.stdout


def free_ports(count: int) -> list[int]:
    """Of loopback, that nobody has just now."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def running(words: list[str], directory: Path, port: int) -> Iterator[None]:
    """A program, until the block ends; from when it listens at ``port`` on."""
    with (directory / "log.txt").open("ab") as log:
        program = subprocess.Popen(words, cwd=directory, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(program, directory, port)
        yield
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            program.kill()


def _wait(program: subprocess.Popen[bytes], directory: Path, port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while program.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Wrong(f"a program did not start:\n{(directory / 'log.txt').read_text()}")


def tell(story: Story, stack: ExitStack, run: Path) -> None:
    """The whole of it. Raises Wrong."""
    here = story.directory
    http, metrics, public, origin = free_ports(4)
    for name in ("grounds.toml", "statement.md", "facts.md"):
        (here / name).write_bytes((files("holdfast.demo") / name).read_bytes())
    site, pages = f"http://gazette.localhost:{http}", "/.well-known/holdfast/public/statements"
    until = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:00:00Z}"

    story.chapter("A provider makes a log. Its edge trusts that log's key, and serves two sites.")
    key = story.type(
        "holdfast ledger init ledger harbour.example/log 2>/dev/null | tee key", "^harbour"
    ).strip()
    sites = "".join(SITE.format(name=name, origin=origin) for name in ("gazette", "archive"))
    numbers = {"http": http, "metrics": metrics, "public": public, "run": run, "key": key}
    (here / "holdfast.toml").write_text(CONFIGURATION.format(**numbers) + sites)
    serve = [sys.executable, "-m", "holdfast.demo.origin", "--port", str(origin)]
    stack.enter_context(running(serve, here, origin))
    edge = [str(Path(sys.executable).with_name("holdfast")), "up"]
    stack.enter_context(running(edge, here, http))
    story.type(f"curl -so /dev/null -w '%{{http_code}}\\n' {site}/", "^200$")

    story.chapter("What may be blocked at all is put on the public record first, by two people.")
    two = f"--by '{DECIDES}' --approved-by '{APPROVES}'"
    story.type(f"holdfast grounds publish \\\n    {two}", "entry 0")

    story.chapter("Disgust is not among the grounds, and nobody approves their own decision.")
    why = f"--statement statement.md --facts facts.md --until {until}"
    disgust = (
        f"holdfast block gazette --ground 'we find it disgusting' --clause 4.2 \\\n    {why} \\\n    {two}"
    )
    story.type(disgust, "is not a ground", status=2)
    block = f"holdfast block gazette --ground 'threat to life' --clause 4.2 \\\n    {why} \\\n    "
    story.type(f"{block}--by '{DECIDES}' --approved-by 'ada example, editor'", "cannot approve", status=2)

    story.chapter(
        "With a ground, a statement and a second person: recorded, published, and only then in force."
    )
    told = story.type(f"{block}{two}", "is blocked")
    identifier = told.partition("holdfast unblock ")[2].split(" ")[0]
    story.type(
        f'curl -si {site}/ | grep -oE \'^HTTP.*|<h1>.*</h1>|href="[^"]*statements/[^"#]*"\'',
        f"403(.|\n)*statements/{identifier}",
    )

    story.chapter("The link leads to the statement, also while the site is blocked.")
    story.type(f"curl -s {site}{pages}/{identifier}.md |\n    head -4", "three court clerks")

    story.chapter("Anybody keeps the entry and its proof, and checks them with the log's key alone, offline.")
    story.type(f"curl -so block.json \\\n    {site}{pages}/{identifier}.json", "")
    story.type(f"curl -so block.tlog-proof \\\n    {site}{pages}/{identifier}.tlog-proof", "")
    offline = '--key "$(cat key)" --proof block.tlog-proof'
    story.type(f"holdfast ledger verify {offline} --entry block.json", "is entry 1 of harbour.example/log")

    story.chapter(
        "The same proof for another site: forged. The edge does not take it, and the site stays open."
    )
    story.type("sed s/gazette/archive/g block.json >forged.json", "")
    story.type(f"holdfast ledger verify {offline} --entry forged.json", "wrong: ", status=1)
    (here / "forge.py").write_text(FORGE)
    story.type("python forge.py    # sends it straight to the edge", "^error: proof: ", status=1)
    story.type(f"curl -so /dev/null -w '%{{http_code}}\\n' http://archive.localhost:{http}/", "^200$")

    story.chapter("It is lifted first, and that is recorded after.")
    story.type(
        f"holdfast unblock {identifier} --by '{DECIDES}' \\\n    --reason 'The addresses are gone.'",
        "lifted\n(.|\n)*entry 2",
    )
    story.type(f"curl -so /dev/null -w '%{{http_code}}\\n' {site}/", "^200$")

    story.chapter("The whole log, as anybody can fetch it, is checked: every entry, every tile.")
    log = f"http://127.0.0.1:{public}/ledger"
    story.type(f'holdfast ledger fsck {log} --key "$(cat key)"', r"size: +3\n(.|\n)*are right")


def main() -> int:
    """Exit status 0 when every step went as it should."""
    if shutil.which("curl") is None:
        print("error: there is no curl; run 'make setup MODE=test'", file=sys.stderr)
        return 1
    print("Holdfast's first accountable block. On this machine only; all of it is gone when the page ends.")
    run = Path(f"/dev/shm/holdfast-story-{os.getpid()}")  # noqa: S108 - memory-backed on purpose; made 0700
    with tempfile.TemporaryDirectory(prefix="holdfast-story-") as directory:
        Path(directory).chmod(0o755)  # the public pages are served by an account without rights
        try:
            with ExitStack() as stack:
                tell(Story(Path(directory)), stack, run)
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            print(f"\nthe story went wrong: {wrong}", file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(run, ignore_errors=True)
    print("\nAll of it happened as it should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
