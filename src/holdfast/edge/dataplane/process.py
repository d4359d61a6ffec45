"""HAProxy's master process: start, reload, watch, stop. It outlives the agent on purpose.

The master runs in a session of its own, so that an agent that dies leaves the last state in force; the next
agent finds it by its socket and adopts it.
"""

from __future__ import annotations

import asyncio
import contextlib
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
        self._note = root / "haproxy.pid"
        self._master = 0

    async def find(self) -> Processes | None:
        """The processes that run, or None when no master answers."""
        try:
            found = processes(await ask_master(self.socket, "show proc\n"))
        except (RuntimeLostError, ValueError):
            return None
        self._remember(found.master)
        return found

    async def find_settled(self) -> Processes | None:
        """As ``find``, but while a master lives that has no answer or no worker, because it is reloading,
        this waits for it: two masters must not fight for the ports."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            found = await self.find()
            if found is not None and found.worker is not None:
                return found
            if not self._lives() or asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.02)

    def _remember(self, master: int) -> None:
        """Note the master's process id for the next agent: during a reload only that tells that it lives."""
        if master != self._master:
            self._master = master
            with contextlib.suppress(OSError):
                self._note.write_text(f"{master}\n")

    def _lives(self) -> bool:
        """Whether the master that was last seen, by any agent, is still there. Numbers are reused, so that
        the process must also be one that was started on our configuration."""
        try:
            master = int(self._note.read_text())
            words = Path(f"/proc/{master}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        return alive(master) and os.fsencode(self._root / "haproxy.cfg") in words

    async def start(self) -> Processes:
        """Start HAProxy on the rendered configuration and wait until its worker serves.

        Raises HoldfastError with HAProxy's own words when it does not come up.
        """
        try:
            child = self._spawn()
        except OSError as refused:  # no program (an upgrade under way), no memory, no room for the log
            raise error(
                f"{self.binary} cannot be started ({refused.strerror})", "run 'holdfast doctor'"
            ) from refused
        self._remember(child.pid)
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

    def _spawn(self) -> subprocess.Popen[bytes]:
        """The child is watched, not waited for."""
        Path(self.socket).unlink(missing_ok=True)
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:  # appending, or it would leave a gap after ``trim_log``
            return subprocess.Popen(
                [self.binary, "-W", "-S", f"{self.socket},mode,600", "-f", str(self._root / "haproxy.cfg")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

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
        while alive(found.master) and asyncio.get_running_loop().time() < deadline + seconds:  # noqa: ASYNC110
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
    """Whether the process runs. One that has ended but that nobody has reaped does not: it is reaped here if
    it is our child, but where its agent has died it may stay a zombie for as long as the machine is up."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def let_traffic_first(worker: int, traffic_threads: int) -> bool:
    """Have the worker's other threads (the Runtime API, the forwarding of samples) wait their turn instead of
    interrupting those that carry traffic: SCHED_BATCH, see sched(7). The forwarder is woken for each sample
    by a thread that holds the ring's lock; on the same core it would take over at once, and spin on that lock
    for as long as the kernel lets it (docs/adr/0019). Returns whether they are there yet."""
    try:
        threads = sorted(int(each.name) for each in Path(f"/proc/{worker}/task").iterdir())
        for thread in threads[traffic_threads:]:
            os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True  # some sandboxes forbid it: all else works
    return len(threads) > traffic_threads


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
