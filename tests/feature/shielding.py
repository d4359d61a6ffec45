"""An edge whose shield does what the test says: its agent cannot read HAProxy's counters, so that it decides
nothing by itself, and the samples wait for the test. All the rest is real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.features import Feature, Template
from holdfast.shield.sample import Sample
from tests.feature.lab import Lab, lab, site, write_certificate
from tests.feature.load import ANY_CONNECTIONS
from tests.feature.origins import Origin, origin

GUARDS_LOOK = "show table sites data.http_req_rate gt 0"
SHOP, OTHER = "shop.test", "other.test"


class Sightless(Runtime):
    """Cannot see the counters by which the shield decides."""

    async def scan(self, text: str) -> str:
        if text == GUARDS_LOOK:
            raise RuntimeLostError("the test decides here")
        return await super().scan(text)


@dataclass
class Ground:
    """An edge with the sites ``shop`` and ``other``, at one origin."""

    lab: Lab
    edge: Edge
    origin: Origin

    async def put(self, *mitigations: Mitigation, name: str = "shop", lingers: bool = True) -> None:
        """Have just these in force."""
        shielded = self.edge.desired.shielded
        await self.edge.reconciler.settle(shielded.put_mitigations(name, mitigations, lingers=lingers))

    def sid(self, name: str = "shop") -> str:
        return str(self.edge.desired.ids[name])

    async def samples(self, count: int, seconds: float = 5.0) -> list[Sample]:
        """The next so many samples; not one more may be there."""
        found: list[Sample] = []
        deadline = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} samples: {found}"
            await asyncio.sleep(0.02)
            found += self.edge.guard._intake.take()
        assert len(found) == count, found
        return found

    async def sample(self) -> Sample:
        (found,) = await self.samples(1)
        return found

    async def totals(self, name: str = "shop") -> dict[str, int]:
        """The site's row in the table ``sites``."""
        rows = answers.table(await self.edge.runtime.scan(f"show table sites key {self.sid(name)}"))
        return next((row.counters for row in rows), {})

    async def held(self, name: str) -> dict[str, str]:
        """What HAProxy holds of a map."""
        found = await self.edge.runtime.scan(f"show map {self.edge.places.map(name)}")
        return dict(answers.map_entries(found))

    async def key(self) -> tuple[str, str]:
        """The id and the text of the key that signs clearances."""
        ids = await self.held(Maps.KEY_IDS)
        name = ids["now"].partition("|")[0]
        return name, (await self.held(Maps.KEYS))[name]


@asynccontextmanager
async def sightless(
    directory: Path, limits: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[Ground]:
    """A ground; ``limits`` are those of both sites, ``more`` further settings of the site ``shop``."""
    certificate = str(write_certificate(directory / "one.pem", SHOP, OTHER))
    tls = {"certificate": certificate, "limits": limits or {}}
    async with origin() as one, lab(directory) as made:
        sites = [site("shop", [SHOP], one.port, **tls, **more), site("other", [OTHER], one.port, **tls)]
        configuration = made.configuration(sites, **ANY_CONNECTIONS)
        async with Edge(configuration, runtime=_sightless) as edge:
            yield Ground(made, edge, one)


def _sightless(frame: Any) -> Runtime:
    return Sightless(frame.change_socket, frame.scan_socket)


def mitigation(
    action: Action = Action.CHALLENGE,
    features: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    *,
    name: str = "m-1",
    seconds: float = 300,
) -> Mitigation:
    """One against the whole site ``shop``, if nothing else is said."""
    now = datetime.now(UTC)
    return Mitigation(name, "shop", action, features, values, "a test", now, now + timedelta(seconds=seconds))


def values_of(sample: Sample, template: Template, stranger: str = "1") -> tuple[str, ...]:
    """What a signature of this template says of a request like this one."""
    return tuple(stranger if each is Feature.STRANGER else sample.values[each] for each in template.features)


def names_of(template: Template) -> tuple[str, ...]:
    return tuple(each.name.lower() for each in template.features)


def like(sample: Sample, *features: Feature, action: Action = Action.DENY, name: str = "m-1") -> Mitigation:
    """Against requests that share these features with a sampled one."""
    template = Template(0, features)
    return mitigation(action, names_of(template), values_of(sample, template), name=name)
