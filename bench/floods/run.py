"""One measurement of one contestant in one scenario: everything is started, waited for, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.floods import legit
from bench.floods.agents import Asked, headers
from bench.floods.answers import Answer
from bench.floods.contestant import Contestant, World
from bench.floods.http1 import open_http1
from bench.floods.http2 import context
from bench.floods.log import Visit
from bench.floods.network import CLIENT, Network, inside, network
from bench.floods.plan import TRAIN_SECONDS, Plan, all_addresses, plan
from bench.floods.processes import end
from bench.floods.records import Arrival, Bot, Legit, Meta, Run, load
from bench.floods.scenario import Scenario
from bench.floods.visits import Planned
from holdfast.demo.certificate import self_signed

HTTP, HTTPS, FIRST_ORIGIN = 80, 443, 8001
LAUNCH_SECONDS = 1.5
"""Until the senders have been started and have read what they are told."""
SERVE_SECONDS = 30.0
PROBE = "import sys; from bench.floods.run import probe; sys.exit(probe(*sys.argv[1:]))"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs of one scenario have in common."""

    name: str
    scenario: Scenario
    halves: tuple[Sequence[Visit], Sequence[Visit]]
    data: str
    quick: bool


def measure(setting: Setting, make: Callable[[], Contestant], number: int, seed: int) -> Run:
    """One run. Raises RuntimeError, with the contestant's last words, when it does not serve."""
    made = plan(setting.scenario, setting.halves, seed, setting.quick)
    contestant = make()
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="holdfast-floods-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        net = stack.enter_context(network(all_addresses(made)))
        bench = Bench(setting, made, net, directory, seed)
        origins = stack.enter_context(bench.origins())
        world = bench.world()
        stack.callback(contestant.stop)
        try:
            if setting.scenario.baseline == "warm":
                contestant.prepare(world, setting.halves[0])
            contestant.start(world)
            bench.wait_served()
            if setting.scenario.baseline == "warm":
                contestant.train(setting.halves[0])
            run = bench.play(contestant, number)
        except RuntimeError as failed:
            raise RuntimeError(
                f"{contestant.name}: {failed}\nits last words:\n{contestant.log_tail()}"
            ) from failed
        end(origins, 15.0)
        run.arrivals += load(bench.file("arrivals"), Arrival)
        return run


