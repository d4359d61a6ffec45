"""A peer's processes: started in the edge's namespace, measured, ended. Nothing here knows what they do."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.floods.processes import end_with_parent
from bench.usage import TICKS, children

START_SECONDS = 20.0
END_SECONDS = 15.0
LISTENS = "0A"
TAIL = 2000


@dataclass(slots=True)
class Programs:
    """What one peer has started, in order."""

    namespace: str
    directory: Path
    """Emptied by ``begin``; each program writes its words there, into NAME.out."""
    spent: float = 0.0
    """Processor time of those that were ended."""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command that runs another in the namespace: it becomes it, and keeps its process number."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *command]

    def start(self, name: str, command: Sequence[str]) -> int:
        """In a session of its own, so that a Ctrl-C leaves its end to ``end``."""
        with (self.directory / f"{name}.out").open("ab") as words:
            process = subprocess.Popen(
                self.inside(command),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.running.append(process)
        return process.pid

    def run(self, command: Sequence[str]) -> str:
        """Run to its end, and return what it wrote. Raises RuntimeError with it when it fails."""
        done = subprocess.run(self.inside(command), capture_output=True, text=True, cwd=self.directory)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-TAIL:]}{done.stderr[-TAIL:]}")
        return done.stdout

    def succeeds(self, command: Sequence[str]) -> bool:
        done = subprocess.run(self.inside(command), capture_output=True, cwd=self.directory)
        return done.returncode == 0

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if any(each.poll() is not None for each in self.running) or time.monotonic() > deadline:
                raise RuntimeError(f"{what} does not come up; the last words:\n{self.tail()}")
            time.sleep(0.05)

    def wait_listening(self, what: str, pid: int, *ports: int) -> None:
        """Until all the ports are open in the namespace, and the process is in it."""
        self.wait(what, lambda: self._has_entered(pid) and set(ports) <= _listening(pid))

    def _has_entered(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return os.path.samefile(f"/proc/{pid}/ns/net", f"/run/netns/{self.namespace}")
        return False

    def cpu(self) -> float:
        return self.spent + sum(_family_cpu(each.pid) for each in self.running)

    def end(self) -> None:
        """The last first. What does not end when asked is killed, with all that it started."""
        self.spent = max(self.spent, self.cpu())
        leaving, self.running = self.running[::-1], []
        for process in leaving:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def tail(self) -> str:
        """The ends of all logs."""
        parts = []
        for file in sorted([*self.directory.glob("*.out"), *self.directory.glob("*.log")]):
            if words := file.read_text(errors="replace")[-TAIL:].strip():
                parts.append(f"{file.name}: {words}")
        return "\n".join(parts)


def open_files() -> int:
    """How many files a process may have open, at the most 65536: more are of no use in a bench."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)


def missing(*programs: str) -> str | None:
    """Which of these programs this machine has not got, in words."""
    absent = [each for each in ("nsenter", *programs) if shutil.which(each) is None]
    return f"not installed: {', '.join(absent)} (scripts/setup.sh bench)" if absent else None


def _listening(pid: int) -> set[int]:
    """The ports that are open in the network namespace of a process (proc_net_tcp(5))."""
    ports = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if state == LISTENS:
                    ports.add(int(local.rpartition(":")[2], 16))
    return ports


def _family_cpu(pid: int) -> float:
    """Of a process, its living descendants, and those that ended and were waited for (proc_pid_stat(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        below = children(pid)
    except OSError:  # it has ended; its parent has its time
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS + sum(_family_cpu(each) for each in below)
