"""What HAProxy refuses for good, so that it holds up nothing else.

A command that is refused casts doubt on what we believe HAProxy holds. Where there is no doubt, right after a
reading, the server, certificate, authority or entry that it is about is *left out*: of plans, and of the
files for the next start, on which HAProxy would not come up. What it was to replace stays. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from holdfast.edge.dataplane import commands as c
from holdfast.edge.dataplane.picture import Authority, Listed, Picture, Server

Subject = tuple[str, str, str, bool]
"""(kind, backend or map, name, whether it is to go)"""
SERVER, CERTIFICATE, AUTHORITY, ENTRY = "server", "certificate", "authority", "entry"
REMOVALS = (
    c.DelMap,
    c.RetireServer,
    c.DelServer,
    c.UnlistCertificate,
    c.AbortCertificate,
    c.DelCertificate,
    c.DelAuthority,
)
LONGEST_WORDS = 300


class RefusedError(Exception):
    """HAProxy did not take a command."""

    def __init__(self, command: c.Command, answer: str) -> None:
        about = " ".join(word for word in subject_of(command)[1:3] if word)
        words = " ".join(answer.split())[:LONGEST_WORDS]
        super().__init__(f"{type(command).__name__} {about}: {words}")
        self.command = command


def subject_of(command: c.Command) -> Subject:
    """What a command is about; of several additions to a map the first, at which HAProxy stopped."""
    goes = isinstance(command, REMOVALS)
    match command:
        case c.AddMap(name, entries):
            return (ENTRY, name, entries[0][0], goes)
        case c.SetMap(name, key) | c.DelMap(name, key):
            return (ENTRY, name, key, goes)
        case c.NewAuthority(name) | c.SetAuthority(name) | c.CommitAuthority(name) | c.DelAuthority(name):
            return (AUTHORITY, "", name, goes)
        case (
            c.AddServer()
            | c.EnableHealth()
            | c.EnableServer()
            | c.SetMaxconn()
            | c.RetireServer()
            | c.DelServer()
        ):
            return (SERVER, command.backend, command.server, goes)
        case _:
            return (CERTIFICATE, "", getattr(command, "name", ""), goes)


class Refusals:
    """What is left out, with HAProxy's words for it."""

    def __init__(self) -> None:
        self._once: set[c.Command] = set()
        self._out: dict[Subject, str] = {}

    def __bool__(self) -> bool:
        return bool(self._out)

    def leave_out(self, refused: RefusedError) -> None:
        """Do without the subject of a refused command, until ``forget``."""
        self._out[subject_of(refused.command)] = str(refused)

    def is_second(self, refused: RefusedError) -> bool:
        """Whether the very command was refused before and never taken since."""
        if refused.command in self._once:
            return True
        self._once.add(refused.command)
        return False

    def taken(self, command: c.Command) -> None:
        """HAProxy did take it: an earlier refusal came from a wrong belief."""
        if self._once:
            self._once.discard(command)

    def forget(self) -> None:
        """Try everything again: this may be another HAProxy."""
        self._once.clear()
        self._out.clear()

    def prune(self, wanted: Picture) -> None:
        """Forget what is no longer asked of HAProxy: to hold something, or to be rid of it."""
        for subject in [each for each in self._out if _names(wanted, each) == each[3]]:
            del self._out[subject]

    def allowed(self, commands: Iterable[c.Command]) -> list[c.Command]:
        """``commands`` without those about what is left out, and those that retire what it was to replace."""
        if not self._out:
            return list(commands)
        return [each for command in commands for each in self._allowed(command)]

    def _allowed(self, command: c.Command) -> Iterable[c.Command]:
        if isinstance(command, c.AddMap):
            known = [
                each for each in command.entries if (ENTRY, command.map, each[0], False) not in self._out
            ]
            return [replace(command, entries=tuple(known))] if known else []
        subject = subject_of(command)
        is_needed = isinstance(command, c.RetireServer | c.UnlistCertificate) and any(
            _replaces(out, subject) for out in self._out
        )
        return [] if is_needed or subject in self._out else [command]

    @property
    def words(self) -> str:
        """What HAProxy said last about anything that is left out; '' when there is nothing."""
        return next(reversed(self._out.values()), "")

    def about(self, commands: Iterable[c.Command]) -> str:
        """What HAProxy said about the first of ``commands`` that is left out; '' when none is."""
        for command in commands:
            kind, place, name, goes = subject_of(command)
            names = [key for key, _ in command.entries] if isinstance(command, c.AddMap) else [name]
            for each in names:
                if (kind, place, each, goes) in self._out:
                    return self._out[kind, place, each, goes]
        return ""

    def without(self, picture: Picture) -> Picture:
        """``picture``, or a copy of it that lacks what is left out."""
        missing = [subject for subject in self._out if not subject[3]]
        if not missing:
            return picture
        kept = picture.copy()
        for subject in missing:
            kept.remove(_part(kept, subject))
        return kept


def _replaces(refused: Subject, present: Subject) -> bool:
    """Whether something refused was to take the place of what is there: a server in the same backend, a
    certificate of the same site (its id, '-', and a digest make a certificate's name)."""
    kind, place, name, goes = refused
    if goes or kind != present[0]:
        return False
    if kind == SERVER:
        return place == present[1]
    return name.rpartition("-")[0] == present[2].rpartition("-")[0]


def _part(picture: Picture, subject: Subject) -> Picture:
    kind, place, name, _ = subject
    return picture.only(
        Picture(
            maps={(place, name): ""} if kind == ENTRY else {},
            servers={(place, name): Server(0)} if kind == SERVER else {},
            certificates={name: Listed()} if kind == CERTIFICATE else {},
            authorities={name: Authority()} if kind == AUTHORITY else {},
        )
    )


def _names(picture: Picture, subject: Subject) -> bool:
    return _part(picture, subject) != Picture()
