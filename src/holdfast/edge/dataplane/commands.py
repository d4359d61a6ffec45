"""The Runtime API commands that Holdfast uses: each knows its text and which answer means success.

HAProxy answers in prose and most commands succeed in silence, so that ``refusal`` has to know, for each,
what a good answer looks like (HAProxy management guide, section 9.3).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

PAYLOAD_BYTES = 12_000
"""HAProxy takes a command with its payload in one buffer of 16,384 bytes."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where HAProxy's files lie; the Runtime API names maps and certificates by these paths."""

    root: PurePosixPath

    def map(self, name: str) -> str:
        return str(self.root / "maps" / f"{name}.map")

    def certificate(self, name: str) -> str:
        return str(self.root / "certificates" / f"{name}.pem")

    def authority(self, name: str) -> str:
        return str(self.root / "authorities" / f"{name}.pem")

    @property
    def certificate_list(self) -> str:
        return str(self.root / "certificates.list")

    @property
    def origin_page(self) -> str:
        return str(self.root / "pages" / "origin.html")

    @property
    def lua(self) -> str:
        return str(self.root / "pages" / "samples.lua")

    def challenge_page(self, *, sent: bool) -> str:
        return str(self.root / "pages" / f"challenge-{'sent' if sent else 'asked'}.html")

    @property
    def wait_page(self) -> str:
        return str(self.root / "pages" / "wait.html")

    @property
    def challenge_script(self) -> str:
        return str(self.root / "pages" / "challenge.js")

    @property
    def challenge_style(self) -> str:
        return str(self.root / "pages" / "challenge.css")

    def page(self, status: int, language: str) -> str:
        return str(self.root / "pages" / f"block-{status}.{language}.html")


class Command(ABC):
    """One Runtime API command. ``good`` matches the answer of success, stripped of white space."""

    good: re.Pattern[str] = re.compile(r"\Z")

    @abstractmethod
    def text(self, places: Places) -> str:
        """The line (or line and payload) to send, ending in a newline."""

    def refusal(self, answer: str) -> str | None:
        """None when the answer means success, else the answer's words."""
        words = answer.strip(" +\n")  # a '+ ' for each line of payload comes first
        return None if self.good.match(words) else words


@dataclass(frozen=True, slots=True)
class AddMap(Command):
    """Entries that the map does not hold yet: ``add map`` of a known key would make a duplicate."""

    map: str
    entries: tuple[tuple[str, str], ...]

    def text(self, places: Places) -> str:
        lines = "".join(f"{key} {value}\n" for key, value in self.entries)
        return f"add map {places.map(self.map)} <<\n{lines}\n"


@dataclass(frozen=True, slots=True)
class SetMap(Command):
    """A new value of an entry that the map holds: ``set map`` of an unknown key fails."""

    map: str
    key: str
    value: str

    def text(self, places: Places) -> str:
        return f"set map {places.map(self.map)} {_escaped(self.key)} {_escaped(self.value)}\n"


@dataclass(frozen=True, slots=True)
class DelMap(Command):
    map: str
    key: str

    def text(self, places: Places) -> str:
        return f"del map {places.map(self.map)} {_escaped(self.key)}\n"


@dataclass(frozen=True, slots=True)
class AddServer(Command):
    backend: str
    server: str
    arguments: str
    maxconn: int
    good = re.compile(r"New server registered\.\Z")

    def text(self, places: Places) -> str:
        return f"add server {self.backend}/{self.server} {self.arguments} maxconn {self.maxconn}\n"


@dataclass(frozen=True, slots=True)
class EnableHealth(Command):
    backend: str
    server: str

    def text(self, places: Places) -> str:
        return f"enable health {self.backend}/{self.server}\n"


@dataclass(frozen=True, slots=True)
class EnableServer(Command):
    backend: str
    server: str

    def text(self, places: Places) -> str:
        return f"enable server {self.backend}/{self.server}\n"


@dataclass(frozen=True, slots=True)
class SetMaxconn(Command):
    backend: str
    server: str
    maxconn: int

    def text(self, places: Places) -> str:
        return f"set maxconn server {self.backend}/{self.server} {self.maxconn}\n"


@dataclass(frozen=True, slots=True)
class RetireServer(Command):
    """No new requests; those under way go on."""

    backend: str
    server: str

    def text(self, places: Places) -> str:
        return f"disable server {self.backend}/{self.server}\n"


@dataclass(frozen=True, slots=True)
class DelServer(Command):
    """Refused while anything is still connected: ``still_busy`` tells that answer from an error."""

    backend: str
    server: str
    good = re.compile(r"Server deleted\.\Z")

    def text(self, places: Places) -> str:
        return f"del server {self.backend}/{self.server}\n"


def still_busy(answer: str) -> bool:
    """Whether ``del server`` was refused only because connections are still open."""
    return "still has connections" in answer


@dataclass(frozen=True, slots=True)
class NewCertificate(Command):
    name: str
    good = re.compile(r"New empty certificate store ")

    def text(self, places: Places) -> str:
        return f"new ssl cert {places.certificate(self.name)}\n"


