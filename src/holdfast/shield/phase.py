"""The phases of one site's attention, as a table: what each event leads to. What is not in the table changes
nothing.

CALM     learns; looks at counters only
SUSPECT  the rate has left the baseline, or the origin suffers: samples are looked at, nothing is learned
ATTACK   confirmed: mitigations are pushed, measured, stepped up
EASING   the flood has ended: mitigations are held for a while, as floods come in pulses
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    CALM = auto()
    SUSPECT = auto()
    ATTACK = auto()
    EASING = auto()


class Event(Enum):
    LEAVES = auto()
    """The rate has left the baseline, or the origin suffers."""
    RETURNS = auto()
    """It has been back for a while, and nothing was confirmed."""
    CONFIRMED = auto()
    """The origin suffers from it, or the mix of clients is new."""
    OVER = auto()
    """No flood is seen any more."""
    BACK = auto()
    """It is seen again."""
    HELD = auto()
    """It has stayed away for as long as mitigations are held."""
    ORDERED = auto()
    """A person has ended it."""


TABLE: Final[dict[tuple[Phase, Event], Phase]] = {
    (Phase.CALM, Event.LEAVES): Phase.SUSPECT,
    (Phase.CALM, Event.CONFIRMED): Phase.ATTACK,  # a flood that is remembered
    (Phase.SUSPECT, Event.RETURNS): Phase.CALM,
    (Phase.SUSPECT, Event.CONFIRMED): Phase.ATTACK,
    (Phase.ATTACK, Event.OVER): Phase.EASING,
    (Phase.ATTACK, Event.ORDERED): Phase.CALM,
    (Phase.EASING, Event.BACK): Phase.ATTACK,
    (Phase.EASING, Event.HELD): Phase.CALM,
    (Phase.EASING, Event.ORDERED): Phase.CALM,
}


def step(phase: Phase, event: Event) -> Phase:
    return TABLE.get((phase, event), phase)
