"""What HAProxy answers → pictures and typed rows. The inverse of what ``commands`` and ``render`` write.

Every function takes the text of one answer (HAProxy management guide, section 9.3) and skips lines that
it does not know: HAProxy's output grows with its versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from holdfast.edge.dataplane.picture import Authority, Listed, Server, ServerKey

ADMIN_MAINTENANCE = 0x01
CHECK_ENABLED = 0x04


def map_entries(answer: str) -> Iterator[tuple[str, str]]:
    """``show map FILE`` → (key, value)."""
    for line in answer.splitlines():
        pointer, _, rest = line.partition(" ")
        if pointer.startswith("0x"):
            key, _, value = rest.partition(" ")
            yield key, value


def server_states(answer: str, limits: dict[ServerKey, int]) -> dict[ServerKey, Server]:
    """``show servers state`` → the servers; ``limits`` from ``server_limits``."""
    servers = {}
    for line in answer.splitlines():
        words = line.split()
        if len(words) < 14 or line.startswith("#"):
            continue
        key = words[1], words[3]
        servers[key] = Server(
            maxconn=limits.get(key, 0),
            checked=bool(int(words[13]) & CHECK_ENABLED),
            in_service=not int(words[6]) & ADMIN_MAINTENANCE,
        )
    return servers


def statistics(answer: str) -> Iterator[dict[str, str]]:
    """``show stat`` → one dict a line, by HAProxy's own column names."""
    lines = answer.lstrip().splitlines()
    if lines:
        names = lines[0].removeprefix("# ").split(",")
        for line in lines[1:]:
            if line:
                yield dict(zip(names, line.split(","), strict=False))


def server_limits(answer: str) -> dict[ServerKey, int]:
    """``show stat -1 4 -1`` → the maxconn of each server."""
    return {(row["pxname"], row["svname"]): int(row["slim"] or 0) for row in statistics(answer)}


def certificate_list(answer: str) -> dict[str, Listed]:
    """``show ssl crt-list -n FILE`` → the certificates that SNI leads to, by name. Where nothing speaks TLS
    there is no list, and the answer is a sentence."""
    listed = {}
    for line in answer.splitlines():
        if line.startswith("/"):
            path, *patterns = line.split()
            listed[_stem(path.rpartition(":")[0])] = Listed(tuple(patterns))
    return listed


def certificate_names(answer: str) -> set[str]:
    """``show ssl cert`` → every certificate in memory; a ``*`` marks an open transaction."""
    return {_stem(line) for line in answer.splitlines() if line.startswith(("/", "*/"))}


def authorities(answer: str) -> dict[str, Authority]:
    """``show ssl ca-file`` → the authority files, without the system's own."""
    found = {}
    for line in answer.splitlines():
        path, separator, count = line.removeprefix("*").rpartition(" - ")
        if separator and not path.startswith("@"):
            found[_stem(path)] = Authority(loaded=not count.startswith("0 "))
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a stick table."""

    key: str
    counters: dict[str, int]


def table(answer: str) -> Iterator[Row]:
    """``show table NAME`` → its entries; a rate's name comes without its period."""
    for line in answer.splitlines():
        _, separator, rest = line.partition(": key=")
        if separator:
            key, *words = rest.split(" ")
            pairs = (word.partition("=") for word in words)
            counters = {name.partition("(")[0]: int(value) for name, _, value in pairs if value.isdigit()}
            yield Row(key, counters)


