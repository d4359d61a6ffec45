"""What a witness remembers, in a directory: of each log the last checkpoint that it has cosigned.

::

    witness.json         what this is: format, verifier key; without it a directory is not ours
    key                  0600: the signer key
    logs                 whom it serves: a verifier key a line; '#' begins a remark
    seen/ORIGIN          the last checkpoint that was cosigned, as the log signed it
    seen/ORIGIN.lock     held from reading it to replacing it
    evidence/ORIGIN.N.1  two checkpoints of one size that the log has both signed, and .2
    (ORIGIN: the SHA-256 of the log's origin in hexadecimal)

What is decided is ``witness_judge``'s. Locks are flock(2): several processes of one host may serve one
directory, and a killed one holds nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from holdfast.ledger.errors import LedgerError, MalformedError, StorageError, UntrustedError
from holdfast.ledger.files import Files, fill, refusing, replace, sync_folder
from holdfast.ledger.note import ED25519, SignerKey, VerifierKey, parse_signer_key, parse_verifier_key
from holdfast.ledger.witness_judge import Seen, parse_seen

FORMAT: Final = "holdfast-witness/1"
MOST_EVIDENCE: Final = 16
"""Pairs kept of one log: the first proves it, and a log must not fill the disk."""
_MARK: Final = "witness.json"
_FOLDERS: Final = ("seen", "evidence")


class WitnessStore:
    """One witness's directory. Methods raise LedgerError only."""

    def __init__(self, path: Path) -> None:
        """Raises StorageError for a directory that is not a witness's."""
        self._path, self._files = path, Files()
        self.key = _read_mark(path)

    @classmethod
    def create(cls, path: Path, key: SignerKey) -> WitnessStore:
        """A new one in a directory that is empty or not there. ``witness.json`` comes last: until then it is
        none. Raises StorageError."""
        files = Files()
        with refusing("make a witness in", path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise StorageError(f"{path} is not empty", "name another directory")
            for name in _FOLDERS:
                files.mkdir(path / name, 0o700)
            fill(files, path / "key", f"{key.text()}\n".encode(), 0o600)
            fill(files, path / "logs", b"# A log's verifier key a line: name+id+key\n", 0o644)
            sync_folder(files, path)
            mark = {"format": FORMAT, "key": str(key.verifier)}
            replace(files, path / _MARK, f"{json.dumps(mark, indent=2)}\n".encode(), 0o644)
        return cls(path)

    def signer(self) -> SignerKey:
        """Raises UntrustedError for a key file that others can read, or that has another key."""
        place = self._path / "key"
        with refusing("read", place):
            mode, text = place.stat().st_mode, place.read_text(errors="replace")
        if mode & 0o077:
            raise UntrustedError(
                f"others can read {place}", f"chmod 600 {place}; if they may have read it, make a new witness"
            )
        key = parse_signer_key(text)
        if key.verifier != self.key:
            raise UntrustedError(f"{place} is not the key of this witness", "restore it from its copy")
        return key

    def logs(self) -> tuple[VerifierKey, ...]:
        """Raises MalformedError for a line that is no key of a log."""
        place = self._path / "logs"
        with refusing("read", place):
            lines = place.read_text(errors="replace").splitlines()
        keys = []
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.startswith("#"):
                try:
                    keys.append(_log_key(line))
                except MalformedError as wrong:
                    raise MalformedError(f"{place}, line {number}: {wrong.problem}", wrong.remedy) from wrong
        return tuple(keys)

    def add_log(self, key: VerifierKey) -> None:
        """Serve this log from the next start on. Raises MalformedError for what is no log's key."""
        _log_key(str(key))
        place = self._path / "logs"
        with self._locked(place.with_suffix(".lock")), refusing("write to", place):
            if key not in self.logs():
                text = place.read_text()
                text += "" if text.endswith("\n") or not text else "\n"
                replace(self._files, place, f"{text}{key}\n".encode(), 0o644)

    @contextmanager
    def of_log(self, origin: str) -> Iterator[Memory]:
        """What is remembered of a log, held alone until it is left: deciding and remembering are one step."""
        place = self._path / "seen" / hashlib.sha256(origin.encode()).hexdigest()
        with self._locked(place.with_suffix(".lock")):
            yield Memory(self._files, place, self._path / "evidence" / place.name)

    @contextmanager
    def _locked(self, place: Path) -> Iterator[None]:
        """A descriptor of its own each time: threads exclude one another too."""
        with refusing("lock", place):
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Memory:
    """Of one log, while its lock is held."""

    def __init__(self, files: Files, place: Path, evidence: Path) -> None:
        self._files, self._place, self._evidence = files, place, evidence

    def seen(self) -> Seen | None:
        """Raises StorageError for what this witness has not written: it must not begin anew by itself."""
        with refusing("read", self._place):
            try:
                data = self._place.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return parse_seen(data)
        except MalformedError as wrong:
            raise StorageError(
                f"{self._place} is damaged ({wrong.problem})",
                "restore it from a copy; a witness that forgets what it has signed is worth nothing",
            ) from wrong

    def remember(self, seen: Seen) -> None:
        """Durable on return."""
        with refusing("write to", self._place):
            replace(self._files, self._place, seen.note, 0o600)

    def keep_evidence(self, pair: tuple[bytes, bytes]) -> None:
        """Durable on return; each pair once."""
        with refusing("write to", self._evidence):
            for number in range(1, MOST_EVIDENCE + 1):
                places = [self._evidence.with_suffix(f".{number}.{half}") for half in (1, 2)]
                if not places[1].exists():
                    for place, data in zip(places, pair, strict=True):
                        replace(self._files, place, data, 0o600)
                    return
                if places[1].read_bytes() == pair[1]:
                    return


def _log_key(text: str) -> VerifierKey:
    key = parse_verifier_key(text)
    if key.kind != ED25519:
        raise MalformedError(
            f"the key of {key.name} is not a log's", "take what 'holdfast ledger init' prints"
        )
    return key


def _read_mark(path: Path) -> VerifierKey:
    try:
        match json.loads((path / _MARK).read_bytes()):
            case {"format": str(form), "key": str(key)} if form == FORMAT:
                return parse_verifier_key(key)
    except (OSError, ValueError, LedgerError):
        pass
    raise StorageError(
        f"{path} is not a witness of Holdfast: it has no right {_MARK}",
        "name a witness's directory, or make one with 'holdfast witness init'",
    )
