"""Which rung: the mildest action that is predicted to suffice, of those that harm allows. Pure arithmetic.

A step up needs a prediction from what was measured that the step below does not suffice, so that rungs may
be skipped: half of all attacks end within a minute. Denying needs harm that is surely negligible; everything
else people pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.model.mitigation import Action
from holdfast.shield.harm import DENY_HARM

LIMIT_RATE: Final = 2.0
"""Requests a second that a limited client keeps."""
ANSWER_SECONDS: Final[dict[Action, float]] = {
    Action.OBSERVE: 0.0,
    Action.LIMIT: 20e-6,
    Action.CHALLENGE: 40e-6,
    Action.DENY: 25e-6,
    Action.DROP: 2e-6,
}
"""Processor time that answering one request takes (measured, see ``bench/results/overhead.md``; a banned
source's next connections cost next to nothing)."""
ANSWER_BUDGET: Final = 0.25
"""Of a processor: what answering one flood may take before it is refused more cheaply."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of the requests that a signature matches, and of the site."""

    rate: float
    """Requests/s."""
    clients: tuple[float, ...]
    """Requests/s of each client that was sampled."""
    room: float
    """Requests/s of them that the site can take without harm."""
    harm: float
    """Upper 95 % bound of the share of the site's usual requests that it matches."""
    is_young: bool
    """The site's baseline does not tell harm yet."""
    solved: float = 0.0
    """The share that came with a clearance: how well it passes challenges."""


def passes(action: Action, case: Case) -> float:
    """Requests/s that would still reach the origin."""
    if action is Action.OBSERVE:
        return case.rate
    if action is Action.LIMIT:
        total = sum(case.clients)
        kept = sum(min(each, LIMIT_RATE) for each in case.clients)
        return case.rate * kept / total if total else case.rate
    if action is Action.CHALLENGE:
        return case.rate * case.solved
    return 0.0


def allowed(action: Action, case: Case) -> bool:
    """What harm permits."""
    if action in (Action.DENY, Action.DROP):
        return case.harm <= DENY_HARM and not case.is_young
    return True


def suffices(action: Action, case: Case) -> bool:
    """What passes is little enough, and refusing the rest is cheap enough."""
    return passes(action, case) <= case.room and case.rate * ANSWER_SECONDS[action] <= ANSWER_BUDGET


def choose(case: Case, *, at_least: Action = Action.OBSERVE) -> Action:
    """The mildest rung that is allowed and suffices; where none does, the strongest that is allowed.
    ``at_least``: the present one; nothing steps down while the flood goes on."""
    rungs = list(Action)[list(Action).index(at_least) :]
    permitted = [rung for rung in rungs if allowed(rung, case)] or [at_least]
    return next((rung for rung in permitted if suffices(rung, case)), permitted[-1])
