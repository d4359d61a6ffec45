"""An edge whose shield has in force what the benchmark says, and decides nothing by itself:
``python -m bench.ruled up --config FILE``, in place of ``holdfast``.

One load generator has one fingerprint, and nobody else comes: left to itself the shield would act on the load
that measures it. So its agent does not see HAProxy's counters; everything else of it, and all of HAProxy, is
as ever. What is in force stands beside the configuration (``write``); how many requests are sampled, too: so
many as the agent would choose at that load.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from holdfast.edge.admin import Admin
from holdfast.edge.agent import Edge
from holdfast.edge.configuration import read_configuration
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.traffic.sampling import BUDGET, allot
from holdfast.model.mitigation import Action, Mitigation
from tests.feature.shielding import Sightless

NAME: Final = "rules.json"
SECONDS: Final = 86_400.0
"""So long all of it stays."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A mitigation of one site."""

    site: str
    action: str = "challenge"
    features: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is in force. ``rates``: requests/s that sites are asked for, by name; ``tries``: how hard
    their proofs of work are, where it is not the least."""

    rules: Sequence[Rule]
    rates: Mapping[str, float]
    tries: Mapping[str, int]


def write(directory: Path, rules: Rules) -> None:
    """Beside ``holdfast.toml``."""
    (directory / NAME).write_text(json.dumps(asdict(rules)))


def read(directory: Path) -> Rules:
    """The inverse of ``write``."""
    told = json.loads((directory / NAME).read_text())
    rules = [
        Rule(each["site"], each["action"], tuple(each["features"]), tuple(each["values"]))
        for each in told["rules"]
    ]
    return Rules(rules, told["rates"], told["tries"])


def sampling(rates: Mapping[str, float]) -> dict[str, int]:
    """How many of ten thousand requests are told to the shield, while only one of these sites is asked."""
    found: dict[str, int] = {}
    for name, rate in rates.items():
        found |= allot({name: rate}, {}, BUDGET)
    return found


def mitigations(rules: Rules, site: str, now: datetime) -> tuple[Mitigation, ...]:
    """Those of one site."""
    until = now + timedelta(seconds=SECONDS)
    return tuple(
        Mitigation(
            f"bench-{number}",
            site,
            Action(rule.action),
            rule.features,
            rule.values,
            "the benchmark",
            now,
            until,
        )
        for number, rule in enumerate(rules.rules)
        if rule.site == site
    )


async def run(path: Path) -> None:
    """Until SIGTERM, which takes HAProxy along; the ``with`` of ``bench.edge`` ends it otherwise."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    rules = read(path.parent)
    async with Edge(read_configuration(path), runtime=_sightless) as edge:
        shielded = edge.desired.shielded
        touched = shielded.put_sampling(sampling(rules.rates))
        for site in sorted({rule.site for rule in rules.rules}):
            made = mitigations(rules, site, datetime.now(UTC))
            touched |= shielded.put_mitigations(site, made, lingers=bool(made))
        for site, tries in rules.tries.items():
            touched |= shielded.put_difficulty(site, tries)
        await edge.reconciler.settle(touched)
        admin = Admin(edge, ended.set)
        await admin.serve()
        await ended.wait()
        await admin.close()
        await edge.stop()


def _sightless(frame: Any) -> Runtime:
    return Sightless(frame.change_socket, frame.scan_socket)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[sys.argv.index("--config") + 1])))
