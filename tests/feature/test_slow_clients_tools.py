"""Slow clients, by the tool that made them known (slowhttptest): who sends or reads a few bytes a second
holds up nobody who asks for the same site, and nobody who asks for another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature.lab import running, site
from tests.feature.load import SLOWHTTPTEST_CONNECTIONS, slowhttptest
from tests.feature.origins import origin
from tests.feature.visitors import visiting

SECONDS = 5


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        pytest.param("/", "-H -i 1 -x 24", id="slow headers"),  # slowloris
        pytest.param("/", "-B -i 1 -x 10 -s 8192", id="slow bodies"),  # R-U-Dead-Yet
        pytest.param(
            "/", "-R -a 5 -b 1500 -t HEAD", id="many ranges"
        ),  # CVE-2011-3192, as long as HAProxy takes
        pytest.param("/?count=1000000", "-X -w 1 -y 2 -n 1 -z 1 -k 3", id="slow readers"),
    ],
)
async def test_slow_clients_hold_up_nobody_else(tmp_path: Path, path: str, mode: str) -> None:
    async with origin("a") as one, origin("b") as two:
        sites = [site("a", ["a.test", "localhost"], one.port), site("b", ["b.test"], two.port)]
        async with running(tmp_path, sites) as (lab, edge):
            async with visiting(lab, ["a.test", "b.test"]) as visits:
                attackers = await slowhttptest(lab.http, path, SECONDS, *mode.split())
            # Who asks for many ranges is answered at once, before the tool counts its connections.
            attackers += sum(1 for request in one.requests if request.all("range"))
            assert attackers >= SLOWHTTPTEST_CONNECTIONS * 0.9
            for host, each in visits.items():
                assert each.good >= 0.99, (host, each.statuses)
            assert (edge.starts, edge.reloads) == (1, 0)
