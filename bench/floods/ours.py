"""Holdfast as a contestant: ``holdfast up``, with a hostname and an origin for each site and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any

from bench.edge import Admin
from bench.floods.contestant import World
from bench.floods.live import Seen, capture, compare
from bench.floods.log import Visit
from bench.floods.network import inside
from bench.floods.processes import cpu, cpu_in_namespace, in_namespace
from bench.floods.warm import baseline
from holdfast.edge.dataplane.process import Master
from holdfast.edge.traffic.notes import Notes, site_document
from holdfast.shield.brain import SiteBrain
from tests.feature.lab import MEMORY, to_toml

END_SECONDS = 20.0
TAIL = 3000
CALM_SECONDS = 10.0
"""What ``World.play`` plays."""


_SEEN: list[Seen] = []


class Holdfast:
    """A ``Contestant``."""

    name = "Holdfast"

    def __init__(self) -> None:
        self.run_dir = MEMORY / f"holdfast-floods-{uuid.uuid4().hex[:8]}"
        self._world: World | None = None
        self._agent: subprocess.Popen[bytes] | None = None
        self._others: frozenset[int] = frozenset()
        self._spent = 0.0

    def prepare(self, world: World, visits: Sequence[Visit]) -> None:
        """Notes of a calm week, as the edge itself would have kept them (``warm``)."""
        self._learn(world, Seen())

    def _learn(self, world: World, seen: Seen) -> None:
        notes, now = Notes(world.directory / "state" / "shield"), time.time()
        for host in world.origins:
            name, learned = host.replace(".", "-"), baseline(world.calm, host, now, seen.translate)
            notes.write_site(name, site_document(SiteBrain(name, learned)))

    def start(self, world: World) -> None:
        self._world = world
        self._others = frozenset(in_namespace(world.edge_namespace))
        path = world.directory / "holdfast.toml"
        path.write_text(to_toml(self.configuration(world)))
        with (world.directory / "agent.log").open("ab") as log:
            command = [sys.executable, "-m", "holdfast", "up", "--config", str(path)]
            self._agent = subprocess.Popen(
                inside(world.edge_namespace, *command), stdout=log, stderr=log, start_new_session=True
            )

    def configuration(self, world: World) -> dict[str, Any]:
        """``holdfast.toml``: where it listens and keeps files, the sites, and defaults."""
        certificate = {"certificate": str(world.certificate)} if world.certificate else {}
        edge = {
            "http": [f"{world.address}:{world.http_port}"],
            "https": [f"{world.address}:{world.https_port}"] if world.https_port else [],
            "state_dir": str(world.directory / "state"),
            "run_dir": str(self.run_dir),
        }
        sites = [
            {
                "name": hostname.replace(".", "-"),
                "hostnames": [hostname],
                "origins": [{"address": address, "port": port}],
                **certificate,
            }
            for hostname, (address, port) in world.origins.items()
        ]
        return {"edge": edge, "sites": sites}

    def train(self, visits: Sequence[Visit]) -> None:
        """Over TLS, HAProxy itself must say what it finds in the requests; once for all runs."""
        world = self._world
        if world is None or world.https_port is None:
            return
        self._end_agent(signal.SIGUSR1)  # HAProxy goes on
        if not _SEEN:
            found = capture(self.run_dir / "jail" / "samples.sock", world.play)
            _SEEN.append(compare(found, world.calm, CALM_SECONDS))
        self._learn(world, _SEEN[0])
        self.start(world)

    def stop(self) -> None:
        self._spent = self.cpu_seconds()
        world = self._world
        self._end_agent(signal.SIGTERM)
        if world is not None and self.run_dir.exists():
            asyncio.run(Master(self.run_dir).stop(0.0))
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def _end_agent(self, number: signal.Signals) -> None:
        agent, self._agent = self._agent, None
        if agent is not None and agent.poll() is None:
            agent.send_signal(number)
            try:
                agent.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()

    def cpu_seconds(self) -> float:
        if self._agent is None or self._world is None:
            return self._spent
        try:
            return cpu_in_namespace(self._world.edge_namespace, self._others)
        except FileNotFoundError:  # the namespace has gone
            return cpu(self._agent.pid)

    def alarms(self) -> int:
        """What ``holdfast attacks`` lists; none where the edge does not know the word."""
        try:
            with contextlib.closing(Admin(self.run_dir / "agent.sock")) as admin:
                return len(admin.ask("attacks"))
        except RuntimeError:
            return 0

    def log_tail(self) -> str:
        return self.log()[-TAIL:]

    def log(self) -> str:
        """All that the agent has said."""
        path = self._world.directory / "agent.log" if self._world else None
        return path.read_text(errors="replace") if path and path.exists() else ""
