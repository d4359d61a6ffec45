"""nginx with its limits, CrowdSec, which reads nginx's logs, and its firewall bouncer, which bans in
nftables.

Each setting, and where it is advised (https://docs.crowdsec.net/ unless a file of Debian's packages is
named):

- What is enabled: the collection crowdsecurity/nginx with all that it needs (http-crawl, http-probing,
  http-bf, bad user agents, nginx-req-limit-exceeded, …), from the hub that Debian ships, so that nothing is
  downloaded: README.Debian of crowdsec, "Offline hub". The scenarios are unchanged, but for the following.
- ``SIMULATED``: docs/scenarios/simulation and u/user_guides/replay_mode: what bans visitors when calm
  traffic is replayed is simulated, and not enforced.
- Left out: parsers/s02-enrich/crowdsecurity/whitelists.yaml, which would excuse every private address, and
  so all the bots of a bench.
- ``limit_req`` in nginx: scenarios/crowdsecurity/nginx-req-limit-exceeded.md. The limits are those of
  ``nginx.py``.
- ``use_wal: true``: docs/configuration/crowdsec_configuration#use_wal, and README.Debian.
- No Central API, and so no community blocklist: nobody outside is told of a bench, and no list could know
  its made-up bots. README.Debian, "Local API and Central API".
- The bouncer: Debian's file, ``mode: nftables``, ``deny_action: DROP`` (u/bouncers/firewall); it asks every
  second instead of every ten (``update_frequency``, same page): in its favour.

The local API listens on the loopback of the edge's namespace, where the bouncer's tables are, too. Both run
as root, as their packages do.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from bench.floods.contestant import World
from bench.floods.peers.base import Base
from bench.floods.peers.nginx import start_nginx
from bench.floods.peers.running import Programs, missing

PACKAGE = Path("/etc/crowdsec")
SHARED = Path("/usr/share/crowdsec")
COLLECTION = "crowdsecurity/nginx"
KINDS = ("collections", "parsers", "scenarios", "postoverflows")
BASIC = ("crowdsecurity/syslog-logs", "crowdsecurity/dateparse-enrich")
"""Parsers that every log needs (of the collection crowdsecurity/linux): what a line is, and when it was."""
SIMULATED = ("crowdsecurity/http-bad-user-agent",)
"""In the calm log of the benches (10,000 lines, at their own pace) it bans 16 addresses, most of them
crawlers; no other scenario bans anybody."""
MISNAMED = ("path_traversal.txt", "http_path_traversal.txt")
"""A list as Debian's package names it, and as its own scenario http-path-traversal-probing does, which would
otherwise write about it with every request."""
TABLES = (("ip", "crowdsec"), ("ip6", "crowdsec6"))

ENGINE = """\
common:
  daemonize: false
  log_media: file
  log_level: info
  log_dir: "{directory}/"
  working_dir: "{directory}"
config_paths:
  config_dir: "{etc}/"
  data_dir: "{data}/"
  simulation_path: "{etc}/simulation.yaml"
  hub_dir: "{hub}/"
  index_path: "{hub}/.index.json"
  notification_dir: "{etc}/notifications/"
  plugin_dir: "{etc}/plugins/"
crowdsec_service: {{acquisition_path: "{etc}/acquis.yaml", parser_routines: 1}}
cscli: {{output: raw, color: "no"}}
db_config: {{log_level: info, type: sqlite, db_path: "{data}/crowdsec.db", use_wal: true}}
api:
  client: {{credentials_path: "{etc}/local_api_credentials.yaml"}}
  server: {{log_level: info, listen_uri: "127.0.0.1:{port}", profiles_path: "{etc}/profiles.yaml"}}
prometheus: {{enabled: false}}
"""

LOGS = """\
filenames: ["{directory}/access.log", "{directory}/error.log"]
labels: {{type: nginx}}
"""

BOUNCER = """\
mode: nftables
pid_dir: "{directory}/"
update_frequency: 1s
daemonize: false
log_mode: file
log_dir: "{directory}/"
log_level: info
api_url: "http://127.0.0.1:{port}/"
api_key: {key}
disable_ipv6: false
deny_action: DROP
deny_log: false
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: {{enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}}
  ipv6: {{enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain}}
