"""A real edge in a process of its own: ``holdfast up``, its admin socket, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import usage
from bench.probe import Http
from holdfast.edge.dataplane.answers import Processes, map_entries
from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.process import Master
from holdfast.edge.public_service import PublicService
from tests.feature.lab import MEMORY, free_ports

ANSWER_SECONDS = 60.0
FIND_SECONDS = 1.0
START_SECONDS = 120.0
ROOM_SECONDS = 120.0
END_SECONDS = 30.0


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
        asyncio.run(self._end_haproxy())
        shutil.rmtree(self.run_dir, ignore_errors=True)

    async def _end_haproxy(self) -> None:
        await self._master.find_settled()  # in the middle of a reload it has no answer for whoever ends it
        await self._master.stop(0.0)
        await PublicService(self.run_dir).stop()

    def settings(self, **more: Any) -> dict[str, Any]:
        """The table ``[edge]``. The state directory lies on a disk, as it would for real."""
        return {
            "http": [f"127.0.0.1:{self.http}"],
            "https": [f"127.0.0.1:{self.https}"],
            "metrics": f"127.0.0.1:{self._metrics}",
            "run_dir": str(self.run_dir),
            "state_dir": "state",
            "shield": "watch",  # one load generator has one fingerprint
            **more,
        }

    @property
    def scan_socket(self) -> Path:
        return self.run_dir / "scan.sock"

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self._metrics}/metrics"

    def up(self, program: str = "holdfast") -> None:
        """Start the agent, by the module that is its program; returns at once."""
        with (self.directory / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(
                [sys.executable, "-m", program, "up", "--config", str(self.directory / "holdfast.toml")],
                stdout=log,
                stderr=log,
            )

    def wait_served(self, hosts: Sequence[str]) -> None:
        """Until each of ``hosts`` is answered with 200."""
        client, deadline = Http(self.http), time.monotonic() + START_SECONDS
        for host in hosts:
            while not _answers(client, host):
                self._go_on_until(deadline)
        client.close()

    def wait_admin(self) -> Admin:
        """Until the agent takes requests."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return Admin(self.run_dir / "agent.sock")
            except OSError:
                self._go_on_until(deadline)

    def _go_on_until(self, deadline: float) -> None:
        time.sleep(0.01)
        if self._agent is None or self._agent.poll() is not None or time.monotonic() > deadline:
            words = (self.directory / "agent.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the agent has ended or does not come up; its last words:\n{words}")

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
        return self._show("servers state").count(" slot")

    def _show(self, what: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(os.fspath(self.scan_socket))
            connection.sendall(f"show {what}\n".encode())
            return connection.makefile(encoding="utf-8").read()

    def held(self, name: str) -> dict[str, str]:
        """What HAProxy holds of a map."""
        return dict(map_entries(self._show(f"map {self.run_dir}/maps/{name}.map")))

    def signing_key(self) -> tuple[str, str]:
        """The id and the text of the key by which HAProxy signs clearances."""
        name = self.held(Maps.KEY_IDS)["now"].partition("|")[0]
        return name, self.held(Maps.KEYS)[name]

    def haproxy_age(self) -> float:
        """Seconds since HAProxy was started."""
        return usage.age(self._haproxy()[0])

    def processes(self) -> tuple[int, int, list[int]]:
        """The numbers of the agent, of HAProxy's worker, and of all that HAProxy is."""
        assert self._agent is not None
        haproxy = self._haproxy()
        return self._agent.pid, haproxy[1], haproxy

    def memory(self) -> usage.Memory:
        assert self._agent is not None
        return usage.memory(self._agent.pid, self._haproxy())

    def cpu(self) -> usage.Cpu:
        assert self._agent is not None
        return usage.cpu(self._agent.pid, self._haproxy())

    def used_by_others(self) -> float:
        """Seconds of processor time that others have used on this machine so far, or a constant more."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)  # every wrk is a process of its own
        used = self.cpu()
        return used.machine - used.family - ended.ru_utime - ended.ru_stime

    def _haproxy(self) -> list[int]:
        """The numbers of HAProxy's processes, the master's first."""
        while (found := asyncio.run(self._master.find())) is None:
            time.sleep(0.02)  # its worker may serve before the master answers
        return [pid for pid in (found.master, found.worker, *found.leaving) if pid is not None]

    def found(self) -> Processes | None:
        """HAProxy's processes; None while the master has no answer, as in the middle of a reload."""
        with contextlib.suppress(TimeoutError):
            return asyncio.run(asyncio.wait_for(self._master.find(), FIND_SECONDS))
        return None

    @property
    def agent(self) -> int | None:
        """The agent's process number."""
        return self._agent.pid if self._agent is not None else None

    def end_agent(self, number: signal.Signals) -> int:
        """Signal the agent and wait for its end: SIGUSR1 ends it alone, SIGTERM takes HAProxy along, SIGKILL
        leaves everything as it is. Returns its exit status."""
        agent, self._agent = self._agent, None
        if agent is None:
            return 0
        agent.send_signal(number)
        try:
            return agent.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
            raise

    def kill_agent(self) -> None:
        """kill -9: HAProxy goes on."""
        self.end_agent(signal.SIGKILL)


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
        """The result of a request. Raises RuntimeError with the mistakes that the agent finds in it, OSError
        where there is no agent to answer any more."""
        self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError(f"{do}: the agent has ended")
        answer = json.loads(line)
        if "mistakes" in answer:
            raise RuntimeError(f"{do}: {answer['mistakes']}")
        return answer["result"]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def _answers(client: Http, host: str) -> bool:
    try:
        return client.status(host) == 200
    except OSError:
        client.close()
        return False