def variable(answer: str) -> int:
    """``get var proc.NAME`` → its number; 0 where there is none."""
    value = answer.partition("value=<")[2].partition(">")[0]
    return int(value) if value.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream under way."""

    id: str
    source: str
    frontend: str
    backend: str
    server: str
    """``<none>`` while it waits in the queue."""


def streams(answer: str) -> Iterator[Stream]:
    """``show sess`` → the streams."""
    for line in answer.splitlines():
        pointer, separator, rest = line.partition(": ")
        if separator and pointer.startswith("0x"):
            words = dict(word.partition("=")[::2] for word in rest.split(" "))
            yield Stream(pointer, *(words.get(name, "") for name in ("src", "fe", "be", "srv")))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream is that holds a slot of a server."""

    id: str
    number: str
    """What is ``%rt`` in a log line."""
    source: str
    """The client's address, where there is no TLS and no balancer in between."""
    age: int
    """Seconds."""
    is_uploading: bool
    """More of the request is to come from the client: the origin has all that came, and has not answered."""
    is_unread: bool
    """There is something for the client that it does not take."""
    uploaded: int
    downloaded: int
    """Bytes, so far."""


PROGRESS = re.compile(
    r"^(?P<id>0x[0-9a-f]+): \[[^]]*\] id=(?P<number>\d+) .* source=(?P<source>\S*):\d+$.*?"
    r" srv_conn=(?P<slot>\S+),.*?"
    r" age=(?P<age>[\dhms]+)\).*?"
    r" req\.st=(?P<request>\w+) rsp\.st=(?P<response>\w+) .*?"
    r"^  req=.* total=(?P<uploaded>\d+)\).*?"
    r"^      buf=\S+ data=\S+ o=(?P<unsent>\d+) .*?"
    r"^  res=.* total=(?P<downloaded>\d+)\).*?"
    r"^      buf=\S+ data=\S+ o=(?P<unread>\d+) ",
    re.MULTILINE | re.DOTALL,
)
WHOLE = ("MSG_DONE", "MSG_CLOSING", "MSG_CLOSED", "MSG_TUNNEL")
"""States of a request of which nothing more is to come."""
UNANSWERED = "MSG_RPBEFORE"
NONE = "(nil)"


def progress(answer: str) -> Progress | None:
    """``show sess ID`` → how far it is; None where it has ended by now, or has given its slot back: what is
    ended, too, lives on until its client has taken what HAProxy held for it, or for two minutes."""
    found = PROGRESS.search(answer)
    if found is None or found["slot"] == NONE:
        return None
    return Progress(
        found["id"],
        found["number"],
        found["source"],
        _seconds(found["age"]),
        found["request"] not in WHOLE and found["response"] == UNANSWERED and found["unsent"] == "0",
        int(found["unread"]) > 0,
        int(found["uploaded"]),
        int(found["downloaded"]),
    )


def _seconds(age: str) -> int:
    """``1m2s`` → 62."""
    units = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", age))


def stream_numbers(answer: str) -> Iterator[tuple[str, str]]:
    """``show sess ID``, once or more → (id, number): the number is what ``%rt`` is in a log line."""
    for line in answer.splitlines():
        id, separator, rest = line.partition(": [")
        number = rest.partition(" id=")[2].partition(" ")[0]
        if separator and id.startswith("0x") and number.isdigit():
            yield id, number


@dataclass(frozen=True, slots=True)
class Processes:
    """``show proc``: the master, its worker, and older workers that still finish their connections."""

    master: int
    worker: int | None
    leaving: tuple[int, ...]
    failed_reloads: int


def processes(answer: str) -> Processes:
    """``show proc`` of the master's socket; raises ValueError where there is no master in it."""
    master, failed, old = 0, 0, False
    workers: list[int] = []
    leaving: list[int] = []
    for line in answer.splitlines():
        if line.startswith("#"):
            old = "old workers" in line
            continue
        words = line.split()
        if len(words) >= 2 and words[1] == "master":
            master = int(words[0])
            failed = int(line.partition("[failed:")[2].partition("]")[0] or 0)
        elif len(words) >= 2 and words[1] == "worker":
            (leaving if old else workers).append(int(words[0]))
    if not master:
        raise ValueError(f"no master in {answer!r}")
    return Processes(master, workers[0] if workers else None, tuple(leaving), failed)


def _stem(path: str) -> str:
    return PurePosixPath(path).name.removesuffix(".pem")
