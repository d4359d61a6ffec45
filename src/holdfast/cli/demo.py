"""The demonstration: a small real site as origin, started beside the edge, and what to try with it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from holdfast.cli.demo_record import prepare_record
from holdfast.demo.certificate import self_signed
from holdfast.model.errors import error

DIRECTORY = Path("var/demo")
ORIGIN_PID = DIRECTORY / "origin.pid"
HOST = "demo.localhost"
PORT = 8080
HTTPS_OFFSET, METRICS_OFFSET, PUBLIC_OFFSET = 363, 1384, 1385
"""From the port for HTTP: 8443, 9464 and 9465 by default."""

CONFIGURATION = """\
# Made by 'holdfast up --demo'; made anew at each start.
[edge]
http = ["127.0.0.1:{http}", "[::1]:{http}"]
https = ["127.0.0.1:{https}", "[::1]:{https}"]
state_dir = "state"
run_dir = "{run_dir}"
metrics = "127.0.0.1:{metrics}"

[ledger]
key = "{key}"
directory = "ledger"
grounds = "grounds.toml"
listen = "127.0.0.1:{public}"

[provider]
name = "The Harbour Co-operative"
url = "https://harbour.example/"
appeal = "https://harbour.example/appeal/{{id}}"

[[sites]]
name = "gazette"
customer = "gazette-press"
hostnames = ["{host}", "*.{host}"]
certificate = "certificate.pem"

[[sites.origins]]
address = "127.0.0.1"
port = {origin}
"""

INTRODUCTION = """\

  Holdfast runs, with a small newspaper as the site it protects.

    see it            http://{host}:{http}/        (TLS, self-signed: https://{host}:{https}/)
                      curl http://{host}:{http}/
    watch it          .venv/bin/holdfast status
    attack it         .venv/bin/holdfast drill     (half a minute; this machine only)
    what for          .venv/bin/holdfast grounds
    block it          .venv/bin/holdfast block gazette --until {until} \\
                          --ground 'threat to life' --clause 4.2 \\
                          --statement var/demo/statement.md --facts var/demo/facts.md \\
                          --by 'Ada Example, duty officer' --approved-by 'Grace Example, head of operations'
                      curl -i http://{host}:{http}/
                      curl -i -H 'Accept: application/json' -H 'Accept-Language: ar' http://{host}:{http}/
    block a part      .venv/bin/holdfast block {host}/clock --until {until} \\
                          --ground 'court order' --clause 2.1 --legal-demand 'District Court' \\
                          --statement var/demo/statement.md --facts var/demo/facts.md \\
                          --by 'Ada Example, legal' --approved-by 'Grace Example, head of operations'
    read the record   http://127.0.0.1:{public}/
    list and lift     .venv/bin/holdfast blocks
                      .venv/bin/holdfast unblock ID --by 'Ada Example, duty officer' --reason 'It is gone.'
    check             .venv/bin/holdfast edge diff; .venv/bin/holdfast doctor
    metrics           curl http://127.0.0.1:{metrics}/metrics

  Run these in another terminal, in this directory. Ctrl-C here ends everything.
"""


def introduction(port: int) -> str:
    """What to try."""
    until = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:00:00Z}"
    return INTRODUCTION.format(host=HOST, until=until, **_ports(port))


def _ports(port: int) -> dict[str, int]:
    offsets = {"http": 0, "https": HTTPS_OFFSET, "metrics": METRICS_OFFSET, "public": PUBLIC_OFFSET}
    return {name: port + offset for name, offset in offsets.items()}


@contextlib.contextmanager
def demonstration(port: int) -> Iterator[Path]:
    """Start the origin and write the configuration; yields its path. The origin ends with the edge."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    _certificate(DIRECTORY / "certificate.pem")
    key = prepare_record(DIRECTORY, DIRECTORY / "state")
    origin_port = _free_port()
    _end_former_origin()
    origin = subprocess.Popen([sys.executable, "-m", "holdfast.demo.origin", "--port", str(origin_port)])
    ORIGIN_PID.write_text(str(origin.pid))
    try:
        _wait_for(origin_port, origin)
        path = DIRECTORY / "holdfast.toml"
        run_dir = f"/dev/shm/holdfast-demo-{os.getuid()}"  # noqa: S108 - memory-backed on purpose; made 0700
        path.write_text(
            CONFIGURATION.format(host=HOST, origin=origin_port, run_dir=run_dir, key=key, **_ports(port))
        )
        yield path
    finally:
        origin.terminate()
        origin.wait(5)
        ORIGIN_PID.unlink(missing_ok=True)


def _end_former_origin() -> None:
    """An agent that was killed has left its origin serving; this start brings another one."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(ORIGIN_PID.read_text())
        if b"holdfast.demo.origin" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, origin: subprocess.Popen[bytes], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and origin.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise error(
        "the demonstration site did not start", "run 'python -m holdfast.demo.origin --port 8081' to see why"
    )


def _certificate(path: Path) -> None:
    """A self-signed certificate for the demonstration's hostnames, kept for a year."""
    if path.exists():
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(self_signed(HOST, f"*.{HOST}"))
