"""A mitigation: what is done to requests that look like a flood, why, by whom, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """The ladder, mildest first."""

    OBSERVE = "observe"
    """Counted only."""
    LIMIT = "limit"
    """Each client gets less of these requests."""
    CHALLENGE = "challenge"
    """A page that people pass by themselves."""
    DENY = "deny"
    """Refused, with words."""
    DROP = "drop"
    """Refused without an answer, and its sources at the next connection, before TLS."""


AUTOMATIC = "automatic"
"""The author of what the shield decides by itself."""


@dataclass(frozen=True, slots=True)
class Mitigation:
    """``features`` and ``values`` name what it matches (see ``shield.features``); none: the whole site."""

    id: str
    site: str
    action: Action
    features: tuple[str, ...]
    """Names of features, in the order of a template."""
    values: tuple[str, ...]
    """As the data plane finds them: hashes of what clients choose."""
    reason: str
    """In words, for people."""
    since: datetime
    until: datetime
    author: str = AUTOMATIC
    attack: str = ""
    """The id of the attack that it is against."""
    evidence: tuple[str, ...] = ()
    """Some of the requests, redacted."""
    harm: float = 0.0
    """Upper 95 % bound of the share of the site's normal requests that it touches, as predicted."""
    pinned: bool = False
    """A person wants it to stay until its end, whatever the flood does."""
