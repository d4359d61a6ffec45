"""The files that HAProxy reads at a start, written to memory-backed storage."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from holdfast.model.errors import error

SUBDIRECTORIES = ("maps", "pages", "certificates", "authorities", "jail")
MEMORY_FILESYSTEMS = ("tmpfs", "ramfs")
DEFAULT_ROOTS = ("/run/holdfast", "/dev/shm/holdfast")  # noqa: S108 - memory-backed on purpose; made 0700


def filesystem(path: Path) -> str:
    """The type of the file system that ``path`` would lie on, from the longest mount point above it."""
    resolved = path.resolve()
    best, kind = Path("/"), "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, what, *_ = line.split(" ")
        point = Path(where.replace("\\040", " "))
        if resolved.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, what
    return kind


def default_root() -> Path:
    """The first usual place that is memory-backed; raises HoldfastError where there is none."""
    for candidate in DEFAULT_ROOTS:
        if filesystem(Path(candidate)) in MEMORY_FILESYSTEMS:
            return Path(candidate)
    raise error(
        f"none of {' and '.join(DEFAULT_ROOTS)} lies in memory",
        "mount a tmpfs and name a directory in it as [edge] run_dir",
    )


def prepare(root: Path) -> None:
    """Make the directories, readable by nobody else.

    Raises HoldfastError where that is not permitted or where the place is not memory-backed: client
    addresses (bans) and private keys lie here and must not reach a disk.
    """
    if filesystem(root) not in MEMORY_FILESYSTEMS:
        raise error(
            f"the run directory {root} lies on {filesystem(root)}, not in memory",
            "set [edge] run_dir to a directory on a tmpfs, such as /run/holdfast or /dev/shm/holdfast",
        )
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in SUBDIRECTORIES:
            (root / name).mkdir(mode=0o700, exist_ok=True)
        root.chmod(0o700)
        (root / "jail").chmod(0o711)  # HAProxy's own account looks for the samples' socket there
    except OSError as refused:
        raise error(
            f"cannot write to the run directory {root} ({refused.strerror})",
            "run as root or set [edge] run_dir to a directory of your own on a tmpfs",
        ) from refused


class Disk:
    """Writes renderings; remembers what it wrote, so that only what changed is written again. May be called
    from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._written: dict[str, str] = {}
        self._lock = threading.Lock()

    def write(self, files: Mapping[str, str]) -> None:
        """Put ``files`` in place, each atomically, and delete what an earlier rendering left over.

        Raises HoldfastError where there is no room. What has been written by then is of use to a start: each
        file comes after those that it refers to.
        """
        with self._lock:
            try:
                self._write(files)
            except OSError as refused:
                raise error(
                    f"cannot write to the run directory {self._root} ({refused.strerror})",
                    "make room there, such as by mounting a bigger tmpfs",
                ) from refused

    def _write(self, files: Mapping[str, str]) -> None:
        for path, content in files.items():
            if self._written.get(path) != content:
                self._written.pop(path, None)
                _replace(Path(path), content)
                self._written[path] = content
        for name in ("certificates", "authorities", "maps", "pages"):
            for left in (self._root / name).iterdir():
                if str(left) not in files:
                    left.unlink()
                    self._written.pop(str(left), None)


def _replace(path: Path, content: str) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)  # half a file would only take the room that is missing
        raise