prometheus: {{enabled: false}}
"""


def needed_items(hub: Path) -> list[str]:
    """The paths in the hub of the collection, and of all that it names, directly or not."""
    index = json.loads((hub / ".index.json").read_text())
    paths, wanted = set(), [("collections", COLLECTION), *(("parsers", each) for each in BASIC)]
    while wanted:
        kind, name = wanted.pop()
        item = index[kind][name]
        if item["path"] not in paths:
            paths.add(item["path"])
            wanted += [
                (each, other) for each in index if each != "blockers" for other in item.get(each) or ()
            ]
    return sorted(paths)


def write_configuration(directory: Path, port: int, key: str) -> tuple[Path, Path]:
    """Into ``directory``; returns the files of the engine and of the bouncer."""
    etc, data, hub = directory / "etc", directory / "data", SHARED / "hub"
    shutil.copytree(SHARED / "data", data)
    (data / MISNAMED[1]).symlink_to(MISNAMED[0])
    shutil.copytree(PACKAGE / "patterns", etc / "patterns")
    shutil.copy(PACKAGE / "profiles.yaml", etc)
    for each in ("notifications", "plugins"):
        (etc / each).mkdir()
    for path in needed_items(
        hub
    ):  # an enabled item is a link without the name of its author, as the package makes it
        item = Path(path)
        link = etc / item.parent.parent / item.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(hub / path)
    (etc / "simulation.yaml").write_text(json.dumps({"simulation": False, "exclusions": list(SIMULATED)}))
    (etc / "acquis.yaml").write_text(LOGS.format(directory=directory))
    engine, bouncer = etc / "config.yaml", etc / "bouncer.yaml"
    engine.write_text(ENGINE.format(directory=directory, etc=etc, data=data, hub=hub, port=port))
    bouncer.write_text(BOUNCER.format(directory=directory, port=port, key=key))
    return engine, bouncer


class CrowdSec(Base):
    """nginx + CrowdSec + its firewall bouncer."""

    name = "crowdsec"

    def is_available(self) -> str | None:
        if not (SHARED / "hub" / ".index.json").exists():
            return f"{SHARED / 'hub'} is missing: Debian's package ships it, others download it"
        return missing("nginx", "crowdsec", "cscli", "crowdsec-firewall-bouncer", "nft", "ip")

    def _bring_up(self, programs: Programs, world: World) -> None:
        start_nginx(programs, world, self.limits, logs=True)
        port = 8081 if world.http_port == 8080 else 8080
        key = uuid.uuid4().hex
        engine, bouncer = write_configuration(programs.directory, port, key)
        programs.run(["ip", "link", "set", "lo", "up"])  # the bouncer asks the engine there
        cscli = ["cscli", "-c", f"{engine}"]
        credentials = ["-f", f"{engine.parent / 'local_api_credentials.yaml'}"]
        programs.run([*cscli, "machines", "add", "bench", "--password", uuid.uuid4().hex, *credentials])
        programs.run([*cscli, "bouncers", "add", "firewall", "--key", key])
        pid = programs.start("crowdsec", ["crowdsec", "-c", f"{engine}"])
        programs.wait_listening("crowdsec", pid, port)
        programs.start("bouncer", ["crowdsec-firewall-bouncer", "-c", f"{bouncer}"])
        family, table = TABLES[0]
        programs.wait("bouncer", lambda: programs.succeeds(["nft", "list", "table", family, table]))

    def alarms(self) -> int:
        """Its bans, the simulated ones left out."""
        return self._count("crowdsec.log", " : 4h ban on ")

    def _clear(self, programs: Programs) -> None:
        for family, table in TABLES:
            programs.succeeds(["nft", "delete", "table", family, table])
