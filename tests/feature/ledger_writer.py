"""Processes that write to a log: ``python -m tests.feature.ledger_writer SCENE …``.

Each says a thing on a line of its own once it holds: ``kept INDEX ENTRY`` when the append has returned, and
``published SIZE``.

- ``kill DIRECTORY…``: one process for each, killed at its first step, second step, …; what it has said is in
  ``DIRECTORY.said``, and a line ``ended STATUS`` for each is printed.
- ``write DIRECTORY LABEL``: one of several that write at once.
- ``fill DIRECTORY LIMIT``: writes, where no file may be larger than LIMIT bytes, until it is refused, and
  publishes; a line ``refused PROBLEM; REMEDY`` for each refusal.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from holdfast.ledger.errors import StorageError
from holdfast.ledger.log import Log, Prove
from holdfast.ledger.note import Signature
from tests.feature.ledger_disk import Killing


def say(*words: object) -> None:
    print(*words, flush=True)


def entries(label: str, count: int, size: int = 0) -> list[bytes]:
    """Entries that nobody else writes."""
    return [f"{label} {number} ".encode().ljust(size, b".") for number in range(count)]


def kept(index: int, several: Sequence[bytes]) -> None:
    for number, each in enumerate(several, index):
        say("kept", number, each.decode().rstrip("."))


def published(size: int) -> None:
    say("published", size)


ALL_STEPS: Final[tuple[tuple[str, list[bytes]], ...]] = (
    ("append", entries("one", 1)),
    ("append", entries("many", 20, 60_000)),
    ("publish", entries("meanwhile", 2)),
    ("append", entries("after", 2)),
    ("publish", []),
)
"""Every kind of step: an append of one and of many, a tile that becomes full, a journal begun anew with what
was appended in the meantime."""

Kept = Callable[[int, Sequence[bytes]], None]
Published = Callable[[int], None]


def act(log: Log, what: str, several: list[bytes], kept: Kept, published: Published) -> None:
    """An append; or a publish, during which ``several`` are appended."""
    if what == "append":
        kept(log.append(several), several)
        return

    def meanwhile(signed: bytes, prove: Prove) -> tuple[Signature, ...]:
        if several:
            kept(log.append(several), several)
        return ()

    published(log.publish(meanwhile).checkpoint.size)


def at_once(directory: Path, label: str) -> None:
    """One of several writers: appends, and publishes now and then, against the others."""
    with Log.open(directory) as log:
        for round in range(30):
            act(log, "append", entries(f"{label} {round}", 1 + round % 5), kept, published)
            if round % 7 == 6:
                act(log, "publish", [], kept, published)


def fill(directory: Path) -> None:
    """Appends until the disk is full, and publishes what it can."""
    with Log.open(directory) as log:
        for round in range(1000):
            try:
                act(log, "append", entries(f"fill {round}", 1, 20_000), kept, published)
                if round % 10 == 9:
                    act(log, "publish", [], kept, published)
            except StorageError as refused:
                say("refused", refused)
                break
        else:
            say("never refused")
        try:
            act(log, "publish", [], kept, published)
        except StorageError as refused:
            say("refused", refused)


def killed(directory: str, step: int) -> int:
    """In a process of its own; its exit code. It is forked: to start a hundred interpreters takes long."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.dup2(os.open(f"{directory}.said", os.O_WRONLY | os.O_CREAT), sys.stdout.fileno())
        with Log.open(Path(directory), files=Killing(step)) as log:
            for what, several in ALL_STEPS:
                act(log, what, several, kept, published)
        os._exit(0)
    finally:
        os._exit(1)


def main() -> None:
    scene, *rest = sys.argv[1:]
    if scene == "kill":
        for step, directory in enumerate(rest, 1):
            say("ended", killed(directory, step))
    elif scene == "write":
        at_once(Path(rest[0]), rest[1])
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest[1]), resource.RLIM_INFINITY))
        fill(Path(rest[0]))


if __name__ == "__main__":
    main()
