"""The decisions of this machine on disk: a file each that only its owner reads, whole or not there.

Not here: what is in a file (``draft``), what a step does (``steps``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from holdfast.accountable.draft import COURSE, Draft, dump_draft, load_draft
from holdfast.ledger.files import Files, replace
from holdfast.model.errors import HoldfastError, error


class Drafts:
    """The decisions of this machine: a file each, in a directory of mode 0700."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, draft: Draft) -> None:
        """Durable when it returns; all of it or nothing. Raises HoldfastError, and the former one stands.
        Called while it is ``held``: what a kill has left beside it is then written over."""
        try:
            self._make()
            replace(Files(), self._path(draft.kind, draft.id), dump_draft(draft), 0o600)
        except OSError as refused:
            raise self._refusal(refused) from refused

    def get(self, kind: str, identifier: str) -> Draft | None:
        """Raises HoldfastError for a file that cannot be read."""
        path = self._path(kind, identifier)
        try:
            return load_draft(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as refused:
            raise error(
                f"cannot read {path} ({refused.strerror})", "use the account that decided (sudo)"
            ) from refused

    def all(self) -> list[Draft]:
        """By kind and id. Raises HoldfastError for a file that cannot be read."""
        names = [path.stem.split(":", 1) for path in sorted(self._directory.glob("*:*.json"))]
        found = [self.get(kind, identifier) for kind, identifier in names if kind in COURSE]
        return [each for each in found if each is not None]

    @contextlib.contextmanager
    def held(self, identifier: str) -> Iterator[None]:
        """One command at a time goes on with a decision: two would both find its entry missing, and both
        append it. Raises HoldfastError where another is at it."""
        path = self._path("lock", identifier).with_suffix("")
        try:
            self._make()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as refused:
            raise self._refusal(refused) from refused
        try:
            _lock(descriptor, identifier)
            yield
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        """The state directory above it is the agent's, and may not be there yet: nobody else's, either."""
        for each in (self._directory.parent, self._directory):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _refusal(self, refused: OSError) -> HoldfastError:
        return error(
            f"{self._directory} does not take this decision ({refused.strerror})",
            "make room there, and let your account write to it",
        )

    def _path(self, kind: str, identifier: str) -> Path:
        if not identifier or not all(char.isalnum() or char in "._-" for char in identifier):
            raise error(f"{identifier!r} is no decision's id", "'holdfast blocks' lists them", "id")
        return self._directory / f"{kind}:{identifier}.json"


def _lock(descriptor: int, identifier: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise error(
            f"another command is at {identifier} just now", "see what became of it: 'holdfast blocks'"
        ) from None
