"""The soak, shortened: the same code as the hour of ``make soak``, run as people run it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 180.0
"""Forty of traffic; the start, the calibration and the end, on a busy machine."""


async def test_a_short_soak_passes() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.soak", "--quick"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            said, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()  # it ends what it has started
            await process.wait()
    assert process.returncode == 0, told.decode()[-8000:]
    result = json.loads(said.splitlines()[-1])
    assert (result["failed_unexplained"], result["faults"]) == (0, [])
    assert result["requests"] > 10_000
    assert result["reloads"] >= 2
    assert sum(result["agent_restarts"].values()) >= 2
    assert sum(result["changes"].values()) >= 20
