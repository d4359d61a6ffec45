"""What is kept of every request, and the file that it is kept in. Times are seconds on one clock
(CLOCK_MONOTONIC, which all processes of a machine share); in a raw file, from the flood's begin."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar, cast

DENIED_STATUS = 500
"""From here on an answer of the origin is none: it gave up."""


@dataclass(frozen=True, slots=True)
class Legit:
    """One request of a legitimate client, with all that followed from it: challenges, redirects."""

    sent: float
    done: float
    address: str
    host: str
    group: str
    family: str
    method: str
    path: str
    status: int
    """Of the last answer; 0: none came (reset, time-out)."""
    origin: bool
    """Whether the last answer was the origin's."""
    challenged: bool
    """Whether a challenge came on the way."""

    @property
    def served(self) -> bool:
        return self.origin and self.status < DENIED_STATUS


@dataclass(frozen=True, slots=True)
class Bot:
    """One request of a flood, as its sender saw it."""

    sent: float
    done: float | None
    """None: no answer, and the connection was not refused either, until the sender gave up."""
    address: str
    flood: int
    """Which of the scenario's floods, from 0."""
    key: int
    """``key_of`` the path."""
    status: int
    """0: none (refused, reset, no answer)."""
    origin: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that reached an origin."""

    at: float
    done: float
    host: str
    address: str
    """Whom the contestant says it comes from."""
    key: int
    waiting: int
    """How many requests were before it in the backlog."""
    status: int


@dataclass(frozen=True, slots=True)
class Meta:
    """What a run was."""

    scenario: str
    contestant: str
    run: int
    seed: int
    begin: float
    flood: float
    """When the flood began; of a crowd: when that began."""
    end: float
    """When the flood phase ended."""
    over: float
    """When the last request was sent, at the latest."""
    pulses: tuple[tuple[float, float], ...]
    bots: tuple[str, ...] = ()
    """Networks of the flood's sources."""
    cpu: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Seconds that the contestant used before, during and after."""
    generator_cpu: float = 0.0
    """Seconds that the senders of the flood used."""
    held_back: int = 0
    """Requests of the flood that its senders could not send in time."""
    alarms: int = 0
    """Attacks that the contestant had declared when the flood began."""
    data: str = ""
    """From which log the visitors are."""


@dataclass
class Run:
    """One measurement of one contestant."""

    meta: Meta
    legit: list[Legit] = field(default_factory=list)
    bots: list[Bot] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)


Record = TypeVar("Record", Legit, Bot, Arrival)
KINDS: dict[str, type[Legit] | type[Bot] | type[Arrival]] = {"legit": Legit, "bot": Bot, "arrival": Arrival}


def key_of(path: str) -> int:
    """A path and query as a number: what sender and origin must have in common."""
    return zlib.crc32(path.encode("latin-1", "replace"))


def dump(path: Path, records: Iterable[Any]) -> None:
    """One process's records → a file for the process that started it."""
    with path.open("w") as file:
        file.writelines(json.dumps(astuple(each)) + "\n" for each in records)


def load(path: Path, kind: type[Record]) -> list[Record]:
    """What ``dump`` wrote."""
    with path.open() as file:
        return [kind(*json.loads(line)) for line in file]


def write_raw(path: Path, run: Run) -> None:
    """Append a run: a line that says what it was, then one line for each record."""
    with _opened(path, "at") as file:
        zero = run.meta.flood
        moments = {
            name: round(getattr(run.meta, name) - zero, 4) for name in ("begin", "flood", "end", "over")
        }
        pulses = [[round(each - zero, 4) for each in pulse] for pulse in run.meta.pulses]
        file.write(json.dumps({"kind": "run", **asdict(run.meta), **moments, "pulses": pulses}) + "\n")
        for kind, records in (("legit", run.legit), ("bot", run.bots), ("arrival", run.arrivals)):
            for each in records:
                file.write(json.dumps({"kind": kind, **_shifted(asdict(each), zero)}) + "\n")


def _shifted(fields: dict[str, Any], zero: float) -> dict[str, Any]:
    for name in ("sent", "done", "at"):
        if fields.get(name) is not None:
            fields[name] = round(fields[name] - zero, 4)
    return fields


def read_raw(path: Path) -> Iterator[Run]:
    """The runs of a raw file, each when it is complete."""
    run: Run | None = None
    with _opened(path, "rt") as file:
        for line in file:
            fields = json.loads(line)
            kind = fields.pop("kind")
            if kind == "run":
                if run is not None:
                    yield run
                fields["pulses"] = tuple((begin, end) for begin, end in fields["pulses"])
                fields |= {name: tuple(fields[name]) for name in ("bots", "cpu")}
                run = Run(Meta(**fields))
            else:
                if run is None:
                    raise ValueError(
                        f"{path} does not begin with a run: it is not a raw file of bench.floods"
                    )
                _keep(run, KINDS[kind](**fields))
    if run is not None:
        yield run


def _keep(run: Run, record: Legit | Bot | Arrival) -> None:
    match record:
        case Legit():
            run.legit.append(record)
        case Bot():
            run.bots.append(record)
        case Arrival():
            run.arrivals.append(record)


def _opened(path: Path, mode: str) -> IO[str]:
    return cast("IO[str]", gzip.open(path, mode) if path.suffix == ".gz" else path.open(mode))
