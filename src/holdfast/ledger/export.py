"""A whole copy of a log in a folder, for any web server, checked while it is made and once more when it is.

Works for any log that ``fsck`` can read. Not here: keeping a copy up to date, and the log itself (``log``).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.ledger.errors import LedgerError, StorageError
from holdfast.ledger.files import refusing
from holdfast.ledger.fsck import Progress, fsck
from holdfast.ledger.note import VerifierKey
from holdfast.ledger.source import CHECKPOINT, FolderSource, Source
from holdfast.ledger.verify import Report


def export(
    source: Source, log: VerifierKey, folder: Path, progress: Progress = lambda done, size: None
) -> Report:
    """Copy checkpoint and tiles to a folder that is empty or not there. The checkpoint is written last, and
    only where nothing is wrong with the log: until then the folder is not a log.

    Raises LedgerError where the folder does not take it, and what ``fsck`` raises."""
    with refusing("write to", folder):
        _make(folder)
        if any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty", "name another folder, or empty it")
    copying = _Copying(source, folder)
    report = fsck(copying, log, progress)
    if report.checkpoint is None or report.problems:
        return report
    copying.write(CHECKPOINT, copying.checkpoint)
    return fsck(FolderSource(folder), log)


class _Copying:
    """A source that keeps all that is read from it, by its path."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._folder = source, folder
        self.name = source.name
        self.checkpoint = b""

    def get(self, path: str) -> bytes:
        data = self._source.get(path)
        if path == CHECKPOINT:
            self.checkpoint = data
        else:
            self.write(path, data)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Raises LedgerError, and no StorageError: that would be something wrong with the log."""
        place = self._folder / path
        try:
            _make(place.parent)
            place.write_bytes(data)
            place.chmod(0o644)
        except OSError as refused:
            raise LedgerError(
                f"cannot write to {self._folder} ({refused.strerror})",
                "make room there, and let your account write to it; then export to an empty folder again",
            ) from refused


def _make(folder: Path) -> None:
    """With all above it that is missing, and open to web servers whatever the umask."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)  # several threads write at once
        folder.chmod(0o755)
