"""The grounds that may be cited: those of the file that was last put on the public record.

Not here: the shape of the file (``model.grounds``), how it gets on record (``steps``).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from holdfast.accountable.draft import Draft, Step
from holdfast.accountable.drafts import Drafts
from holdfast.accountable.own_log import OwnLog
from holdfast.ledger.files import Files, sync_folder
from holdfast.model.errors import HoldfastError, error
from holdfast.model.grounds import LONGEST_FILE, Grounds, parse_grounds
from holdfast.model.record import GROUNDS


def in_use(drafts: Drafts, log: OwnLog) -> Draft | None:
    """The last grounds that were put in use here, on the record of this log: another one, such as that of a
    key before, has numbers of its own. Raises HoldfastError for a file that cannot be read."""
    published = [
        each
        for each in drafts.all()
        if each.kind == GROUNDS and each.step is Step.IN_USE and log.has_signed(each.entry, each.proof)
    ]
    return max(published, key=lambda each: each.index or 0, default=None)


def citable(path: Path, drafts: Drafts, log: OwnLog) -> Grounds:
    """The grounds in the file, which the log has just as they are. Raises HoldfastError where it has not:
    nobody is blocked for a rule that was not public before."""
    data = read_file(path)  # once: what is compared is what is cited
    grounds = parse_grounds(data, str(path))
    used = in_use(drafts, log)
    if used is None or used.document.encode() != data:
        published = f"grounds {parse_grounds(used.document.encode()).version}" if used else "no grounds"
        raise error(
            f"{published} were published last, and not version {grounds.version} as it is in {path}",
            "publish it with 'holdfast grounds publish', or put back the file that was published",
            "grounds",
        )
    if used.index is None or log.entry(used.index) != used.entry:
        raise error(
            f"the log has no entry of grounds {grounds.version}",
            "publish them with 'holdfast grounds publish'",
            "grounds",
        )
    return grounds


def read_file(path: Path) -> bytes:
    """Raises HoldfastError; a file that is too long is read no further."""
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError as refused:
        raise error(f"cannot read {path} ({refused.strerror})", "name a grounds file", "grounds") from refused


def replace_file(path: Path, data: bytes) -> None:
    """Durable when it returns; the whole new file or the whole old one. Raises HoldfastError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        if path.exists() and path.read_bytes() == data:
            return
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        sync_folder(Files(), path.parent)
    except OSError as refused:
        beside.unlink(missing_ok=True)
        raise _unwritten(path, refused) from refused


def _unwritten(path: Path, refused: OSError) -> HoldfastError:
    return error(f"cannot write {path} ({refused.strerror})", "make room there, and let your account write")
