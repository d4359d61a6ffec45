"""How long a change takes, from the API call to *in force*: ``python -m bench.change [--quick]``.

With 10, 10,000 and 100,000 hostnames: a real edge, started by ``holdfast up``, under half the load that it
carries here, with a hundred thousand clients counted and scanned, is changed over its admin socket, and a
client looks whether each change is in force. Also how long a start takes, how much memory is used and, at the
biggest size, how long a new agent needs to adopt a running HAProxy.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.bystanders import LONGEST_SECONDS, Visitors, half_load, origin, scans
from bench.edge import Admin, Edge
from bench.figures import Size, Start, as_json
from bench.fleet import Fleet, hostnames_of, site_name, source, write, write_certificates
from bench.kinds import Bench
from bench.measure import Timing, measure
from tests.feature.lab import free_ports

SIZES = (10, 10_000, 100_000)
TLS_SITES = {100_000: 1000}
CLIENTS = 100_000
VISITED = 500
"""Hostnames that the visitors ask for."""
BATCH = 20
"""Changes of one kind in a row; then those of the next kind."""
REST_SECONDS = 0.5
"""Between two rounds; the agent sweeps up in such silences."""
CHANGES, QUICK_CHANGES = 1000, 60
RESULTS = Path(__file__).parent / "results"

begun = time.monotonic()


def say(words: str) -> None:
    print(f"[{time.monotonic() - begun:6.1f} s] {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.change", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CHANGES} changes of a kind, no files")
    parser.add_argument("--changes", type=int, help=f"of each kind; default {CHANGES}")
    parser.add_argument("--hostnames", type=int, nargs="+", default=SIZES, help="other sizes than the usual")
    options = parser.parse_args()
    changes = options.changes or (QUICK_CHANGES if options.quick else CHANGES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds as Ctrl-C does: all is stopped
    say(report.machine())
    sizes = [run(hostnames, changes, options.quick) for hostnames in sorted(options.hostnames)]
    print(report.terminal(sizes))
    if not options.quick:
        report.write(RESULTS, sizes, f"{datetime.now(UTC):%Y-%m-%d}")
        say(f"written: {RESULTS}/change.md and change.png")
    print(json.dumps(as_json(sizes)))


def run(hostnames: int, changes: int, quick: bool) -> Size:
    """Everything at one size."""
    plain, tls = free_ports(2)
    fleet = Fleet(hostnames, TLS_SITES.get(hostnames, 0), plain, tls)
    scanned: dict[str, tuple[int, int]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        edge = stack.enter_context(Edge(directory))
        write(fleet, directory, edge.settings(clients=2 * CLIENTS))
        certificates = write_certificates(directory / "certificates", Bench.CERTIFICATE_HOST, changes + 1)
        stack.enter_context(origin(directory, plain, tls))
        admin, started = start(edge, fleet)
        bench = Bench(fleet, edge.http, edge.https, certificates)
        bench.prepare(admin)
        with scans(edge.scan_socket, CLIENTS, edge.metrics, scanned):
            hosts = fleet.sample(VISITED)
            most, pause = half_load(
                directory, edge.http, hosts, seconds=1 if quick else 4, thorough=not quick
            )
            say(f"  carries at most {most:,.0f} requests/s; the changes begin, under half of it")
            with Visitors(directory, edge.http, hosts, pause, LONGEST_SECONDS) as visitors:
                changed = change(edge, admin, bench, changes)
                adoption = adopt(edge) if hostnames == max(SIZES) else None
                visits = visitors.stop()
    return Size(
        hostnames=hostnames,
        sites=fleet.sites,
        tls_sites=fleet.tls_sites,
        start=started,
        most_rate=most,
        visits=visits,
        scans=scanned,
        adoption=adoption,
        **changed,
    )


def start(edge: Edge, fleet: Fleet) -> tuple[Admin, Start]:
    began = time.monotonic()
    edge.up()
    edge.wait_served([hostnames_of(site_name(0))[0], hostnames_of(site_name(fleet.sites - 1))[-1]])
    served, since_haproxy = time.monotonic() - began, edge.haproxy_age()
    admin = edge.wait_admin()
    started = Start(served, since_haproxy, time.monotonic() - began, edge.memory())
    say(f"{fleet.hostnames:,} hostnames: serves after {served:.2f} s, {started.memory.total:.0f} MiB")
    return admin, started


def change(edge: Edge, admin: Admin, bench: Bench, changes: int) -> dict[str, Any]:
    """The changes, in rounds, and what was spent meanwhile: fields of ``Size``."""
    timings: list[Timing] = []
    began, before, told = time.monotonic(), edge.cpu(), 0
    for made in range(0, changes, BATCH):
        edge.wait_room(BATCH)
        for batch in bench.round(min(BATCH, changes - made)):
            timings += [measure(admin, each) for each in batch]
        time.sleep(REST_SECONDS)
        if made + BATCH >= min(told + 200, changes):
            told = made + BATCH
            say(f"  {min(told, changes)} changes of each kind")
    seconds, after = time.monotonic() - began, edge.cpu()
    memory, status = edge.memory(), admin.ask("status")
    assert not status["trouble"], status["trouble"]
    admin.close()
    return {
        "timings": timings,
        "seconds": seconds,
        "cpu": (before, after),
        "memory": memory,
        "reloads": status["reloads"],
    }


def adopt(edge: Edge) -> float:
    """Kill the agent, start another one, and wait until it has made a change; the load goes on."""
    edge.kill_agent()
    began = time.monotonic()
    edge.up()
    admin = edge.wait_admin()
    admin.ask("ban", source=source(0), seconds=60)
    seconds = time.monotonic() - began
    admin.close()
    say(f"  a new agent has taken over in {seconds:.2f} s")
    return seconds


if __name__ == "__main__":
    main()
