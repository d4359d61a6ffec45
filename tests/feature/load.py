"""Load from tools that nobody here wrote (wrk, curl), against this machine's loopback only,
for as long as a block of code runs; what they count as failed is what counts."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONGEST_SECONDS = 90
"""The tools stop by themselves after this long, whatever happens to the test."""


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
