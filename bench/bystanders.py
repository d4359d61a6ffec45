"""What goes on beside the changes: an origin (nginx), visitors (wrk) and table scans (``bench.scan``)."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.fleet import ORIGIN_FILE
from bench.probe import Http

CONNECTIONS = 32
LONGEST_SECONDS = 1200
LONGEST_SCAN_SECONDS = 60

NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  server {{ listen 127.0.0.1:{http} backlog=4096; location / {{ return 200 "{body}"; }} }}
  server {{
    listen 127.0.0.1:{https} ssl backlog=4096; location / {{ return 200 "{body}"; }}
    ssl_certificate {directory}/{certificate}; ssl_certificate_key {directory}/{certificate};
  }}
}}
"""

WRK = """local hosts = {{{hosts}}}
local mean = {mean}
request = function() return wrk.format("GET", "/", {{Host = hosts[math.random(#hosts)]}}) end
if mean > 0 then delay = function() return math.random(0, 2 * mean) end end
"""


@contextlib.contextmanager
def origin(directory: Path, http: int, https: int) -> Iterator[None]:
    """nginx with 1 KB at both ports; the certificate lies in ``directory``."""
    configuration = directory / "nginx.conf"
    configuration.write_text(
        NGINX.format(directory=directory, http=http, https=https, certificate=ORIGIN_FILE, body="x" * 1024)
    )
    process = subprocess.Popen(["nginx", "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        client, deadline = Http(http), time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                assert client.status("origin") == 200
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: see {directory}/nginx.log")
            time.sleep(0.02)
        client.close()
        yield
    finally:
        end(process)


@dataclass(frozen=True, slots=True)
class Visits:
    """What wrk reports."""

    requests: int
    seconds: float
    refused: int
    """Answers other than 2xx and 3xx."""
    broken: int
    """Connections that could not be opened or broke."""

    @property
    def failed(self) -> int:
        return self.refused + self.broken

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def visits(words: str) -> Visits:
    """What wrk's own words say."""
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m|h)\b", words)
    assert done is not None, f"wrk said: {words}"
    seconds = float(done[2]) * {"us": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600}[done[3]]
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", words)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", words)
    return Visits(
        requests=int(done[1]),
        seconds=seconds,
        refused=int(refused[1]) if refused else 0,
        broken=sum(int(count) for count in broken.groups()) if broken else 0,
    )


class Visitors:
    """wrk on ``CONNECTIONS`` connections, each request for one of ``hosts``, with a pause of ``mean``
    milliseconds on average before it. Ends with the ``with`` at the latest."""

    def __init__(self, directory: Path, port: int, hosts: Sequence[str], mean: int, seconds: int) -> None:
        script = directory / "visitors.lua"
        script.write_text(WRK.format(hosts=",".join(f'"{host}"' for host in hosts), mean=mean))
        self._process = subprocess.Popen(
            [
                "wrk",
                "-t1",
                f"-c{CONNECTIONS}",
                f"-d{seconds}s",
                "-s",
                str(script),
                f"http://127.0.0.1:{port}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Visits:
        """Wait for wrk's own end."""
        words, _ = self._process.communicate(timeout=LONGEST_SECONDS)
        return visits(words)

    def stop(self) -> Visits:
        """End it now; it reports what it has."""
        self._process.send_signal(signal.SIGINT)
        return self.result()

    def __enter__(self) -> Visitors:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)


def half_load(
    directory: Path, port: int, hosts: Sequence[str], seconds: int, thorough: bool
) -> tuple[float, int]:
    """The most requests a second that the edge carries here, and the pause at which half of it comes."""
    most = 0.0
    for _ in range(2 if thorough else 1):  # the first one also opens the connections to the origins
        with Visitors(directory, port, hosts, 0, seconds) as greedy:
            most = max(most, greedy.result().rate)
    wanted = most / 2
    pause = max(1, round(1000 * CONNECTIONS / wanted) - 1)
    for _ in range(3 if thorough else 1):
        with Visitors(directory, port, hosts, pause, seconds) as visitors:
            reached = visitors.result().rate
        # Each connection takes turns: a pause, then an answer. Only the pause is ours to change.
        pause = max(1, round(pause + 1000 * CONNECTIONS * (1 / wanted - 1 / reached)))
    return most, pause


@contextlib.contextmanager
def scans(socket: Path, clients: int, metrics: str, report: dict[str, tuple[int, int]]) -> Iterator[None]:
    """Fill the table of clients, then scan it until the end; then ``report`` says what was scanned: how
    often, and the longest in milliseconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.scan", str(socket), str(clients), metrics],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("the table of clients could not be filled")
        yield
        words, _ = process.communicate(timeout=LONGEST_SCAN_SECONDS)  # closes its input: it ends
        report.update(json.loads(words))
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that we started, also one that has ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
