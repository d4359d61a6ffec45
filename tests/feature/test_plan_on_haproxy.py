"""Random desired states on a real HAProxy, one after the other and sometimes several at once: it then holds
what it should, in the end nothing is left over, and a start on the rendered files gives the same picture."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.dataplane.process import Master
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.read import read_picture
from holdfast.model.ban import Ban
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from tests.feature.lab import Lab, enforcement, eventually, lab, released, write_certificate

ROUNDS = 25
LABELS = "abcdef"
FILE_HOSTS = [f"{label}.file.test" for label in LABELS] + ["*.w.file.test", "x.w.file.test"]
GIVEN_HOSTS = [f"{label}.given.test" for label in LABELS] + ["*.w.given.test", "x.w.given.test"]
NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "2001:db8::/48", "2001:db8::1/128"]
PREFIXES = ["/p/", "/p/q/", "/a;b/", "/c\\d/", "/\"e'/", "/%3c#~<<!/"]


class Dice:
    """Random sites, blocks and bans; a seed repeats them."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = random.Random(seed)
        names = [*FILE_HOSTS, *GIVEN_HOSTS]
        self.certificates = [str(write_certificate(directory / f"{each}.pem", *names)) for each in range(3)]
        self.authorities = [
            str(write_certificate(directory / f"ca{each}.pem", "o.test")) for each in range(2)
        ]

    def some(self, choices: list[str], most: int) -> list[str]:
        return self.random.sample(choices, self.random.randint(0, min(most, len(choices))))

    def origin(self) -> dict[str, Any]:
        origin: dict[str, Any] = {
            "address": self.random.choice(["127.0.0.1", "::1"]),
            "port": self.random.randint(1, 4),
        }
        kind = self.random.randrange(4)
        if kind == 1:
            origin |= {"scheme": "https", "server_name": "o.test", "ca": self.random.choice(self.authorities)}
        elif kind == 2:
            origin |= {"scheme": "https", "server_name": "o.test", "protocol": "h2"}
        elif kind == 3:
            origin |= {"protocol": "h2"}
        return origin

    def site(self, name: str, hostnames: list[str]) -> dict[str, Any]:
        base: dict[str, Any] = {"name": name, "hostnames": hostnames, "customer": self.random.choice("xyz")}
        if self.random.random() < 0.2:
            return base | {"service": "tcp", "origins": [{"address": "127.0.0.1", "port": 443}]}
        origins = [self.origin() for _ in range(self.random.randint(1, 3))]
        base["origins"] = [each for number, each in enumerate(origins) if each not in origins[:number]]
        base["allow"] = self.some(NETWORKS, 2)
        base["limits"] = {"origin_connections": self.random.randint(1, 3)}
        if self.random.random() < 0.5:
            base["limits"]["requests_per_second"] = self.random.randint(1, 3)
        if self.random.random() < 0.6:
            base["certificate"] = self.random.choice(self.certificates)
            base["https"] = self.random.choice(["optional", "redirect", "strict"])
        return base

    def file(self) -> list[dict[str, Any]]:
        """Sites that share out hostnames anew: some move from one to another."""
        hosts = FILE_HOSTS.copy()
        self.random.shuffle(hosts)
        sites = []
        for name in self.some(["f1", "f2", "f3"], 3):
            count = self.random.randint(1, 3)
            mine, hosts = hosts[:count], hosts[count:]
            if mine:
                sites.append(self.site(name, mine))
        return sites


async def change(edge: Edge, made: Lab, dice: Dice) -> None:
    """One change of a random kind."""
    kind = dice.random.randrange(8)
    given = [name for name in edge.desired.sites if name.startswith("g")]
    if kind == 0:
        await edge.apply(made.configuration(dice.file()))
    elif kind in (1, 2):
        name = dice.random.choice(["g1", "g2", "g3"])
        mine = edge.desired.sites[name].hostnames if name in edge.desired.sites else ()
        free = [host for host in GIVEN_HOSTS if host not in edge.desired.owners or host in mine]
        if free:
            await edge.put_site(dice.site(name, dice.random.sample(free, min(len(free), 2))))
    elif kind == 3 and given:
        await edge.remove_site(dice.random.choice(given))
    elif kind == 4:
        site = dice.random.choice(["f1", "f2", "g1", "g2"])
        scopes: list[Scope] = [
            SiteScope(site),
            CustomerScope(dice.random.choice("xyz")),
            HostScope(f"{dice.random.choice(LABELS)}.file.test"),
            PathScope(site, dice.random.choice(PREFIXES)),
        ]
        scope = dice.random.choice(scopes)
        await edge.block(released(enforcement(scope, authority=dice.random.choice(["", "Court"]))))
    elif kind == 5 and edge.desired.enforcements:
        await edge.unblock(dice.random.choice(sorted(edge.desired.enforcements)))
    elif kind == 6:
        network = ip_network(dice.random.choice(NETWORKS))
        await edge.ban(Ban(network, datetime.now(UTC) + timedelta(seconds=dice.random.randint(50, 60))))
    elif kind == 7 and edge.desired.bans:
        await edge.unban(dice.random.choice(sorted(edge.desired.bans, key=str)))


def in_full(picture: Picture) -> tuple[object, ...]:
    """A picture with what can be read back of all that comparing two leaves out."""
    patterns = {name: each.patterns for name, each in picture.certificates.items()}
    return picture.maps, picture.servers, patterns, picture.strays, picture.authorities


@pytest.mark.parametrize("seed", range(3))
async def test_any_state_after_any_other(tmp_path: Path, seed: int) -> None:
    dice = Dice(seed, tmp_path)
    async with lab(tmp_path) as made:
        async with Edge(made.configuration(dice.file())) as edge:
            for _ in range(ROUNDS):
                await asyncio.gather(*(change(edge, made, dice) for _ in range(dice.random.randint(1, 3))))
                assert (await edge.reconciler.difference()).now == []
            assert (edge.starts, edge.reloads, edge.reconciler.counts["refused"]) == (1, 0, 0)
            assert edge.reconciler.trouble == ""

            async def is_tidy() -> bool:
                return not await edge.reconciler.difference()

            await eventually(is_tidy, 20)
            wanted = edge.reconciler.wanted
            held = await read_picture(edge.runtime, edge.places)
            assert in_full(held) == in_full(wanted)
        master = Master(made.run_dir)
        await master.stop(0)
        await master.start()
        async with Runtime(str(made.run_dir / "change.sock"), str(made.run_dir / "scan.sock")) as runtime:
            assert in_full(await read_picture(runtime, edge.places)) == in_full(wanted)
