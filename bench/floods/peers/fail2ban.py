"""nginx with its limits, and fail2ban, which reads nginx's logs and bans in nftables who is refused too
often.

Each setting, and where it is advised (the manual is jail.conf(5); the files are those of Debian's package,
copied):

- ``limit_req`` in nginx, logged, one zone for each source: the head of filter.d/nginx-limit-req.conf
  (https://github.com/fail2ban/fail2ban/blob/master/config/filter.d/nginx-limit-req.conf). The limits are
  those of ``nginx.py``: only who exceeds what calm traffic needs leaves a line there, so that no visitor is
  counted.
- The jails: all four that jail.conf has for nginx, with its own ``maxretry``, ``findtime`` and ``bantime``
  (5 in 10 minutes, for 10 minutes). They are changed in jail.local and paths-overrides.local, never in
  jail.conf: the heads of jail.conf and paths-common.conf.
- ``banaction = nftables``: action.d/nftables.conf; it refuses with ICMP, its default ``blocktype``.
- ``backend = auto``: jail.conf; it is pyinotify where python3-pyinotify is installed: a line is seen at
  once, and not within a second.
- ``usedns = no``: jail.conf; no name is looked up for a host in a log.
- ``dbfile = :memory:``: fail2ban.conf; a run begins without the bans of another.

Its rules lie in the table inet f2b-table of the edge's namespace. It runs as root, as its package does, to
change them. One ban is a handful of processes: thousands take minutes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.floods.contestant import World
from bench.floods.peers.base import Base
from bench.floods.peers.nginx import ports, start_nginx
from bench.floods.peers.running import Programs, missing

PACKAGE = Path("/etc/fail2ban")
JAILS = ("nginx-http-auth", "nginx-limit-req", "nginx-botsearch", "nginx-bad-request")
TABLE = ("inet", "f2b-table")

SERVER = """\
[DEFAULT]
logtarget = {directory}/fail2ban.log
socket = {directory}/f2b.sock
pidfile = {directory}/f2b.pid
dbfile = :memory:
"""

PATHS = """\
[DEFAULT]
nginx_error_log = {directory}/error.log
nginx_access_log = {directory}/access.log
"""

DEFAULTS = """\
[DEFAULT]
banaction = nftables
banaction_allports = nftables[type=allports]
usedns = no
"""

JAIL = """
[{jail}]
enabled = true
port = {ports}
"""


def write_configuration(directory: Path, *banned_from: int) -> Path:
    """Debian's configuration, with ours beside it, into a folder of ``directory``; returns that."""
    target = directory / "fail2ban"
    shutil.copytree(PACKAGE, target)
    for each in (target / "jail.d").iterdir():
        each.unlink()  # Debian's enables the jail for SSH
    (target / "fail2ban.local").write_text(SERVER.format(directory=directory))
    (target / "paths-overrides.local").write_text(PATHS.format(directory=directory))
    joined = ",".join(map(str, banned_from))
    jails = "".join(JAIL.format(jail=each, ports=joined) for each in JAILS)
    (target / "jail.local").write_text(DEFAULTS + jails)
    return target


class Fail2ban(Base):
    """nginx + fail2ban."""

    name = "fail2ban"

    def is_available(self) -> str | None:
        return missing("nginx", "fail2ban-server", "fail2ban-client", "nft")

    def _bring_up(self, programs: Programs, world: World) -> None:
        start_nginx(programs, world, self.limits, logs=True)
        target = write_configuration(programs.directory, *ports(world))
        programs.start("fail2ban", ["fail2ban-server", "-c", f"{target}", "-xf", "start"])
        ask = ["fail2ban-client", "-c", f"{target}", "status", JAILS[-1]]
        programs.wait("fail2ban", lambda: programs.succeeds(ask))

    def alarms(self) -> int:
        """Its bans."""
        return self._count("fail2ban.log", "] Ban ")

    def _clear(self, programs: Programs) -> None:
        programs.succeeds(["nft", "delete", "table", *TABLE])  # it is gone already where fail2ban ended well
