"""Load from tools that nobody here wrote (wrk, h2load, curl, slowhttptest), against this machine's loopback
only; what they count as failed is what counts. Some run for as long as a block of code, some to their end."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONGEST_SECONDS = 90
"""The tools stop by themselves after this long, whatever happens to the test."""

ANY_RATE = {"requests_per_second": 0}
ANY_CONNECTIONS = {"connections_per_second": 100_000, "connections_at_once": 100_000}
"""Limits of a site and of an edge for tests where what is answered matters, not how much of it one client may
have: all of the load comes from one address."""


@dataclass
class Load:
    """What a tool reports once it has ended."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    """The tool's own lines about anything that was not a good answer."""


@asynccontextmanager
async def wrk(port: int, host: str, *headers: str, tls: bool = False) -> AsyncIterator[Load]:
    """HTTP/1.1 load; with ``Connection: close`` among ``headers`` each request has its own connection. Over
    TLS the SNI is what the URL says, so that the ``host`` must be ``localhost``."""
    words = [
        "wrk",
        "-t1",
        "-c8",
        f"-d{LONGEST_SECONDS}",
        "--timeout",
        "10s",
        "-H",
        f"Host: {host}",
    ]
    for header in headers:
        words += ["-H", header]
    url = f"https://{host}:{port}/" if tls else f"http://127.0.0.1:{port}/"
    async with _while_running([*words, url]) as (load, output):
        yield load
    text = output[0]
    load.requests = int(re.findall(r"(\d+) requests in", text)[0])
    load.failures = re.findall(r"Non-2xx.*|Socket errors.*", text)


@asynccontextmanager
async def _while_running(words: list[str]) -> AsyncIterator[tuple[Load, list[str]]]:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output: list[str] = []
    try:
        await asyncio.sleep(0.3)  # it is under way
        yield Load(), output
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        said, _ = await process.communicate()
        output.append(said.decode())


@asynccontextmanager
async def curl_http2(port: int, host: str) -> AsyncIterator[Load]:
    """One request after the other over HTTP/2 and TLS, on a connection that is kept: curl, unlike h2load,
    makes another connection when it is told GOAWAY (RFC 9113, section 6.8)."""
    url = f"https://{host}:{port}/[1-1000000]"
    # Without stdbuf what curl has said is lost with its buffer when it is ended.
    words = ["stdbuf", "-oL", "curl", "-sS", "-k", "--http2", "-m", str(LONGEST_SECONDS)]
    words += [
        "--resolve",
        f"{host}:{port}:127.0.0.1",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{http_version} %{errormsg}\\n",
        url,
    ]
    async with _while_running(words) as (load, output):
        yield load
    lines = output[0].splitlines()[:-1]  # the last one was under way when curl was ended
    load.requests = len(lines)
    load.failures = [line for line in lines if line.strip() != "200 2"]


async def run(*words: str, seconds: float = LONGEST_SECONDS) -> str:
    """A tool's output, both streams of it, once it has ended by itself; it must not fail."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{words} ended with {process.returncode}: {said.decode()}"
    return said.decode()


async def h2load(port: int, requests: int, *options: str) -> Load:
    """So many requests over TLS, from 8 connections; over HTTP/2, or whatever ``options`` say. The SNI and
    the host are ``localhost``."""
    words = ["h2load", "-n", str(requests), "-c", "8", *options, f"https://localhost:{port}/"]
    text = await run(*words)
    counted = re.search(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    statuses = re.search(r"status codes: (\d+) 2xx", text)
    assert counted is not None, text
    assert statuses is not None, text
    load = Load(int(statuses[1]))
    load.failures = [counted[0]] if any(map(int, counted.groups()[1:])) else []
    return load


SLOWHTTPTEST_CONNECTIONS = 200


async def slowhttptest(port: int, path: str, seconds: int, *mode: str) -> int:
    """An attack of slow clients on the host ``localhost``, at its full size within a second; on how many
    connections it was."""
    words = ["slowhttptest", "-c", str(SLOWHTTPTEST_CONNECTIONS), "-r", str(SLOWHTTPTEST_CONNECTIONS)]
    words += ["-l", str(seconds), "-p", "3", *mode, "-u", f"http://localhost:{port}{path}"]
    text = re.sub(r"\x1b\[[0-9;]*m", "", await run(*words, seconds=seconds + 10))
    counts = re.findall(r"(?:connected|error|closed):\s+(\d+)", text)
    return max(sum(map(int, counts[at : at + 3])) for at in range(0, len(counts), 3))


@dataclass
class Fetched:
    """What curl was answered."""

    status: int
    version: str
    """Of HTTP, as curl names it: 1, 1.1 or 2."""
    text: str
    """The body; the headers where only those were asked for."""


async def curl(port: int, path: str, *options: str, tls: bool = False, address: str = "127.0.0.1") -> Fetched:
    """One request to the host ``localhost``."""
    words = ["curl", "-sS", "-k", "-m", "10", "--resolve", f"localhost:{port}:{address}"]
    url = f"{'https' if tls else 'http'}://localhost:{port}{path}"
    text = await run(*words, "-w", "\n%{http_code} %{http_version}", *options, url)
    body, _, end = text.rpartition("\n")
    status, _, version = end.partition(" ")
    return Fetched(int(status), version, body)
