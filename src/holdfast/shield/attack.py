"""An attack: one incident at one site, from its confirmation to its end, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

MOST_NOTES = 200

Kind = Literal["begins", "changes", "ends"]


class Note(NamedTuple):
    """One line of the incident's journal."""

    at: float
    kind: Kind
    words: str


@dataclass(slots=True)
class Attack:
    """``began``, ``ended``: unix times."""

    id: str
    site: str
    began: float
    why: str
    """What confirmed it, in words."""
    peak: float = 0.0
    """Requests/s, at most."""
    usual: float = 0.0
    """Requests/s that were expected when it began."""
    touched: float = 0.0
    """Requests that mitigations kept from the origin."""
    reached: float = 0.0
    """Requests of the excess that reached the origin, estimated."""
    ended: float | None = None
    notes: list[Note] = field(default_factory=list)

    def note(self, at: float, kind: Kind, words: str) -> Note:
        """Beyond ``MOST_NOTES`` the oldest changes are forgotten."""
        made = Note(at, kind, words)
        self.notes.append(made)
        if len(self.notes) > MOST_NOTES:
            del self.notes[1]
        return made


def attack_id(site: str, at: float) -> str:
    """Unique on an edge: a site has one attack at a time, and they last for longer than a second."""
    return f"{site}-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S}"


def attack_document(attack: Attack) -> dict[str, Any]:
    """As JSON can hold it."""
    return {
        "id": attack.id,
        "site": attack.site,
        "began": attack.began,
        "ended": attack.ended,
        "why": attack.why,
        "peak": attack.peak,
        "usual": attack.usual,
        "touched": attack.touched,
        "reached": attack.reached,
        "notes": [list(note) for note in attack.notes],
    }


def read_attack(document: Mapping[str, Any]) -> Attack:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    ended = document["ended"]
    return Attack(
        id=str(document["id"]),
        site=str(document["site"]),
        why=str(document["why"]),
        ended=None if ended is None else float(ended),
        notes=[Note(float(at), kind, str(words)) for at, kind, words in document["notes"]],
        **{name: float(document[name]) for name in ("began", "peak", "usual", "touched", "reached")},
    )
