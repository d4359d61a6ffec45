"""Which answers are right, and which failures are explained: the rules, written down before the run. Pure.

An honest request gets 200, or what a change that was in force, or on its way, makes of it. Nothing else is
explained: no reload, no restart of the agent, no load is an excuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.soak.history import RELOAD, History, Key

CUT = 0
"""In place of a status: the connection was refused, reset or closed before the answer was complete."""
END_SECONDS = 2.0
"""A block's answer comes when what was open is ended; what was sent before may take this long to be read."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What is asked for."""

    site: str
    customer: str
    host: str
    path: str = "/"

    @property
    def blocks(self) -> tuple[Key, ...]:
        """The scopes of blocks that this is under."""
        first = self.path[: self.path.find("/", 1) + 1] or "/"
        return (
            ("site", self.site),
            ("host", self.host),
            ("path", self.site, first),
            ("customer", self.customer),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One request and what became of it."""

    kind: str
    spot: Spot
    source: str
    opened: float
    """When its connection was opened."""
    began: float
    ended: float
    status: int
    note: str = ""
    """In words: what was wrong, when something was."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``fine``: served as it should be; else why not, and whether that is explained."""

    why: str = ""
    explained: bool = True

    @property
    def fine(self) -> bool:
        return not self.why


Rule = tuple[str, Callable[[Request, History], bool]]


def _blocked(request: Request, history: History) -> bool:
    return request.status in (403, 451) and history.can(request.spot.blocks, request.began, request.ended)


def _removed(request: Request, history: History) -> bool:
    return request.status == 421 and not _must_be_here(request, history)


def _ended(request: Request, history: History) -> bool:
    """A block ends what is open, at once. A client that has not seen the answer begin is told 502 or 503."""
    return request.status in (CUT, 502, 503) and history.begins(
        request.spot.blocks, request.began, request.ended
    )


def _banned(request: Request, history: History) -> bool:
    return request.status == CUT and history.can([("ban", request.source)], request.opened, request.ended)


def _old_worker(request: Request, history: History) -> bool:
    """Sites are not changed at workers that are leaving (blocks are): a connection from before a reload gets
    one more answer there, by the sites of then."""
    return request.status in (200, 421) and history.can([RELOAD], request.opened, request.ended)


EXPLAINED: tuple[Rule, ...] = (
    ("its site, hostname or path was blocked", _blocked),
    ("its site was not there", _removed),
    ("it was under way when it was blocked", _ended),
    ("its source was banned", _banned),
)
"""Reasons for which an honest request may fail; the first that holds is its."""

WRONG: tuple[Rule, ...] = (
    ("served though blocked", lambda request, history: _must_be_blocked(request, history)),
    ("served though its source was banned", lambda request, history: _must_be_banned(request, history)),
    ("served though its site was not there", lambda request, history: not _can_be_here(request, history)),
)
"""Reasons for which an answer of 200 is wrong."""


def judge(request: Request, history: History) -> Verdict:
    """By the tables."""
    if request.status == 200 and not request.note:
        wrong = next((why for why, holds in WRONG if holds(request, history)), "")
        if wrong == WRONG[2][0] and _old_worker(request, history):
            return Verdict("answered by a worker that was leaving")
        return Verdict(wrong, explained=False) if wrong else Verdict()
    why = next((why for why, holds in EXPLAINED if holds(request, history)), "")
    if not why and request.status == 421 and _old_worker(request, history):
        why = "answered by a worker that was leaving"
    return Verdict(why) if why else Verdict(request.note or f"status {request.status}", explained=False)


def is_open_too_long(request: Request, history: History) -> bool:
    """Whether a long answer still goes on (until ``ended``) although a block should have ended it."""
    return history.must(request.spot.blocks, request.ended - END_SECONDS, request.ended)


def _must_be_blocked(request: Request, history: History) -> bool:
    return history.must(request.spot.blocks, request.began, request.ended)


def _must_be_banned(request: Request, history: History) -> bool:
    return history.must([("ban", request.source)], request.opened, request.ended)


def _can_be_here(request: Request, history: History) -> bool:
    return history.can([("here", request.spot.site)], request.began, request.ended)


def _must_be_here(request: Request, history: History) -> bool:
    return history.must([("here", request.spot.site)], request.began, request.ended)
