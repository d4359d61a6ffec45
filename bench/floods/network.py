"""Two network namespaces, joined by a pair of virtual cables and connected to nothing else.

Clients on the one side may have any address of the log or of ``BOTS`` (AnyIP: whole networks are routed to
the side's loopback, so that a connection can be bound to each of their addresses); the edge's side sends all
answers back. Nothing that is sent here can reach another machine. Needs root.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EDGE, CLIENT, PREFIX = "172.31.255.1", "172.31.255.2", 30
BOTS = ipaddress.ip_network("10.64.0.0/10")
"""Where the sources of floods lie. Nobody legitimate has such an address."""
NAMESPACES = Path("/run/netns")
START = "hf-floods"


@dataclass(frozen=True, slots=True)
class Network:
    """The names of the two namespaces."""

    edge: str
    client: str
    address: str = EDGE
    """Of the edge's side: the only one that a load may be aimed at."""


def inside(namespace: str, *command: str) -> list[str]:
    """The command that runs ``command`` in a namespace, as the very process that is started (no child of it).

    ``ip netns exec`` would remount /sys and hide bpffs from what it runs."""
    return ["nsenter", f"--net={NAMESPACES / namespace}", "--", *command]


@contextmanager
def network(addresses: Iterable[str]) -> Iterator[Network]:
    """Both namespaces, with ``addresses`` and ``BOTS`` on the client's side; gone afterwards.

    Raises PermissionError, with what to do, where it may not."""
    if os.geteuid() != 0:
        raise PermissionError("network namespaces need root: run this as root, or with sudo")
    _sweep()
    suffix = f"{os.getpid()}-{secrets.token_hex(2)}"
    made = Network(f"{START}-e-{suffix}", f"{START}-c-{suffix}")
    try:
        _ip("netns", "add", made.edge)
        _ip("netns", "add", made.client)
        cable = ("veth0", "netns", made.edge, "type", "veth", "peer", "name", "veth0", "netns", made.client)
        _ip("link", "add", *cable)
        for side, address in ((made.edge, EDGE), (made.client, CLIENT)):
            _batch(
                side,
                f"address add {address}/{PREFIX} dev veth0",
                "link set lo up",
                "link set veth0 up",
            )
            for which in ("all", "default", "veth0"):
                _sysctl(side, f"net.ipv4.conf.{which}.rp_filter=0")
            _sysctl(side, "net.ipv4.ip_local_port_range=1024 65535")
        _batch(made.edge, f"route add default via {CLIENT}")
        local = (str(BOTS), *(f"{each}/32" for each in dict.fromkeys(addresses)))
        _batch(made.client, *(f"route add local {each} dev lo" for each in local))
        yield made
    finally:
        for name in (made.edge, made.client):
            if (NAMESPACES / name).exists():
                _ip("netns", "del", name)


def refuse_other_aims(address: str) -> None:
    """For the generators of load, which call it before they send anything. Raises PermissionError unless this
    process is in the client's side of such a pair, and ``address`` is the other side's."""
    names = {name for _, name in socket.if_nameindex()}
    if os.stat("/proc/self/ns/net").st_ino == _first_namespace() or not names <= {"lo", "veth0"}:
        raise PermissionError(
            "this sends floods, and only inside a network namespace made for it:"
            " start it through python -m bench.floods"
        )
    if address != EDGE:
        raise PermissionError(f"this sends nothing to {address}, only to {EDGE}, the edge's side")
    routes = [line.split()[1] for line in Path("/proc/self/net/route").read_text().splitlines()[1:]]
    if "00000000" in routes:
        raise PermissionError("there is a default route: this namespace may lead out, so nothing is sent")


def _first_namespace() -> int:
    """The number of the machine's own namespace."""
    try:
        return os.stat("/proc/1/ns/net").st_ino
    except OSError:
        return -1  # not ours to see; then its interfaces tell


def _sweep() -> None:
    """Remove what a run left that was killed."""
    for left in NAMESPACES.glob(f"{START}-?-*") if NAMESPACES.is_dir() else ():
        pid = left.name.split("-")[3]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(RuntimeError):
                _ip("netns", "del", left.name)


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _batch(namespace: str, *lines: str) -> None:
    _run(inside(namespace, "ip", "-batch", "-"), "\n".join(lines) + "\n")


def _sysctl(namespace: str, setting: str) -> None:
    _run(inside(namespace, "sysctl", "-qw", setting))


def _run(command: Sequence[str], told: str | None = None) -> None:
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
