"""Processes of a run: what they use, and that none is left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from bench.floods.network import NAMESPACES

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
END_SECONDS = 5.0


def in_namespace(name: str) -> Iterator[int]:
    """The processes that are in a network namespace, whoever started them."""
    wanted = os.stat(NAMESPACES / name).st_ino
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                if os.stat(entry / "ns/net").st_ino == wanted:
                    yield int(entry.name)


def cpu_in_namespace(name: str, apart_from: Collection[int] = ()) -> float:
    """Seconds of user and system time that the processes of a namespace have used, with those of their
    children that have ended."""
    return sum(cpu(pid) for pid in in_namespace(name) if pid not in apart_from)


def cpu(pid: int) -> float:
    """Seconds of a process and of its children that have ended; 0 when it has ended (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def end_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends, however that is (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def end(process: subprocess.Popen[bytes], seconds: float = END_SECONDS) -> None:
    """SIGTERM, and SIGKILL where that does not help."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def many_files() -> None:
    """Allow this process as many connections as the system allows anybody."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 65_536)
    with contextlib.suppress(ValueError, OSError):  # not root: what there is must do
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
