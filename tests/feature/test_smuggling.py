"""However a request is framed or malformed: what HAProxy and an origin might read in two ways never arrives,
and no other visitor ever gets an answer that was meant for the attacker."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.model.enforcement import HostScope
from tests.feature import smuggling_cases as framing
from tests.feature import smuggling_cases_http2 as http2
from tests.feature import smuggling_cases_lines as lines
from tests.feature.frames import frames
from tests.feature.lab import Lab, enforcement, eventually, released, running, site, write_certificate
from tests.feature.recorder import Recorder, recorder
from tests.feature.smuggling_cases import Case, Must
from tests.feature.wire import connect

SILENCE = 0.08
PAUSE = 0.05
LONGEST = 3.0

TABLE = {
    "lengths": framing.LENGTH,
    "codings": framing.TRANSFER,
    "chunks": framing.CHUNKS,
    "trailers": framing.TRAILERS,
    "headers": lines.HEADERS,
    "request lines": lines.REQUEST_LINES,
    "pipelines": lines.PIPELINES,
}
TABLE2 = {
    "bodies": http2.BODIES,
    "fields": http2.FIELDS,
    "pseudo headers": http2.PSEUDO,
    "frames": http2.FRAMES,
}
IPV6 = ("lengths", "codings")


@dataclass
class Outcome:
    """What the attacker gets."""

    statuses: list[int]
    ended: bool
    """The connection, or over HTTP/2 the stream, was ended by the edge."""
    at_once: bool = False
    """Without waiting for more."""


Attack = Callable[[Lab, str, Case], Awaitable[Outcome]]


@asynccontextmanager
async def attacked(directory: Path) -> AsyncIterator[tuple[Lab, Recorder]]:
    """An edge with a site at a recording origin, and with hosts that the edge answers for itself."""
    names = ["a.test", "b.test", "shut.test"]
    certificate = str(write_certificate(directory / "one.pem", *names, "moved.test"))
    async with recorder() as one:
        sites = [
            site("a", names, one.port, certificate=certificate),
            site("moved", ["moved.test"], one.port, certificate=certificate, https="redirect"),
        ]
        async with running(directory, sites) as (lab, edge):
            await edge.block(released(enforcement(HostScope("shut.test"))))
            yield lab, one
            assert (edge.starts, edge.reloads) == (1, 0)


async def attack(lab: Lab, address: str, case: Case) -> Outcome:
    """Send the bytes; once the edge is silent, send no more: what is cut off there will never be whole. Where
    the edge is to end the connection, it is left to it."""
    silence = LONGEST if case.must is Must.SERVE_AND_CLOSE else SILENCE
    got, ended, at_once = b"", False, False
    async with connect(lab.http, address) as wire:
        with contextlib.suppress(ConnectionError):
            ended = at_once = True
            for number, part in enumerate((case.raw,) if isinstance(case.raw, bytes) else case.raw):
                await asyncio.sleep(PAUSE if number else 0)
                wire.writer.write(part)
                await wire.writer.drain()
            for patience in (silence, LONGEST):
                ended = at_once = False
                with contextlib.suppress(TimeoutError):
                    while part := await asyncio.wait_for(wire.reader.read(65_536), patience):
                        got += part
                    ended, at_once = True, patience == silence
                    break
                wire.writer.write_eof()
    statuses = [int(status) for status in re.findall(rb"(?m)^HTTP/1\.[01] (\d{3})", got)]
    return Outcome([status for status in statuses if status >= 200], ended, at_once)


async def attack2(lab: Lab, address: str, case: Case) -> Outcome:
    """Send the frames, and wait until the first stream is over."""
    assert isinstance(case.raw, bytes)
    async with frames(lab.https, "a.test", address) as client:
        with contextlib.suppress(ConnectionError):
            client.writer.write(case.raw)
            await client.writer.drain()
        await client.settled(1, seconds=0.3 if case.half else LONGEST)
        statuses = [status for status in client.statuses.values() if status >= 200]
        return Outcome(statuses, client.ended_by_edge or client.goaway or bool(client.over) or case.half)


async def judge(lab: Lab, one: Recorder, address: str, case: Case, how: Attack) -> list[str]:
    """What is wrong with what came of a case."""
    one.clear()
    outcome = await how(lab, address, case)
    wrong = []
    for name in ("/one", "/two"):
        async with connect(lab.http, address) as visitor:
            answer = await visitor.get(name.encode(), "a.test")
            if (answer.status, answer.headers.get("x-target"), answer.body) != (200, name, name.encode()):
                wrong.append(f"a visitor got {answer}")
    await eventually(lambda: not any(one.open.values()))
    return wrong + verdict(case, one, outcome)


def verdict(case: Case, one: Recorder, outcome: Outcome) -> list[str]:
    """The invariant: nothing at all, or just the requests of the case, each of them framed in one way."""
    seen = [request for request in one.seen if request.target not in ("/one", "/two")]
    targets = tuple(re.sub("^https?://[ab].test(?=/)", "", request.target, flags=re.I) for request in seen)
    first = next(iter(outcome.statuses), None)
    wrong = list(one.faults)
    if any("smuggled" in target for target in targets) or any(b"/smuggled" in cut[:99] for cut in one.cut):
        wrong.append("the smuggled request has arrived")
    if one.cut and not case.half:
        wrong.append(f"half a request arrived: {one.cut}")
    if case.must is Must.REFUSE or (case.must is not Must.SERVE and not targets):
        refused = 400 <= first < 500 or first in (308, 501, 505) if first and not case.half else outcome.ended
        if not refused or (targets and not (case.half and targets == case.sees)):
            wrong.append(f"not refused: {outcome}, origin saw {targets}")
    elif targets != case.sees or 200 not in outcome.statuses:
        wrong.append(f"{outcome}, origin saw {targets}, not {case.sees}")
    elif case.body is not None and seen[0].body != case.body:
        wrong.append(f"body {seen[0].body!r}")
    elif case.must is Must.SERVE_AND_CLOSE and not outcome.at_once:
        wrong.append("the connection was kept")
    return wrong


async def nothing_is_smuggled(directory: Path, cases: tuple[Case, ...], address: str, how: Attack) -> None:
    async with attacked(directory) as (lab, one):
        wrong = [(case, await judge(lab, one, address, case, how)) for case in cases]
    found = [f"{case.name} ({case.source}): {faults}" for case, faults in wrong if faults]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("group", "address"),
    [*((group, "127.0.0.1") for group in TABLE), *((group, "::1") for group in IPV6)],
)
async def test_nothing_is_smuggled(tmp_path: Path, group: str, address: str) -> None:
    await nothing_is_smuggled(tmp_path, TABLE[group], address, attack)


@pytest.mark.parametrize(
    ("group", "address"), [*((group, "127.0.0.1") for group in TABLE2), ("bodies", "::1")]
)
async def test_nothing_is_smuggled_over_http2(tmp_path: Path, group: str, address: str) -> None:
    await nothing_is_smuggled(tmp_path, TABLE2[group], address, attack2)
