"""What HAProxy itself finds in requests over TLS: fingerprints and orders of headers that no other program
can say beforehand. The edge's agent is ended for this, and its place at the samples' socket taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.floods.agents import family_of
from bench.floods.visits import Planned, requests
from bench.floods.warm import values_of
from holdfast.edge.traffic.intake import Intake
from holdfast.shield.features import Feature
from holdfast.shield.sample import Sample

CONNECT_SECONDS = 3.0


def capture(socket: Path, play: Callable[[], None]) -> list[Sample]:
    """The samples of everything that ``play`` sends."""

    async def listen() -> list[Sample]:
        found: list[Sample] = []
        async with Intake(socket) as intake:
            await asyncio.sleep(CONNECT_SECONDS)
            intake.take()  # what waited in HAProxy
            playing = asyncio.create_task(asyncio.to_thread(play))
            while not playing.done():
                await asyncio.sleep(0.1)
                found += intake.take()
            await playing
        return found

    return asyncio.run(listen())


@dataclass(frozen=True, slots=True)
class Seen:
    """What differs between what HAProxy finds and what ``warm`` computes for plain HTTP/1.1."""

    names: dict[str, str] = field(default_factory=dict)
    """Order of headers, as computed → as found."""
    clients: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Family → version and TLS fingerprint."""

    def translate(self, sample: Sample) -> Sample:
        values = list(sample.values)
        values[Feature.NAMES] = self.names.get(values[Feature.NAMES], values[Feature.NAMES])
        found = self.clients.get(family_of(sample.agent))
        if found is not None:
            values[Feature.VERSION], values[Feature.TLS] = found
        return replace(sample, values=tuple(values))


def compare(found: Sequence[Sample], calm: Sequence[Planned], seconds: float) -> Seen:
    """``found`` are samples of the first ``seconds`` of ``calm``."""
    computed = {
        (planned.visit.address, planned.visit.agent, request.path.partition("?")[0]): values_of(
            planned.visit, request, planned.host
        )
        for _, planned, request in requests(calm, seconds)
    }
    seen = Seen()
    for sample in found:
        values = computed.get((sample.client, sample.agent, sample.path))
        if values is not None:
            seen.names[values[Feature.NAMES]] = sample.values[Feature.NAMES]
            seen.clients[family_of(sample.agent)] = (
                sample.values[Feature.VERSION],
                sample.values[Feature.TLS],
            )
    return seen
