"""A thousand random changes at run time, while others are visited: no request of theirs fails, nothing is
left over, and no slot is lost."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any

from holdfast.edge.agent import Edge
from holdfast.model.ban import Ban
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, SiteScope
from holdfast.model.site import Service
from tests.feature.lab import enforcement, eventually, released, running, site, write_certificate
from tests.feature.load import ANY_CONNECTIONS, ANY_RATE, curl_http2, wrk
from tests.feature.nginx import nginx_origin

CHANGES = 1000
NAMES = 40


class Hammer:
    """Makes one random change after the other; ``random`` decides, so that a seed repeats a run."""

    def __init__(self, edge: Edge, origin: int, certificates: list[str], seed: int) -> None:
        self._edge = edge
        self._origin = origin
        self._certificates = certificates
        self._random = random.Random(seed)
        self._sites: set[str] = set()

    async def strike(self) -> None:
        """One change."""
        changes = (
            self._put_site,
            self._put_site,
            self._remove_site,
            self._block,
            self._unblock,
            self._ban,
            self._unban,
        )
        await self._random.choice(changes)()

    async def tidy(self) -> None:
        """Take everything back."""
        while self._sites:
            await self._remove_site()
        while self._edge.desired.enforcements:
            await self._unblock()
        while self._edge.desired.bans:
            await self._unban()

    async def _put_site(self) -> None:
        number = self._random.randrange(NAMES)
        name = f"n{number}"
        more: dict[str, Any] = {"customer": f"c{number % 3}"}
        if self._random.random() < 0.4:
            more["certificate"] = self._random.choice(self._certificates)
        if self._random.random() < 0.4:
            more["limits"] = {"requests_per_second": self._random.randint(1, 100)}
        if self._random.random() < 0.4:
            more["allow"] = [f"127.{self._random.randint(1, 9)}.0.0/16"]
        hostnames = [f"{label}.n{number}.test" for label in self._random.sample("abcdef", 3)]
        await self._edge.put_site(site(name, hostnames, self._origin, **more))
        self._sites.add(name)

    async def _remove_site(self) -> None:
        if self._sites:
            name = self._random.choice(sorted(self._sites))
            self._sites.remove(name)
            await self._edge.remove_site(name)

    async def _block(self) -> None:
        number = self._random.randrange(NAMES)
        scopes = (
            SiteScope(f"n{number}"),
            CustomerScope(f"c{number % 3}"),
            HostScope(f"a.n{number}.test"),
            PathScope(f"n{number}", f"/p{self._random.randrange(5)}/"),
        )
        await self._edge.block(released(enforcement(self._random.choice(scopes))))

    async def _unblock(self) -> None:
        if self._edge.desired.enforcements:
            await self._edge.unblock(self._random.choice(sorted(self._edge.desired.enforcements)))

    async def _ban(self) -> None:
        source = ip_network((IPv4Address("127.1.0.0") + self._random.randrange(2**19), 32))
        await self._edge.ban(Ban(source, datetime.now(UTC) + timedelta(seconds=60)))

    async def _unban(self) -> None:
        if self._edge.desired.bans:
            await self._edge.unban(self._random.choice(sorted(self._edge.desired.bans, key=str)))


async def test_a_thousand_changes_hurt_nobody_else(tmp_path: Path) -> None:
    names = [f"{label}.n{number}.test" for label in "abcdef" for number in range(NAMES)]
    certificates = [str(write_certificate(tmp_path / f"{each}.pem", *names)) for each in range(2)]
    own = str(write_certificate(tmp_path / "own.pem", "localhost"))
    async with nginx_origin(tmp_path) as origin:
        quiet = [
            site("quiet", ["quiet.test"], origin, limits=ANY_RATE),
            site("tls", ["localhost"], origin, certificate=own, limits=ANY_RATE),
        ]
        async with running(tmp_path, quiet, shield="watch", **ANY_CONNECTIONS) as (made, edge):
            hammer = Hammer(edge, origin, certificates, seed=20261122)
            async with (
                wrk(made.http, "quiet.test") as kept,
                wrk(made.http, "quiet.test", "Connection: close") as fresh,
                wrk(made.https, "localhost", tls=True) as tls,
                curl_http2(made.https, "localhost") as h2,
            ):
                for _ in range(CHANGES):
                    await hammer.strike()
            for load in (kept, fresh, tls, h2):
                assert load.requests > 100, load
                assert load.failures == [], load
            assert (edge.starts, edge.reconciler.counts["refused"]) == (1, 0)
            assert edge.reloads <= 1, "a thousand changes in seconds may be faster than slots come free"
            assert not (await edge.reconciler.difference()).now
            await hammer.tidy()

            async def nothing_left() -> bool:
                await asyncio.sleep(0.5)  # comparing is work, too
                return not await edge.reconciler.difference()

            await eventually(nothing_left, 45)
            assert edge.pools[Service.WEB].free == edge.pools[Service.WEB].size - len(quiet), (
                "no slot is lost"
            )
