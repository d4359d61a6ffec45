"""The process of one flood: ``python -m bench.floods.flood SPEC.json``. It ends by itself, sends no more than
its description says, and to nobody but the edge's side of a network made for it."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from bench.floods.engine import Engine
from bench.floods.h2flood import H2Flood
from bench.floods.legit import planned_of
from bench.floods.network import refuse_other_aims
from bench.floods.processes import end_with_parent, many_files
from bench.floods.records import dump
from bench.floods.scenario import FloodSpec
from bench.floods.shots import Schedule, Shooter
from bench.floods.slow import Slow

CLIENTS: dict[str, type[Engine] | type[H2Flood] | type[Slow]] = {
    "http": Engine,
    "mimicry": Engine,
    "h2": H2Flood,
    "slow-headers": Slow,
    "slow-body": Slow,
}


def make(document: dict[str, Any]) -> Engine | H2Flood | Slow:
    """The sender that a process's JSON describes."""
    spec = FloodSpec.model_validate(document["flood"])
    visits = [planned_of(each).visit for each in document["visits"]]
    shooter = Shooter(spec, document["host"], document["seed"], visits)
    spans = tuple((begin, end) for begin, end in document["spans"])
    aim = (document["address"], document["port"])
    return CLIENTS[spec.client](shooter, Schedule(spec.rate, spans), aim, document["number"])


def main() -> None:
    end_with_parent()
    many_files()
    document = json.loads(Path(sys.argv[1]).read_text())
    refuse_other_aims(document["address"])
    sender = make(document)
    sender.run()
    out = Path(document["out"])
    dump(out, sender.records)
    used = resource.getrusage(resource.RUSAGE_SELF)
    said = {"cpu": used.ru_utime + used.ru_stime, "held_back": sender.held_back}
    out.with_suffix(".said").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