class Bench:
    """The processes of one run and what they are told."""

    def __init__(self, setting: Setting, made: Plan, net: Network, directory: Path, seed: int) -> None:
        self.setting = setting
        self.scenario = setting.scenario
        self.plan = made
        self.network = net
        self.directory = directory
        self.seed = seed
        self.port = HTTPS if setting.scenario.https else HTTP
        (directory / "contestant").mkdir()

    def file(self, name: str) -> Path:
        return self.directory / name

    def world(self) -> World:
        certificate = None
        if self.scenario.https:
            certificate = self.file("site.pem")
            certificate.write_bytes(self_signed(*(site.hostname for site in self.scenario.sites)))
        ports = enumerate(self.scenario.sites, FIRST_ORIGIN)
        return World(
            edge_namespace=self.network.edge,
            address=self.network.address,
            http_port=HTTP,
            https_port=HTTPS if self.scenario.https else None,
            origins={site.hostname: ("127.0.0.1", port) for port, site in ports},
            directory=self.file("contestant"),
            legit_rate=self.scenario.legit_rate,
            certificate=certificate,
            calm=self.plan.training,
            play=self.play_calm,
        )

    def _start(self, side: str, module: str, spec: str, name: str) -> subprocess.Popen[bytes]:
        path = self.file(f"{name}.json")
        path.write_text(spec)
        with self.file(f"{name}.log").open("wb") as log:
            command = inside(side, sys.executable, "-m", module, str(path))
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)

    @contextmanager
    def origins(self) -> Iterator[subprocess.Popen[bytes]]:
        """All origins, serving, in a process of their own."""
        sites = [
            {**site.model_dump(), "port": port} for port, site in enumerate(self.scenario.sites, FIRST_ORIGIN)
        ]
        spec = json.dumps({"out": str(self.file("arrivals")), "sites": sites})
        process = self._start(self.network.edge, "bench.floods.origin", spec, "origin")
        try:
            deadline = time.monotonic() + SERVE_SECONDS
            while b"ready" not in self.file("origin.log").read_bytes():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"the origins do not start: {self.file('origin.log').read_text()[-2000:]}"
                    )
                time.sleep(0.02)
            yield process
        finally:
            end(process, 15.0)

    def wait_served(self) -> None:
        """Until each origin has answered through the contestant."""
        scheme = "https" if self.scenario.https else "http"
        hosts = [site.hostname for site in self.scenario.sites]
        arguments = [scheme, self.network.address, str(self.port), str(SERVE_SECONDS), *hosts]
        command = inside(self.network.client, sys.executable, "-c", PROBE, *arguments)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"not all sites are served within {SERVE_SECONDS:.0f} s: {done.stderr[-500:]}")

    def play_calm(self) -> None:
        """``World.play``."""
        begin = time.monotonic() + 0.7
        process = self._legit(self.plan.training, begin, TRAIN_SECONDS, "training")
        self._wait({"the visitors to learn from": process}, begin + TRAIN_SECONDS + 60)

    def _legit(
        self, planned: Sequence[Planned], begin: float, seconds: float, name: str
    ) -> subprocess.Popen[bytes]:
        target = (self.network.address, self.port, self.scenario.https)
        spec = legit.spec_of(list(planned), begin, seconds, target, self.file(f"{name}.out"))
        return self._start(self.network.client, "bench.floods.legit", spec, name)

    def _flood(self, number: int, begin: float) -> subprocess.Popen[bytes]:
        flood = self.scenario.floods[number]
        needs_log = flood.client == "mimicry" or flood.agents == "log"
        visits = [asdict(Planned(0.0, "", each)) for each in self.plan.replayed] if needs_log else []
        document = {
            "flood": flood.model_dump(),
            "number": number,
            "host": self.scenario.hostname(flood.site),
            "seed": self.seed,
            "visits": visits,
            "spans": [[begin + low, begin + high] for low, high in self.plan.floods[number]],
            "address": self.network.address,
            "port": self.port,
            "out": str(self.file(f"flood{number}.out")),
        }
        return self._start(self.network.client, "bench.floods.flood", json.dumps(document), f"flood{number}")

    def play(self, contestant: Contestant, number: int) -> Run:
        """The measured part."""
        made, begin = self.plan, time.monotonic() + LAUNCH_SECONDS
        senders = {"the legitimate": self._legit(made.planned, begin, made.over, "legit")}
        try:
            for each, _ in enumerate(self.scenario.floods):
                senders[f"flood {each + 1}"] = self._flood(each, begin)
            marks = []
            for moment in (0.0, made.flood - 0.05):
                _until(begin + moment, senders)
                marks.append(contestant.cpu_seconds())
            alarms = contestant.alarms()
            for moment in (made.end, made.over):
                _until(begin + moment, senders)
                marks.append(contestant.cpu_seconds())
            self._wait(senders, begin + made.over + legit.EXTRA + 15)
        finally:
            for process in senders.values():
                end(process)
        run = Run(self._meta(contestant, number, begin, marks, alarms))
        run.legit += load(self.file("legit.out"), Legit)
        for each, _ in enumerate(self.scenario.floods):
            run.bots += load(self.file(f"flood{each}.out"), Bot)
        return run

    def _meta(
        self, contestant: Contestant, number: int, begin: float, marks: list[float], alarms: int
    ) -> Meta:
        floods = range(len(self.scenario.floods))
        said = [json.loads(self.file(f"flood{each}.said").read_text()) for each in floods]
        made = self.plan
        return Meta(
            scenario=self.setting.name,
            contestant=contestant.name,
            run=number,
            seed=self.seed,
            begin=begin,
            flood=begin + made.flood,
            end=begin + made.end,
            over=begin + made.over,
            pulses=tuple((begin + low, begin + high) for low, high in made.pulses),
            bots=made.bots,
            cpu=(marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]),
            generator_cpu=sum(each["cpu"] for each in said),
            held_back=sum(each["held_back"] for each in said),
            alarms=alarms,
            data=self.setting.data,
        )

    def _wait(self, senders: dict[str, subprocess.Popen[bytes]], deadline: float) -> None:
        for name, process in senders.items():
            try:
                status = process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"{name}: the sender does not end") from None
            if status != 0:
                raise RuntimeError(f"{name}: {self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(each.read_text()[-1500:] for each in sorted(self.directory.glob("*.log")))


def _until(moment: float, senders: dict[str, subprocess.Popen[bytes]]) -> None:
    """Sleep; but not when a sender has failed."""
    while (rest := moment - time.monotonic()) > 0:
        time.sleep(min(rest, 0.25))
        if any(process.poll() for process in senders.values()):
            break


def probe(secure: str, address: str, port: str, seconds: str, *hosts: str) -> int:
    """In a process on the client's side: ask until each host's origin has answered."""
    deadline = time.monotonic() + float(seconds)
    for host in hosts:
        asked = Asked(host, "/", "probe", "probe")
        while True:
            with contextlib.suppress(OSError, ValueError):
                tls = context("library", http2=False) if secure == "https" else None
                answer = asyncio.run(_ask_once(asked, address, int(port), tls))
                if answer.origin and answer.status == 200:
                    break
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.05)
    return 0


async def _ask_once(asked: Asked, address: str, port: int, tls: ssl.SSLContext | None) -> Answer:
    async with asyncio.timeout(3):
        connection = await open_http1(CLIENT, address, port, tls, asked.host)
        try:
            return await connection.ask("GET", asked.path, headers("library", asked), b"", "1.1")
        finally:
            connection.close()
