"""What this machine offers: HAProxy and its version, threads, descriptors, the account to drop to."""

from __future__ import annotations

import os
import pwd
import re
import resource
import shutil
import subprocess

from holdfast.model.errors import error

OLDEST = (2, 6)
"""Dynamic servers without experimental mode, and the runtime commands for certificates and authorities."""
FEATURES = ("OPENSSL", "THREAD", "PCRE2")


def haproxy_binary() -> str:
    """Where HAProxy is: system programs are not on every account's PATH."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    return shutil.which("haproxy", path=path) or "haproxy"


def haproxy_version(binary: str) -> tuple[int, ...]:
    """HAProxy's version. Raises HoldfastError where it is missing, too old or lacks a feature."""
    try:
        words = subprocess.run([binary, "-vv"], capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError:
        raise error(
            f"{binary} is not installed", "run 'apt-get install haproxy' (Debian 12 has 2.6)"
        ) from None
    except (OSError, subprocess.SubprocessError) as refused:
        raise error(
            f"{binary} does not run ({refused})", "reinstall it: 'apt-get install --reinstall haproxy'"
        ) from None
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", words)
    version = tuple(int(part) for part in found.groups()) if found else ()
    if version[:2] < OLDEST:
        raise error(
            f"HAProxy {'.'.join(map(str, version)) or 'of unknown version'} is too old",
            "install 2.6 or newer, such as Debian 12's",
        )
    missing = [feature for feature in FEATURES if f"+{feature}" not in words]
    if missing:
        raise error(
            f"this HAProxy was built without {', '.join(missing)}", "install the distribution's own package"
        )
    return version


def traffic_threads(wanted: int | None) -> int:
    """Threads that carry traffic: one for each core that we may use. Two more serve the Runtime API."""
    return wanted or min(len(os.sched_getaffinity(0)), 60)


def descriptors(servers: int) -> int:
    """How many connections HAProxy may hold (``maxconn``) within the limit of open files: two for each
    connection, one for the health check of each server there may be, some for listeners and sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = 1_000_000 if hard == resource.RLIM_INFINITY else min(hard, 1_000_000)
    return max(100, (hard - 500 - servers) // 2)


def account(wanted: str | None) -> str | None:
    """The account that HAProxy drops to: only root can, and only to one that is there."""
    if os.geteuid() != 0 or wanted is None:
        return None
    try:
        pwd.getpwnam(wanted)
    except KeyError:
        raise error(
            f"there is no account {wanted!r} for HAProxy to drop to",
            "install the distribution's haproxy package, or set [edge] user",
        ) from None
    return wanted
