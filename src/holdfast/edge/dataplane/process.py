"""HAProxy's master process: start, reload, watch, stop. It outlives the agent on purpose.

The master runs in a session of its own, so that an agent that dies leaves the last state in force; the
next agent finds it by its socket and adopts it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from holdfast.edge.dataplane.answers import Processes, processes
from holdfast.edge.dataplane.runtime import RuntimeLostError, ask_master
from holdfast.model.errors import error

START_SECONDS = 60.0
LOG_BYTES = 4_000_000


class Master:
    """The one HAProxy of a run directory."""

    def __init__(self, root: Path, binary: str = "haproxy") -> None:
        self._root = root
        self.binary = binary
        self.socket = str(root / "master.sock")
        self.log = root / "haproxy.log"

    async def find(self) -> Processes | None:
        """The processes that run, or None when no master answers."""
        try:
            return processes(await ask_master(self.socket, "show proc\n"))
        except (RuntimeLostError, ValueError):
            return None

    async def start(self) -> Processes:
        """Start HAProxy on the rendered configuration and wait until its worker serves.

        Raises HoldfastError with HAProxy's own words when it does not come up.
        """
        Path(self.socket).unlink(missing_ok=True)
        with self.log.open("wb") as log:
            child = subprocess.Popen(  # noqa: ASYNC220 - returns at once; the child is watched, not waited for
                [self.binary, "-W", "-S", f"{self.socket},mode,600", "-f", str(self._root / "haproxy.cfg")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if child.poll() is not None:
                raise error(f"HAProxy did not start: {self.last_words()}", f"see {self.log}")
            found = await self.find()
            if found is not None and found.worker is not None:
                return found
            await asyncio.sleep(0.02)
        child.kill()
        raise error(f"HAProxy was not ready within {START_SECONDS:.0f} s", f"see {self.log}")

    async def reload(self) -> None:
        """Ask for a new worker on the configuration that lies on disk. Raises RuntimeLostError."""
        await ask_master(self.socket, "reload\n")

    async def stop(self, seconds: float = 5.0) -> None:
        """End HAProxy: connections get ``seconds`` to finish, then they are cut."""
        found = await self.find()
        if found is None:
            return
        _signal(found.master, signal.SIGUSR1)
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if not alive(found.master):
                return
            await asyncio.sleep(0.05)
        _signal(found.master, signal.SIGTERM)
        while alive(found.master) and asyncio.get_running_loop().time() < deadline + seconds:
            await asyncio.sleep(0.05)

    def last_words(self) -> str:
        """HAProxy's own explanation: the alerts at the end of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        alerts = [line.partition(") : ")[2] or line for line in lines if "[ALERT]" in line]
        return " / ".join(alerts[-3:] or lines[-3:] or ["it said nothing"])

    def trim_log(self) -> None:
        """Keep HAProxy's messages (states of origins, never clients) from filling the memory they lie in."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            os.truncate(self.log, 0)


def alive(pid: int) -> bool:
    """Whether the process runs; a child that has ended is reaped on the way."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
