"""A real edge in a process of its own: ``holdfast up``, its admin socket, its memory, its end."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.probe import Http
from holdfast.edge.dataplane.process import Master
from tests.feature.lab import MEMORY, free_ports

START_SECONDS = 120.0
ANSWER_SECONDS = 60.0
ROOM_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident sizes in MiB; HAProxy's is that of its master and its workers together."""

    agent: float
    agent_peak: float
    haproxy: float

    @property
    def total(self) -> float:
        return self.agent + self.haproxy


class Edge:
    """``with Edge(directory)``: ports and directories; whatever was started ends on leaving."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run_dir = MEMORY / f"holdfast-bench-{uuid.uuid4().hex[:12]}"
        self.http, self.https, self._metrics = free_ports(3)
        self._agent: subprocess.Popen[bytes] | None = None
        self._master = Master(self.run_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_agent()
        asyncio.run(self._master.stop(0.0))
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The table ``[edge]``. The state directory lies on the disk, as it would for real."""
        return {
            "http": [f"127.0.0.1:{self.http}"],
            "https": [f"127.0.0.1:{self.https}"],
            "metrics": f"127.0.0.1:{self._metrics}",
            "run_dir": str(self.run_dir),
            "state_dir": "state",
            **more,
        }

    @property
    def scan_socket(self) -> Path:
        return self.run_dir / "scan.sock"

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self._metrics}/metrics"

    def up(self) -> None:
        """Start the agent; returns at once."""
        with (self.directory / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(
                [sys.executable, "-m", "holdfast", "up", "--config", str(self.directory / "holdfast.toml")],
                stdout=log,
                stderr=log,
            )

    def wait_served(self, hosts: list[str]) -> None:
        """Until each of ``hosts`` is answered with 200."""
        client = Http(self.http)
        for host in hosts:
            while self._status(client, host) != 200:
                self._still_runs()
                time.sleep(0.01)
        client.close()

    def wait_admin(self) -> Admin:
        """Until the agent takes requests."""
        while True:
            try:
                return Admin(self.run_dir / "agent.sock")
            except OSError:
                self._still_runs()
                time.sleep(0.01)

    def wait_room(self, sites: int) -> None:
        """Until so many slots are empty, so that no site that is added costs a reload: a slot is free again
        only when its last connection has ended."""
        slots = (self.run_dir / "haproxy.cfg").read_text().count("\nbackend slot")
        deadline = time.monotonic() + ROOM_SECONDS
        while (servers := self._servers()) + sites > slots:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{servers} of {slots} slots are still in use")
            time.sleep(0.5)

    def _servers(self) -> int:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(os.fspath(self.scan_socket))
            connection.sendall(b"show servers state\n")
            return connection.makefile("rb").read().count(b" slot")

    def haproxy_age(self) -> float:
        """Seconds since HAProxy's master was started, to a hundredth."""
        started = int(_stat(self._pids()[0])[19]) / TICKS
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started

    def cpu_seconds(self) -> tuple[float, float]:
        """Of HAProxy's present workers, and of the agent, so far."""
        haproxy = sum(_cpu(pid) for pid in self._pids()[1:])
        return haproxy, _cpu(self._agent.pid) if self._agent else 0.0

    def memory(self) -> Memory:
        assert self._agent is not None
        return Memory(
            agent=_status_mib(self._agent.pid, "VmRSS"),
            agent_peak=_status_mib(self._agent.pid, "VmHWM"),
            haproxy=sum(_status_mib(pid, "VmRSS") for pid in self._pids()),
        )

    def kill_agent(self) -> None:
        """kill -9: HAProxy goes on."""
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait()
            self._agent = None

    def _pids(self) -> list[int]:
        while (found := asyncio.run(self._master.find())) is None:
            time.sleep(0.02)  # its worker may serve before the master answers
        return [pid for pid in (found.master, found.worker, *found.leaving) if pid is not None]

    def _still_runs(self) -> None:
        if self._agent is None or self._agent.poll() is not None:
            words = (self.directory / "agent.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the agent has ended; its last words:\n{words}")

    def _status(self, client: Http, host: str) -> int:
        try:
            return client.status(host)
        except OSError:
            client.close()
            return 0


class Admin:
    """The admin socket, on one connection."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_SECONDS)
        try:
            self._socket.connect(os.fspath(path))
        except OSError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def ask(self, do: str, **fields: Any) -> Any:
        self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
        answer = json.loads(self._lines.readline())
        if "mistakes" in answer:
            raise RuntimeError(f"{do}: {answer['mistakes']}")
        return answer["result"]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)): the second may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu(pid: int) -> float:
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / TICKS


def _status_mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def interruptible() -> None:
    """SIGTERM unwinds as Ctrl-C does, so that whatever was started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
