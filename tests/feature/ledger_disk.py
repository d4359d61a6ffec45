"""Disks that go wrong: what a log is changed with, counted, and stopped at a step.

Each call of ``Files`` is a step before it does anything; a write is two, the second in its middle. What
happens at the chosen step is a subclass's: the process dies, the call fails, the machine loses its power.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from pathlib import Path

from holdfast.ledger.files import Files


class Steps(Files):
    """Counts; something happens at step ``at`` (from 1)."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0
        self.seen: list[str] = []

    def happen(self) -> None:
        """What happens at the step."""

    def _step(self, name: str) -> None:
        self.count += 1
        self.seen.append(name)
        if self.is_due():
            self.happen()

    def is_due(self) -> bool:
        return self.count == self.at

    def create(self, path: Path, mode: int) -> int:
        self._step("create")
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self._step("write")
        middle = len(data) // 2
        super().write(descriptor, data[:middle], offset)
        self._step("write on")
        super().write(descriptor, data[middle:], offset + middle)

    def truncate(self, descriptor: int, length: int) -> None:
        self._step("truncate")
        super().truncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def mkdir(self, path: Path, mode: int) -> None:
        self._step("mkdir")
        super().mkdir(path, mode)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        super().unlink(path)

    def rmdir(self, path: Path) -> None:
        self._step("rmdir")
        super().rmdir(path)


class Killing(Steps):
    """The process is killed."""

    def happen(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Failing(Steps):
    """The step fails, and where ``is_for_good`` all after it do too, until ``at`` is set to 0."""

    def __init__(self, at: int = 0, number: int = errno.EIO, is_for_good: bool = False) -> None:
        super().__init__(at)
        self._number = number
        self._is_for_good = is_for_good

    def is_due(self) -> bool:
        return self.count == self.at or (self._is_for_good and 0 < self.at <= self.count)

    def happen(self) -> None:
        raise OSError(self._number, os.strerror(self._number))


class PowerLost(BaseException):
    """The machine is off: nothing in it may catch this."""


class Volatile(Steps):
    """A disk that keeps what was synced, and of all else nothing: the bytes of a file as they were at its
    last sync, and the names of a folder as they were at its own. ``left`` is what the machine finds when its
    power is back."""

    def __init__(self, root: Path, at: int = 0) -> None:
        """All that is below ``root`` now is on the disk."""
        super().__init__(at)
        self._root = root
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._modes: dict[int, int] = {}
        for place in (root, *root.rglob("*")):
            self._keep(place)

    def happen(self) -> None:
        raise PowerLost

    def create(self, path: Path, mode: int) -> int:
        was_there = path.exists()
        descriptor = super().create(path, mode)
        if not was_there:  # the number of an inode that is gone is used again
            self._bytes.pop(os.fstat(descriptor).st_ino, None)
        self._modes[os.fstat(descriptor).st_ino] = stat.S_IFREG | mode
        return descriptor

    def mkdir(self, path: Path, mode: int) -> None:
        super().mkdir(path, mode)
        self._names[path.stat().st_ino] = {}
        self._modes[path.stat().st_ino] = stat.S_IFDIR | mode

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._keep(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def _keep(self, place: Path) -> None:
        found = place.stat()
        self._modes[found.st_ino] = found.st_mode
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = {each.name: each.stat().st_ino for each in place.iterdir()}
        else:
            self._bytes[found.st_ino] = place.read_bytes()

    def left(self, place: Path) -> None:
        """Write it to ``place``."""
        self._write(self._root.stat().st_ino, place)

    def _write(self, number: int, place: Path) -> None:
        if stat.S_ISDIR(self._modes[number]):
            place.mkdir()
            for name, child in self._names[number].items():
                self._write(child, place / name)
        else:
            place.write_bytes(self._bytes.get(number, b""))
        place.chmod(stat.S_IMODE(self._modes[number]))
