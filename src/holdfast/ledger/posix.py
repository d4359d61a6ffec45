"""A log in a directory of one host: the embedded ``Storage``.

::

    ledger.json          what this is: format, origin, verifier key; without it a directory is not ours
    public/              exactly the files of C2SP tlog-tiles, for any web server: 0755, files 0644
      checkpoint
      tile/…
    private/             0700, files 0600
      key                the signer key, where it is not in hardware
      signed             the last checkpoint that was ever signed, published or not yet
      journal            entries that are durable (``journal``)
      disclosures/HASH   what an entry has committed to, by the hash of its leaf
      append.lock, publish.lock, tmp/

The locks are flock(2): they end with the process that holds them, and do not reach over NFS. ``publish`` is
taken before ``append``, never after. Several processes of one host may use a directory at once.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from holdfast.ledger.errors import LedgerError, MissingError, StorageError, UntrustedError
from holdfast.ledger.files import Files, fill, refusing, replace, sync_folder
from holdfast.ledger.frame import encode_header
from holdfast.ledger.journal import Journal
from holdfast.ledger.merkle import leaf_hash
from holdfast.ledger.note import SignerKey, VerifierKey, parse_signer_key, parse_verifier_key
from holdfast.ledger.storage import Span

FORMAT: Final = "holdfast-ledger/1"
_MARK: Final = "ledger.json"
_APPEND, _PUBLISH = "append.lock", "publish.lock"
_OPEN, _SECRET = 0o644, 0o600


class Directory:
    """See ``Storage`` for what its methods promise. They raise LedgerError only."""

    def __init__(self, path: Path, files: Files | None = None) -> None:
        """Raises StorageError for a directory that is not a log's."""
        self._path = path
        self._files = files or Files()
        self._public, self._private = path / "public", path / "private"
        self._key = _read_mark(path)
        self._journal = Journal(self._private / "journal", self._files)
        self._durable: set[Path] = {self._public}
        """Public folders whose names this process has made durable."""

    @classmethod
    def create(
        cls, path: Path, key: VerifierKey, first: bytes, secret: SignerKey | None, files: Files | None = None
    ) -> Directory:
        """A new log in a directory that is empty or not there; ``first`` is its signed checkpoint of size 0.
        ``ledger.json`` comes last: until then this is not a log. Raises StorageError."""
        files = files or Files()
        with refusing("make a log in", path):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise StorageError(
                    f"{path} is there and not empty",
                    "name another directory; what an interrupted 'init' has left has no ledger.json, and may "
                    "be removed",
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                files.mkdir(path, 0o755)
                sync_folder(files, path.parent)
            public, private = path / "public", path / "private"
            files.mkdir(public, 0o755)
            for folder in (private, private / "tmp", private / "disclosures"):
                files.mkdir(folder, 0o700)
            for name in (_APPEND, _PUBLISH):
                fill(files, private / name, b"", _SECRET)
            if secret:
                fill(files, private / "key", f"{secret.text()}\n".encode(), _SECRET)
            fill(files, private / "journal", encode_header(0), _SECRET)
            fill(files, private / "signed", first, _SECRET)
            fill(files, public / "checkpoint", first, _OPEN)
            for folder in (private, public, path):
                sync_folder(files, folder)
            mark = {"format": FORMAT, "origin": key.name, "key": str(key)}
            replace(files, path / _MARK, f"{json.dumps(mark, indent=2)}\n".encode(), _OPEN)
        return cls(path, files)

    def close(self) -> None:
        self._journal.close()

    @property
    def key(self) -> VerifierKey:
        return self._key

    @property
    def name(self) -> str:
        return str(self._path)

    def signer_key(self) -> SignerKey:
        """That of the directory. Raises MissingError where it is kept elsewhere, and UntrustedError where
        others can read it."""
        place = self._private / "key"
        with refusing("read", place):
            try:
                mode, text = place.stat().st_mode, place.read_text(errors="replace")
            except FileNotFoundError:
                raise MissingError(
                    f"{place} is not there", "put the log's signer key there, or name its file"
                ) from None
        if mode & 0o077:
            raise UntrustedError(
                f"others can read {place}", f"chmod 600 {place}; if they may have read it, replace the key"
            )
        return parse_signer_key(text)

    def append(self, entries: Sequence[bytes]) -> int:
        with refusing("append to", self._path), self._locked(_APPEND):
            return self._journal.append(entries)

    def span(self) -> Span:
        with refusing("read", self._path), self._locked(_APPEND):
            return self._journal.span()

    @contextmanager
    def publishing(self) -> Iterator[None]:
        with self._locked(_PUBLISH):
            yield

    def settle(self) -> Span:
        with refusing("write to", self._path), self._locked(_APPEND):
            return self._journal.settle()

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        with refusing("read", self._path):
            yield from self._journal.entries(start, end)

    def forget(self, before: int) -> None:
        with refusing("write to", self._path), self._locked(_APPEND):
            self._journal.forget(before)

    def get(self, path: str) -> bytes:
        place = self._public / path
        with refusing("read", place):
            try:
                return place.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingError(f"{place} is not there", "restore it from a copy of the log") from None

    def put(self, files: Mapping[str, bytes]) -> None:
        """Bytes first, then names, then folders: a name never leads to bytes that are not durable."""
        beside = [self._private / "tmp" / str(number) for number in range(len(files))]
        with refusing("write to", self._path):
            try:
                for made, data in zip(beside, files.values(), strict=True):
                    fill(self._files, made, data, _OPEN)
                folders: set[Path] = set()
                for made, path in zip(beside, files, strict=True):
                    place = self._public / path
                    folders |= self._make(place.parent)
                    self._files.rename(made, place)
            except OSError:
                for made in beside:
                    with suppress(OSError):  # a full disk has better uses for them
                        self._files.unlink(made)
                raise
            for folder in sorted(folders, reverse=True):
                sync_folder(self._files, folder)
            self._durable |= folders

    def _make(self, folder: Path) -> set[Path]:
        """A public folder and those above it; which ones must be synced for its names to be durable. One that
        is there already may be of a process that was killed before it had synced it."""
        unsynced = {folder}
        while folder not in self._durable:
            unsynced.add(folder.parent)
            folder = folder.parent
        for each in sorted(unsynced):
            if not each.is_dir():
                self._files.mkdir(each, 0o755)
        return unsynced

    def remove(self, folder: str) -> None:
        place = self._public / folder
        self._durable.discard(place)
        with suppress(OSError):
            for each in sorted(place.iterdir()):
                self._files.unlink(each)
            self._files.rmdir(place)

    def signed(self) -> bytes:
        place = self._private / "signed"
        with refusing("read", place):
            return place.read_bytes()

    def keep_signed(self, checkpoint: bytes) -> None:
        with refusing("write to", self._path):
            replace(self._files, self._private / "signed", checkpoint, _SECRET)

    def keep_disclosure(self, entry: bytes, data: bytes) -> None:
        """What reveals an entry's private fields, durable on return: keep it before the entry is appended, or
        a kill between the two leaves commitments that nobody can ever open."""
        with refusing("write to", self._path):
            replace(self._files, self._disclosure(entry), data, _SECRET)

    def disclosure(self, entry: bytes) -> bytes:
        """What ``keep_disclosure`` was given for this entry. Raises MissingError."""
        place = self._disclosure(entry)
        with refusing("read", place):
            try:
                return place.read_bytes()
            except FileNotFoundError:
                raise MissingError(
                    f"{place} is not there", "this entry was appended elsewhere, or has no private fields"
                ) from None

    def _disclosure(self, entry: bytes) -> Path:
        return self._private / "disclosures" / leaf_hash(entry).hex()

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """A descriptor of its own each time: threads exclude one another too."""
        place = self._private / name
        with refusing("lock", place):
            descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read_mark(path: Path) -> VerifierKey:
    place = path / _MARK
    with refusing("read", place):
        try:
            fields = json.loads(place.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            fields = None
    match fields:
        case {"format": str(form), "origin": str(origin), "key": str(key)} if form == FORMAT:
            with suppress(LedgerError):
                parsed = parse_verifier_key(key)
                if parsed.name == origin:
                    return parsed
    raise StorageError(
        f"{path} is not a log of Holdfast: it has no right ledger.json",
        "name a log's directory, or make one with 'holdfast ledger init'",
    )
