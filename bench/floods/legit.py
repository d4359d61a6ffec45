"""The process of the legitimate visitors: ``python -m bench.floods.legit SPEC.json`` plays a plan and writes
what became of every request."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.floods.agents import BROWSERS
from bench.floods.http2 import context
from bench.floods.log import Request, Visit
from bench.floods.network import refuse_other_aims
from bench.floods.processes import end_with_parent, many_files
from bench.floods.records import Legit, dump
from bench.floods.visitor import Target, Visitor
from bench.floods.visits import Planned
from bench.floods.work import Solvers

EXTRA = 40.0
"""Seconds that the last requests may take beyond the end: a time-out, and a challenge."""


def spec_of(
    planned: list[Planned], begin: float, seconds: float, target: tuple[str, int, bool], out: Path
) -> str:
    """What this process is told, as JSON."""
    return json.dumps(
        {
            "begin": begin,
            "seconds": seconds,
            "address": target[0],
            "port": target[1],
            "tls": target[2],
            "out": str(out),
            "visits": [asdict(each) for each in planned],
        }
    )


def planned_of(document: dict[str, Any]) -> Planned:
    """The inverse of ``asdict`` for a planned visit."""
    visit = document["visit"]
    requests = tuple(Request(**each) for each in visit["requests"])
    return Planned(document["start"], document["host"], Visit(**{**visit, "requests": requests}))


async def play(spec: dict[str, Any]) -> list[Legit]:
    """Everything at its time."""
    contexts = functools.cache(lambda family: context(family, http2=family in BROWSERS))
    target = Target(spec["address"], spec["port"], contexts if spec["tls"] else None)
    begin, until = spec["begin"], spec["begin"] + spec["seconds"]
    records: list[Legit] = []
    solvers = Solvers()

    async def one(planned: Planned) -> None:
        start = begin + planned.start
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        visitor = Visitor(planned.visit, planned.host, target, records=records, solvers=solvers)
        await visitor.play(start, begin, until)

    visits = [planned_of(each) for each in spec["visits"] if each["start"] < spec["seconds"]]
    async with asyncio.timeout(until + EXTRA - time.monotonic()):
        try:
            await asyncio.gather(*(one(each) for each in visits))
        finally:
            solvers.close()
    return records


def main() -> None:
    end_with_parent()
    many_files()
    spec = json.loads(Path(sys.argv[1]).read_text())
    refuse_other_aims(spec["address"])
    records = asyncio.run(play(spec))
    dump(Path(spec["out"]), records)


if __name__ == "__main__":
    main()
