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

Subject = tuple[str, str, str]
"""(kind, backend or map, name)"""
SERVER, CERTIFICATE, AUTHORITY, ENTRY = "server", "certificate", "authority", "entry"


class RefusedError(Exception):
    """HAProxy did not take a command."""

    def __init__(self, command: c.Command, answer: str) -> None:
        super().__init__(f"{type(command).__name__} {' '.join(subject_of(command)[1:]).strip()}: {answer}")
        self.command = command


def subject_of(command: c.Command) -> Subject:
    """What a command is about; of several additions to a map the first, at which HAProxy stopped."""
    match command:
        case c.AddMap(name, entries):
            return (ENTRY, name, entries[0][0])
        case c.SetMap(name, key) | c.DelMap(name, key):
            return (ENTRY, name, key)
        case c.NewAuthority(name) | c.SetAuthority(name) | c.CommitAuthority(name) | c.DelAuthority(name):
            return (AUTHORITY, "", name)
        case (
            c.AddServer()
            | c.EnableHealth()
            | c.EnableServer()
            | c.SetMaxconn()
            | c.RetireServer()
            | c.DelServer()
        ):
            return (SERVER, command.backend, command.server)
        case _:
            return (CERTIFICATE, "", getattr(command, "name", ""))


class Refusals:
    """What is left out, with HAProxy's words for it."""

    def __init__(self) -> None:
        self._once: set[c.Command] = set()
        self._out: dict[Subject, str] = {}

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
        """Forget what nobody wants any more."""
        for subject in [each for each in self._out if not _names(wanted, each)]:
            del self._out[subject]

    def allowed(self, commands: Iterable[c.Command]) -> list[c.Command]:
        """``commands`` without those about what is left out, and those that retire what it was to replace."""
        if not self._out:
            return list(commands)
        return [each for command in commands for each in self._allowed(command)]

    def _allowed(self, command: c.Command) -> Iterable[c.Command]:
        kind, place, name = subject_of(command)
        if isinstance(command, c.AddMap):
            entries = tuple(
                each for each in command.entries if (ENTRY, command.map, each[0]) not in self._out
            )
            return [replace(command, entries=entries)] if entries else []
        if (kind, place, name) in self._out:
            return []
        if isinstance(command, c.RetireServer):
            return [] if any(out[:2] == (SERVER, place) for out in self._out) else [command]
        if isinstance(command, c.UnlistCertificate):  # a site's certificates: its id, '-', a digest
            mine = name.rpartition("-")[0]
            return (
                []
                if any(out[0] == CERTIFICATE and out[2].rpartition("-")[0] == mine for out in self._out)
                else [command]
            )
        return [command]

    def about(self, picture: Picture) -> str:
        """HAProxy's words about something in ``picture`` that is left out; '' when there is nothing."""
        return next((words for out, words in self._out.items() if _names(picture, out)), "")

    def __bool__(self) -> bool:
        return bool(self._out)

    def without(self, picture: Picture) -> Picture:
        """``picture``, or a copy of it that lacks what is left out."""
        if not self._out:
            return picture
        kept = picture.copy()
        for kind, place, name in self._out:
            kept.remove(_part(kept, kind, place, name))
        return kept


def _part(picture: Picture, kind: str, place: str, name: str) -> Picture:
    keys = Picture(
        maps={(place, name): ""} if kind == ENTRY else {},
        servers={(place, name): Server(0)} if kind == SERVER else {},
        certificates={name: Listed()} if kind == CERTIFICATE else {},
        authorities={name: Authority()} if kind == AUTHORITY else {},
    )
    return picture.only(keys)


def _names(picture: Picture, subject: Subject) -> bool:
    return _part(picture, *subject) != Picture()
