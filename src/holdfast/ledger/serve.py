"""Files for the web: folders under paths, as a log's static files are served.

C2SP tlog-tiles (https://c2sp.org/tlog-tiles), section "APIs", says what a checkpoint and tiles are served as.
Here belongs finding a file and its headers. Not here: connections (``http_server``), what is in the files.

Nothing but plain files below a folder is ever opened: every step of a path is walked by itself, follows no
symbolic link, and is no hidden name. Nothing encoded is decoded, and no folder is listed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from holdfast.ledger.http_server import Request, Response, Server, refusal

CHECKPOINT_TYPE: Final = "text/plain; charset=utf-8"
TILE_TYPE: Final = "application/octet-stream"
FRESH: Final = "public, max-age=2"
"""For a checkpoint, which changes: no caching beyond a few seconds."""
FOREVER: Final = "public, max-age=31536000, immutable"
"""For tiles, which never change."""
SHORT: Final = "public, max-age=30"
"""For other files."""

_STEP: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", re.ASCII)
_TILE: Final = re.compile(r"(?:.*/)?tile/(?:entries|[0-9]{1,2})/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?")
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.ENXIO)


@dataclass(frozen=True, slots=True)
class StaticMounts:
    """What is served where. A log's files get the headers of tlog-tiles wherever they lie."""

    mounts: Mapping[str, Path | int]
    """Path prefix (``/`` or ``/…/``) → a folder, or the descriptor of an open one: that stays usable when the
    process gives up the rights to reach it, and is not closed here. The longest prefix that fits counts."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Suffix, such as ``.html`` → Content-Type. Other files than these and a log's are not served."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """With every answer."""
    index: str = ""
    """The file that stands for a path that ends in a slash; '' for none."""

    def __post_init__(self) -> None:
        """Raises ValueError for a prefix that does not begin and end in a slash."""
        for prefix in self.mounts:
            if not (prefix.startswith("/") and prefix.endswith("/")):
                raise ValueError(f"a mount's prefix begins and ends in a slash, unlike {prefix!r}")

    def answer(self, request: Request) -> Response:
        """GET and HEAD. Everything that is not there, or is not served, is a 404."""
        path = request.target.partition("?")[0]
        fitting = [prefix for prefix in self.mounts if path.startswith(prefix)]
        if not fitting:
            return refusal(404, self.headers)
        prefix = max(fitting, key=len)
        below = path.removeprefix(prefix)
        if self.index and (not below or below.endswith("/")):
            below += self.index
        found = self._headers_of(below)
        steps = below.split("/")
        if found is None or not all(_STEP.fullmatch(step) for step in steps):
            return refusal(404, self.headers)
        try:
            descriptor = open_below(self.mounts[prefix], steps)
        except OSError as refused:
            if refused.errno in _ABSENT:
                return refusal(404, self.headers)
            raise
        kind, caching = found
        length = os.fstat(descriptor).st_size
        headers = {"Cache-Control": caching, **self.headers}
        return Response(200, kind, file=os.fdopen(descriptor, "rb"), length=length, headers=headers)

    def _headers_of(self, path: str) -> tuple[str, str] | None:
        """Content-Type and Cache-Control; None for what is not served."""
        name = path.rpartition("/")[2]
        if name == "checkpoint":
            return CHECKPOINT_TYPE, FRESH
        if _TILE.fullmatch(path):
            return TILE_TYPE, FOREVER
        suffix = f".{name.rpartition('.')[2]}"
        return (self.types[suffix], SHORT) if suffix in self.types else None


def serve(mounts: StaticMounts, address: tuple[str, int]) -> Server:
    """Listen on host and port; nothing is answered before ``Server.run`` or ``Server.start``. Raises
    StorageError where that address cannot be had."""
    return Server(address, mounts.answer)


def open_below(folder: Path | int, steps: list[str]) -> int:
    """A descriptor of the plain file that these steps lead to, without a symbolic link on the way. Raises
    OSError. ``folder`` itself may be reached through one: whoever configured it wanted that."""
    walk = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    at = os.dup(folder) if isinstance(folder, int) else os.open(folder, walk)
    try:
        for step in steps[:-1]:
            following = os.open(step, walk | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = following
        # A named pipe would wait for a writer.
        descriptor = os.open(steps[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENOENT, "no plain file")
    return descriptor
