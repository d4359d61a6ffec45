"""What came of a drill: did the shield hold, and if not, why. Pure. Not here: how it reads (``words``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.drill.parties import Party
from holdfast.drill.plan import Part
from holdfast.drill.result import Run
from holdfast.drill.tally import Outcome, count
from holdfast.shield.record import AttackRecord

SETTLED_SECONDS: Final = 3.0
"""Of a flood: by then the shield must hold."""
LEAST_SERVED: Final = 0.95
"""Of the visitors, from then on."""
LEAST_SENT: Final = 0.5
"""Of the flood that was meant: less proves nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the edge says of it. Unix times."""

    attack: str
    """Its id."""
    confirmed: float
    why: str
    in_force: float | None
    """When the first mitigation was; None: none was."""
    action: str = ""
    matches: str = ""
    mitigation: str = ""
    """Its id."""


def seen_of(record: AttackRecord) -> Seen:
    """What the record of the attack says, of the shield's own mitigations."""
    attack = record.attack
    made = [each for each in record.mitigations.values() if each.attack == attack.id]
    if not made:
        return Seen(attack.id, attack.began, attack.why, None)
    first = min(made, key=lambda each: each.began)
    action = first.steps[0].action
    return Seen(attack.id, attack.began, attack.why, first.began, action, first.matches, first.id)


@dataclass(frozen=True, slots=True)
class Verdict:
    held: bool
    why: str
    """In a sentence or two; with what to do next, where it did not hold."""


def judge(run: Run, seen: Seen | None, *, watches: bool) -> Verdict:
    """The first reason against it is told: those that follow would follow from it."""
    plan = run.plan
    begin, end = plan.span(Part.FLOOD)
    meant = plan.rate * plan.flood
    if run.sent < LEAST_SENT * meant:
        return Verdict(
            False,
            f"this machine sent {run.sent} of the flood's {meant:.0f} requests: it is too busy for a drill."
            " End what else runs here, and try again.",
        )
    if seen is None:
        return Verdict(
            False,
            "the shield took the flood for no attack. 'holdfast status' shows what it saw,"
            " docs/explain/shield.md what confirms one.",
        )
    late = seen.in_force is None or seen.in_force > run.began + end
    if watches:
        return Verdict(
            False,
            'the shield saw the flood and did nothing: it only watches. Set shield = "act" in [edge] and'
            " watch_only = false for the site to have it act, then drill again.",
        )
    if late:
        return Verdict(
            False,
            "the shield saw an attack, and nothing was in force before the flood had ended."
            f" 'holdfast attack show {seen.attack}' has its journal, the agent's log more.",
        )
    settled = min(begin + SETTLED_SECONDS, end)
    people = count(run.answers, Party.VISITORS, settled, end)
    lost = people.total() - people[Outcome.SERVED] - people[Outcome.CHALLENGED]
    if lost > max(1.0, (1 - LEAST_SERVED) * people.total()):
        said = ", ".join(f"{people[each]} {each.value}" for each in Outcome if people[each])
        return Verdict(
            False,
            f"from {SETTLED_SECONDS:.0f} s of the flood on {lost} of {people.total()} visitors were turned"
            f" away ({said}). 'holdfast mitigations' says what touches them, 'holdfast status' how the origin"
            " does.",
        )
    challenged = people[Outcome.CHALLENGED]
    asked = (
        f" {challenged} of them met the challenge, which a browser passes by itself." if challenged else ""
    )
    return Verdict(True, f"the shield held.{asked}")
