"""A scenario, a seed and the log → all that happens in one run: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.floods.log import Visit
from bench.floods.scenario import Scenario, flood_spans
from bench.floods.visits import Planned, addresses, calm, crowd, shifted

CALM_SECONDS = 90.0
"""Of calm traffic to learn from: nearly the whole first half of the log."""
TRAIN_SECONDS = 10.0
"""What of it is played, where it is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Times are seconds after the begin of the run."""

    planned: list[Planned]
    training: list[Planned]
    """Calm traffic to learn from, of the log's first half; it has a begin of its own."""
    replayed: list[Visit]
    """What mimicry has seen: visits of the measured half."""
    floods: list[tuple[tuple[float, float], ...]]
    """The spans of each flood."""
    pulses: tuple[tuple[float, float], ...]
    flood: float
    end: float
    over: float
    bots: tuple[str, ...]


def plan(scenario: Scenario, halves: tuple[Sequence[Visit], Sequence[Visit]], seed: int, quick: bool) -> Plan:
    """What happens. ``turn`` of the log differs with the seed, so that runs are of different visitors."""
    span = scenario.span(quick)
    end, over = span.before + span.flood, span.before + span.flood + span.after
    early, late = halves
    planned = calm(scenario, late, over, turn=(seed * 0.381966) % 1)
    if scenario.crowd is not None:
        host = scenario.hostname(scenario.crowd.site)
        extra = crowd(scenario.crowd, host, scenario.legit_rate, early, span.flood, seed)
        planned += shifted(extra, span.before)
    floods = [
        tuple((begin + span.before, end + span.before) for begin, end in flood_spans(each, span.flood, quick))
        for each in scenario.floods
    ]
    pulses = tuple((begin + span.before, end + span.before) for begin, end in scenario.pulses(quick))
    bots = tuple(dict.fromkeys(network for each in scenario.floods for network in each.networks))
    training = calm(scenario, early, CALM_SECONDS, turn=(seed * 0.381966) % 1)
    return Plan(planned, training, list(late), floods, pulses, span.before, end, over, bots)


def all_addresses(made: Plan) -> set[str]:
    """From where anybody legitimate comes."""
    return addresses(made.planned) | addresses(made.training)
