"""Examines the machine. Each check returns a finding; nothing is changed."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.disk import MEMORY_FILESYSTEMS, default_root, filesystem
from holdfast.edge.dataplane.slots import capacity
from holdfast.edge.listen import check_free
from holdfast.edge.machine import account, descriptors, haproxy_binary, haproxy_version
from holdfast.model.errors import HoldfastError

FEW_CONNECTIONS = 20_000
SMALL_BACKLOG = 1024
STA_UNSYNC = 0x0040
CAP_NET_BIND_SERVICE = 1 << 10
LOWEST_FREE_PORT = 1024


class Severity(Enum):
    FINE = "ok"
    WEAK = "weak"
    """It works, but not as well as it could."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing, and what to do about it."""

    subject: str
    severity: Severity
    words: str
    remedy: str = ""


def examine(configuration: Configuration) -> list[Finding]:
    """Every check, in the order in which an edge needs what they check."""
    checks: tuple[Callable[[Configuration], Finding], ...] = (
        check_haproxy,
        check_account,
        check_memory,
        check_state,
        check_capabilities,
        check_ports,
        check_descriptors,
        check_backlog,
        check_syncookies,
        check_clock,
        check_threads,
    )
    findings = []
    for check in checks:
        try:
            findings.append(check(configuration))
        except HoldfastError as wrong:
            subject = check.__name__.removeprefix("check_")
            findings += [
                Finding(subject, Severity.WRONG, each.problem, each.remedy) for each in wrong.mistakes
            ]
    return findings


def check_haproxy(_: Configuration) -> Finding:
    version = haproxy_version(haproxy_binary())
    return Finding("haproxy", Severity.FINE, f"version {'.'.join(map(str, version))}")


def check_account(configuration: Configuration) -> Finding:
    if os.geteuid() != 0:
        return Finding("account", Severity.FINE, "not root: HAProxy runs as you do")
    user = account(configuration.edge.user)
    if user is None:
        return Finding("account", Severity.WRONG, "HAProxy would stay root", "set [edge] user = 'haproxy'")
    return Finding(
        "account", Severity.FINE, f"HAProxy drops to {user!r} and sees an empty directory as its root"
    )


def check_memory(configuration: Configuration) -> Finding:
    root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
    kind = filesystem(root)
    if kind not in MEMORY_FILESYSTEMS:
        return Finding(
            "run_dir", Severity.WRONG, f"{root} lies on {kind}", "set [edge] run_dir to a place on a tmpfs"
        )
    return Finding("run_dir", Severity.FINE, f"{root} lies in memory: no client address reaches a disk")


def check_state(configuration: Configuration) -> Finding:
    directory = configuration.path.parent / configuration.edge.state_dir
    above = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    if not os.access(above, os.W_OK):
        return Finding(
            "state_dir", Severity.WRONG, f"{above} is not writable", "run as root or set [edge] state_dir"
        )
    space = os.statvfs(above)
    free = space.f_bavail * space.f_frsize // 2**20
    if free < 100:
        return Finding(
            "state_dir",
            Severity.WRONG,
            f"{directory} has {free} MiB left",
            "make room: decisions are kept there",
        )
    return Finding("state_dir", Severity.FINE, f"{directory} is writable, {free} MiB free")


def check_capabilities(configuration: Configuration) -> Finding:
    """What the kernel lets us do (capabilities(7)): low ports now, the packet filter in a later version."""
    held = int(_status_line("CapEff"), 16)
    low = sorted({listener.port for listener in configuration.listeners if listener.port < LOWEST_FREE_PORT})
    if low and not held & CAP_NET_BIND_SERVICE:
        return Finding(
            "capabilities",
            Severity.WRONG,
            f"no right to listen at {', '.join(map(str, low))}",
            "run as root, or grant CAP_NET_BIND_SERVICE (AmbientCapabilities= in the service file)",
        )
    return Finding("capabilities", Severity.FINE, "enough for the ports of [edge]")


def _status_line(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def check_ports(configuration: Configuration) -> Finding:
    ports = ", ".join(str(listener) for listener in configuration.listeners)
    root = Path(configuration.edge.run_dir) if configuration.edge.run_dir else default_root()
    if (root / "agent.sock").exists() and _is_running(root):
        return Finding("ports", Severity.FINE, f"{ports}: held by the edge that runs here")
    check_free(configuration.listeners)
    return Finding("ports", Severity.FINE, f"{ports} can be had")


def _is_running(root: Path) -> bool:
    with (root / "agent.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def check_descriptors(configuration: Configuration) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = descriptors(capacity(len(configuration.sites)))
    if room < FEW_CONNECTIONS:
        return Finding(
            "open files",
            Severity.WEAK,
            f"the limit of {hard} open files leaves room for {room} connections",
            "raise it: LimitNOFILE=1000000 in the service file, or 'ulimit -Hn 1000000' as root",
        )
    return Finding("open files", Severity.FINE, f"room for {room} connections")


def check_backlog(_: Configuration) -> Finding:
    backlog = _kernel("net/core/somaxconn")
    if backlog is not None and backlog < SMALL_BACKLOG:
        return Finding(
            "backlog", Severity.WEAK, f"net.core.somaxconn is {backlog}", "set it to 4096 or more with sysctl"
        )
    return Finding("backlog", Severity.FINE, f"net.core.somaxconn is {backlog}")


def check_syncookies(_: Configuration) -> Finding:
    value = _kernel("net/ipv4/tcp_syncookies")
    if value == 0:
        return Finding(
            "syn cookies",
            Severity.WRONG,
            "off: a SYN flood would lock visitors out",
            "sysctl net.ipv4.tcp_syncookies=1",
        )
    return Finding("syn cookies", Severity.FINE, "on" if value else "not readable here")


def check_clock(_: Configuration) -> Finding:
    """The kernel knows whether something disciplines its clock (adjtimex(2), STA_UNSYNC)."""
    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        return Finding("clock", Severity.WEAK, "cannot be examined", "make sure that a time service runs")
    status = int.from_bytes(buffer.raw[40:44], "little")
    if status & STA_UNSYNC:
        return Finding(
            "clock",
            Severity.WEAK,
            "nothing keeps it right: blocks and bans end by it",
            "apt-get install chrony",
        )
    return Finding("clock", Severity.FINE, "kept right")


def check_threads(configuration: Configuration) -> Finding:
    cores = len(os.sched_getaffinity(0))
    return Finding(
        "threads", Severity.FINE, f"{configuration.edge.threads or cores} carry traffic on {cores} cores"
    )


def _kernel(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text())
    except (OSError, ValueError):
        return None
