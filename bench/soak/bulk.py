"""The bulk of the load: wrk and curl, which nobody here wrote, in slices of some seconds.

These tools tell at their end what failed, but not when. So they run in short slices, one after the other:
a failure is then known to some seconds. They only visit what is never refused, so that none is explained.
wrk paces itself by a pause before each request, which is corrected after each slice; over HTTP/2 curl does
(h2load ends at a GOAWAY, and every reload says one).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.bystanders import visits
from bench.soak.ledger import Ledger
from bench.soak.world import TLS_HOST, Ports

SHARE = 0.8
"""Of the most that the machine carries, clients and origins included."""
CURL_SOURCE, CURL_RATE = "127.0.0.2", 100
GRACE_SECONDS = 15.0
LONGEST_PAUSE = 5000.0

SCRIPT = """local hosts = {{{hosts}}}
local mean = {mean}
local headers = {headers}
request = function()
  headers["Host"] = hosts[math.random(#hosts)]
  return wrk.format("GET", "/", headers)
end
init = function() math.randomseed({seed}) end
if mean > 0 then delay = function() return math.floor(math.random() * 2 * mean + math.random()) end end
"""


@dataclass
class Stream:
    """One kind of wrk's load: over so many connections, with a pause of ``pause`` milliseconds on average
    before each request."""

    name: str
    connections: int
    tls: bool = False
    close: bool = False
    pause: float = 0.0
    wanted: float = 0.0
    """Requests a second."""


@dataclass
class Slice:
    """What a tool reports of one slice."""

    requests: int = 0
    seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def streams() -> list[Stream]:
    return [
        Stream("wrk kept", 96),
        Stream("wrk fresh", 24, close=True),
        Stream("wrk tls", 48, tls=True),
    ]


def read_wrk(words: str) -> Slice:
    """wrk's report → a slice."""
    told = visits(words)
    counts = {"answers other than 2xx and 3xx": told.refused, "connections that broke": told.broken}
    return Slice(told.requests, told.seconds, {why: count for why, count in counts.items() if count})


def read_curl(words: str, seconds: float) -> Slice:
    """curl's lines, one for a request; the last one was under way when it was ended."""
    lines = words.splitlines()[:-1]
    bad = [line for line in lines if line.strip() != "200 2"]
    return Slice(len(lines), seconds, {line[:100]: bad.count(line) for line in bad})


def corrected(pause: float, connections: int, wanted: float, reached: float) -> float:
    """Each connection takes turns: a pause, then an answer. Only the pause is ours to change. Half of what
    is missing, so that one odd slice does not make the next one odd."""
    if not wanted or not reached:
        return pause
    return min(max(pause + 500 * connections * (1 / wanted - 1 / reached), 0.1), LONGEST_PAUSE)


@dataclass
class Bulk:
    """Runs the tools; ``rate`` is what they reached in the last slice."""

    directory: Path
    ports: Ports
    hosts: Sequence[str]
    ledger: Ledger
    slice_seconds: int
    streams: list[Stream] = field(default_factory=streams)
    rates: dict[str, float] = field(default_factory=dict)
    stopping: bool = False

    @property
    def rate(self) -> float:
        return sum(self.rates.values())

    @property
    def requests(self) -> int:
        return sum(self.ledger.requests[name] for name in self.rates)

    async def calibrate(self, seconds: int) -> float:
        """The most requests a second that all together get; then each is set to its share of that."""
        for _ in range(2):  # the first time connections are opened, to the origins too
            await self._all(seconds)
        for stream in self.streams:
            stream.wanted = SHARE * self.rates[stream.name]
            stream.pause = 1000 * stream.connections / stream.wanted * (1 - SHARE)
        for _ in range(2):
            await self._all(seconds)
        return sum(stream.wanted for stream in self.streams) / SHARE

    async def _all(self, seconds: int) -> None:
        async with asyncio.TaskGroup() as group:
            for stream in self.streams:
                group.create_task(self._wrk(stream, seconds))

    async def run(self, stream: Stream) -> None:
        """Slice after slice, until ``stopping``."""
        while not self.stopping:
            await self._wrk(stream, self.slice_seconds)

    async def run_curl(self) -> None:
        """The same over HTTP/2."""
        while not self.stopping:
            await self._curl()

    async def _wrk(self, stream: Stream, seconds: int) -> None:
        script = self.directory / f"{stream.name.replace(' ', '-')}.lua"
        script.write_text(
            SCRIPT.format(
                hosts=",".join(f'"{host}"' for host in self.hosts),
                mean=stream.pause,
                headers='{Connection = "close"}' if stream.close else "{}",
                seed=time.monotonic_ns() % 1_000_000,
            )
        )
        url = (
            f"https://{TLS_HOST}:{self.ports.https}/"
            if stream.tls
            else f"http://127.0.0.1:{self.ports.http}/"
        )
        words = ["wrk", "-t1", f"-c{stream.connections}", f"-d{seconds}s", "--timeout", "10s"]
        began = time.monotonic()
        result = read_wrk(await _output([*words, "-s", str(script), url], seconds + GRACE_SECONDS))
        self._note(stream.name, result, began)
        stream.pause = corrected(stream.pause, stream.connections, stream.wanted, result.rate)

    async def _curl(self) -> None:
        host = random.choice(self.hosts)
        # Without stdbuf what curl has said is lost with its buffer when it is ended.
        words = ["stdbuf", "-oL", "curl", "-sS", "-k", "--http2", "--interface", CURL_SOURCE]
        words += ["--resolve", f"{host}:{self.ports.https}:127.0.0.1", "--rate", f"{CURL_RATE}/s"]
        words += ["-o", "/dev/null", "-w", r"%{http_code} %{http_version} %{errormsg}\n"]
        words.append(f"https://{host}:{self.ports.https}/page?[1-1000000]")
        began = time.monotonic()
        said = await _output(words, self.slice_seconds)
        self._note("curl h2", read_curl(said, time.monotonic() - began), began)

    def _note(self, name: str, result: Slice, began: float) -> None:
        self.rates[name] = result.rate
        self.ledger.requests[name] += result.requests
        for why, count in result.failures.items():
            self.ledger.fail(name, f"{count} times in a slice", why, began, time.monotonic(), count)


async def _output(words: Sequence[str], seconds: float) -> str:
    """What a program says until it ends; it is interrupted after so many seconds."""
    process = await asyncio.create_subprocess_exec(
        *("env", "--default-signal=INT"),  # a shell has its background jobs, and theirs, ignore it
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C is for us: what a tool says then is no report
    )
    telling = asyncio.ensure_future(process.communicate())
    try:
        await asyncio.wait((telling,), timeout=seconds)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        said, _ = await asyncio.wait_for(asyncio.shield(telling), GRACE_SECONDS)
        return said.decode(errors="replace")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait((telling,))
