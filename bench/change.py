"""How long a change takes, from the API call to *in force*: ``python -m bench.change [--quick]``.

For 10, 10,000 and 100,000 hostnames: a real edge, started by ``holdfast up``, under half the load that it
carries here, with a hundred thousand clients counted and scanned, is changed over its admin socket; a
client looks whether each change is in force. At the biggest size also how long a start takes, how much
memory is used, and how long a new agent needs to adopt a running HAProxy.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import report
from bench.bystanders import LONGEST_SECONDS, Visitors, half_load, origin, scans
from bench.edge import TICKS, Admin, Edge, interruptible
from bench.fleet import Fleet, source, write, write_certificates
from bench.kinds import Bench
from bench.measure import measure
from bench.report import Size
from tests.feature.lab import free_ports

SIZES = (10, 10_000, 100_000)
TLS_SITES = 1000
CLIENTS = 100_000
VISITED = 500
"""Hostnames that the visitors ask for."""
BATCH = 20
"""Changes of one kind in a row; then those of the next kind."""
REST_SECONDS = 0.5
"""Between two rounds: what is left over is swept up in silence."""
RESULTS = Path(__file__).parent / "results"

begun = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:6.1f} s] {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.change", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 changes of a kind instead of 1,000")
    quick = parser.parse_args().quick
    interruptible()
    say(f"{report.machine()}; busy with other things: {Path('/proc/loadavg').read_text().split()[0]}")
    sizes = [run(hostnames, rounds=3 if quick else 50, quick=quick) for hostnames in SIZES]
    print(report.as_text(report.HEAD, report.rows(sizes)))
    for size in sizes:
        print(report.conditions(size))
    for verdict in report.verdicts(sizes):
        print(verdict)
    if not quick:
        from bench.plot import plot  # slow to import

        RESULTS.mkdir(exist_ok=True)
        plot(RESULTS / "change.png", sizes)
        report.write_markdown(RESULTS / "change.md", sizes, "change.png")
        print(f"written: {RESULTS}/change.md and change.png")
    print(json.dumps(report.as_json(sizes)))


def run(hostnames: int, rounds: int, quick: bool) -> Size:
    """Everything at one size."""
    biggest = hostnames == max(SIZES)
    plain, tls = free_ports(2)
    fleet = Fleet(hostnames, TLS_SITES if biggest else 0, plain, tls)
    size = Size(hostnames, fleet.sites, fleet.tls_sites)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        edge = stack.enter_context(Edge(directory))
        write(fleet, directory, edge.settings(clients=2 * CLIENTS))
        certificates = write_certificates(directory / "certificates", Bench.CERTIFICATE_HOST, rounds * BATCH + 1)
        stack.enter_context(origin(directory, plain, tls))
        admin = start(edge, fleet, size)
        bench = Bench(fleet, edge.http, edge.https, certificates)
        bench.prepare(admin)
        with scans(edge.scan_socket, CLIENTS, edge.metrics, size.scans):
            visited = fleet.sample(VISITED)
            size.most_rate, pause = half_load(
                directory, edge.http, visited, seconds=1 if quick else 3, tries=1 if quick else 3
            )
            say(f"  carries at most {size.most_rate:,.0f} requests/s; the changes begin, under half of it")
            with Visitors(directory, edge.http, visited, pause, LONGEST_SECONDS) as visitors:
                change(edge, admin, bench, size, rounds)
                if biggest:
                    adopt(edge, size)
                visits = visitors.stop()
        size.rate, size.failed = visits.rate, visits.failed
    return size


def start(edge: Edge, fleet: Fleet, size: Size) -> Admin:
    began = time.monotonic()
    edge.up()
    documents = fleet.documents()
    edge.wait_served([documents[0]["hostnames"][0], documents[-1]["hostnames"][-1]])
    size.start, size.start_haproxy = time.monotonic() - began, edge.haproxy_age()
    admin = edge.wait_admin()
    size.ready, size.at_start = time.monotonic() - began, edge.memory()
    say(f"{size.hostnames:,} hostnames: serves after {size.start:.2f} s, {size.at_start.total:.0f} MiB")
    return admin


def change(edge: Edge, admin: Admin, bench: Bench, size: Size, rounds: int) -> None:
    """The changes, in rounds; and what the machine and the edge spent meanwhile."""
    began, busy, used = time.monotonic(), busy_seconds(), edge.cpu_seconds()
    for number in range(1, rounds + 1):
        edge.wait_room(BATCH)
        for batch in bench.round(BATCH):
            size.timings += [measure(admin, each) for each in batch]
        time.sleep(REST_SECONDS)
        if number % 10 == 0 or number == rounds:
            say(f"  {number * BATCH} changes of each kind")
    lasted = time.monotonic() - began
    size.busy = (busy_seconds() - busy) / lasted / (os.cpu_count() or 1)
    haproxy, agent = edge.cpu_seconds()
    size.haproxy_cpu, size.agent_cpu = (haproxy - used[0]) / lasted, (agent - used[1]) / lasted
    size.at_end = edge.memory()
    status = admin.ask("status")
    assert not status["trouble"], status["trouble"]
    size.reloads = status["reloads"]
    admin.close()


def adopt(edge: Edge, size: Size) -> None:
    """Kill the agent, start another one, and wait until it has made a change."""
    edge.kill_agent()
    began = time.monotonic()
    edge.up()
    admin = edge.wait_admin()
    admin.ask("ban", source=source(0), seconds=3600)
    size.adoption = time.monotonic() - began
    admin.close()
    say(f"  a new agent has taken over in {size.adoption:.2f} s")


def busy_seconds() -> float:
    """Processor time in use on the whole machine so far (proc(5), /proc/stat)."""
    user, nice, system, _, _, irq, softirq = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + irq + softirq) / TICKS


if __name__ == "__main__":
    main()