@dataclass(frozen=True, slots=True)
class SetCertificate(Command):
    name: str
    pem: str = field(repr=False)
    good = re.compile(r"Transaction (created|updated) for certificate ")

    def text(self, places: Places) -> str:
        return f"set ssl cert {places.certificate(self.name)} <<\n{self.pem.strip()}\n\n"


@dataclass(frozen=True, slots=True)
class CommitCertificate(Command):
    name: str
    good = re.compile(r"Committing .*\n\.*Success!\Z")

    def text(self, places: Places) -> str:
        return f"commit ssl cert {places.certificate(self.name)}\n"


@dataclass(frozen=True, slots=True)
class ListCertificate(Command):
    """From here on a handshake for one of the patterns is answered with the certificate."""

    name: str
    patterns: tuple[str, ...]
    good = re.compile(r"Inserting certificate .*\n\.*Success!\Z")

    def text(self, places: Places) -> str:
        line = " ".join((places.certificate(self.name), *self.patterns))
        return f"add ssl crt-list {places.certificate_list} <<\n{line}\n\n"


@dataclass(frozen=True, slots=True)
class UnlistCertificate(Command):
    name: str
    good = re.compile(r"Entry .* deleted in crtlist ")

    def text(self, places: Places) -> str:
        return f"del ssl crt-list {places.certificate_list} {places.certificate(self.name)}\n"


@dataclass(frozen=True, slots=True)
class AbortCertificate(Command):
    """Ends a transaction that a dead agent left open; harmless where there is none."""

    name: str
    good = re.compile(r"Transaction aborted|No ongoing transaction!|Can't (display|abort)|\Z")

    def text(self, places: Places) -> str:
        return f"abort ssl cert {places.certificate(self.name)}\n"


@dataclass(frozen=True, slots=True)
class DelCertificate(Command):
    name: str
    good = re.compile(r"Certificate '.*' deleted!")

    def text(self, places: Places) -> str:
        return f"del ssl cert {places.certificate(self.name)}\n"


@dataclass(frozen=True, slots=True)
class NewAuthority(Command):
    name: str
    good = re.compile(r"New CA file created ")

    def text(self, places: Places) -> str:
        return f"new ssl ca-file {places.authority(self.name)}\n"


@dataclass(frozen=True, slots=True)
class SetAuthority(Command):
    name: str
    pem: str = field(repr=False)
    good = re.compile(r"transaction (created|updated) for CA ")

    def text(self, places: Places) -> str:
        return f"set ssl ca-file {places.authority(self.name)} <<\n{self.pem.strip()}\n\n"


@dataclass(frozen=True, slots=True)
class CommitAuthority(Command):
    name: str
    good = re.compile(r"Committing .*\n\.*Success!\Z")

    def text(self, places: Places) -> str:
        return f"commit ssl ca-file {places.authority(self.name)}\n"


@dataclass(frozen=True, slots=True)
class DelAuthority(Command):
    name: str
    good = re.compile(r"CA file '.*' deleted!")

    def text(self, places: Places) -> str:
        return f"del ssl ca-file {places.authority(self.name)}\n"


@dataclass(frozen=True, slots=True)
class EndSessions(Command):
    """Ends everything under way on a server, WebSockets and downloads among it."""

    backend: str
    server: str

    def text(self, places: Places) -> str:
        return f"shutdown sessions server {self.backend}/{self.server}\n"


@dataclass(frozen=True, slots=True)
class ShowSession(Command):
    """Tells the number of one stream, by the id that ``show sess`` gives it. It may have ended by now."""

    stream: str
    good = re.compile(r"\Z|0x|No such session|\(no session|not found")

    def text(self, places: Places) -> str:
        return f"show sess {self.stream}\n"


@dataclass(frozen=True, slots=True)
class EndSession(Command):
    """Ends one stream, by the id that ``show sess`` gives it. It may have ended by itself by now."""

    stream: str
    good = re.compile(r"\Z|No such session")

    def text(self, places: Places) -> str:
        return f"shutdown session {self.stream}\n"


@dataclass(frozen=True, slots=True)
class DelayClient(Command):
    """A client's next request to a site is within its rate only once its arrival time ``gpt0`` is near."""

    key: str
    gpt0: int

    def text(self, places: Places) -> str:
        return f"set table clients key {_escaped(self.key)} data.gpt0 {self.gpt0}\n"


def additions(map_name: str, entries: list[tuple[str, str]]) -> Iterator[AddMap]:
    """``entries`` in as few commands as fit HAProxy's buffer."""
    batch: list[tuple[str, str]] = []
    size = 0
    for key, value in entries:
        length = len(key.encode()) + len(value.encode()) + 2
        if batch and size + length > PAYLOAD_BYTES:
            yield AddMap(map_name, tuple(batch))
            batch, size = [], 0
        batch.append((key, value))
        size += length
    if batch:
        yield AddMap(map_name, tuple(batch))


def _escaped(value: str) -> str:
    """``value`` as one word of a command line (management guide, section 9.3: backslash escapes)."""
    return re.sub(r"([\\ ;\"'])", r"\\\1", value)
