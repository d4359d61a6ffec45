"""Whatever is refused is told by site and reason: in ``holdfast status``, as text and as JSON, and in the
metrics. Connections that are refused before any site is known are told for the whole edge."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

from holdfast.model.enforcement import SiteScope
from tests.feature.clients import REFUSED, ask, status
from tests.feature.lab import Lab, block_at, site
from tests.feature.load import ANY_CONNECTIONS
from tests.feature.origins import origin
from tests.feature.provocations import PROVOCATIONS
from tests.feature.test_cli import Shell, shell

__all__ = ["shell"]  # a fixture
BANNED, MANY, OTHER = "127.0.0.9", "127.0.0.10", "127.0.0.11"


async def run(shell: Shell, *words: str) -> str:
    done = await asyncio.to_thread(shell.run, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def metrics(shell: Shell) -> list[str]:
    def get() -> str:
        url = f"http://127.0.0.1:{shell.metrics}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    return (await asyncio.to_thread(get)).splitlines()


async def test_each_reason_is_told_by_site(shell: Shell) -> None:
    async with origin() as one:
        sites = [
            site(
                f"{name}{suffix}", [f"{name}{suffix}.test"], one.port, limits=case.limits, watch_only=watching
            )
            for name, case in PROVOCATIONS.items()
            for suffix, watching in (("", False), ("-watched", True))
        ]
        shell.configure(*sites, site("blocked", ["blocked.test"], one.port), **ANY_CONNECTIONS)
        lab = Lab(shell.directory, shell.http, 0)
        with shell.up():
            for document in sites:
                name = document["name"]
                case = PROVOCATIONS[name.removesuffix("-watched")]
                expected = [200] * len(case.statuses) if document["watch_only"] else list(case.statuses)
                assert await case.provoke(lab, one, f"{name}.test") == expected, name
            await asyncio.to_thread(block_at, shell.directory / "holdfast.toml", SiteScope("blocked"))
            for _ in range(4):
                assert await status(lab, host="blocked.test") == 403
            told = {row["name"]: row for row in json.loads(await run(shell, "status", "--json"))["sites"]}
            text, lines = (await run(shell, "status")).splitlines(), await metrics(shell)
    for name, case in PROVOCATIONS.items():
        reason, count = case.reason.name.lower(), len(case.statuses)
        assert (told[name]["refused"], told[name]["watched"]) == ({reason: count}, {})
        watched = told[f"{name}-watched"]
        assert (watched["refused"], watched["watched"]) == ({}, {reason: count})
        words = f"{count} {reason.replace('_', ' ')}"
        assert f"  {name}: {words}" in text
        assert f"  {name}-watched: {words} would have been (it only watches)" in text
        assert f'holdfast_site_refused_total{{reason="{reason}",site="{name}"}} {count}.0' in lines
        assert f'holdfast_site_watched_total{{reason="{reason}",site="{name}-watched"}} {count}.0' in lines
    assert told["blocked"]["refused"] == {"blocked": 4}
    assert "  blocked: 4 blocked" in text
    assert 'holdfast_site_refused_total{reason="blocked",site="blocked"} 4.0' in lines
    # Nothing else was refused, for whatever reason.
    counted = [
        line for line in lines if line.startswith(("holdfast_site_refused_total", "holdfast_site_wat"))
    ]
    assert len(counted) == 2 * len(PROVOCATIONS) + 1


async def test_requests_that_waited_are_told(shell: Shell) -> None:
    case = PROVOCATIONS["queue"]
    async with origin() as one:
        shell.configure(site("a", ["a.test"], one.port, limits=case.limits))
        lab = Lab(shell.directory, shell.http, 0)
        with shell.up():
            assert await case.provoke(lab, one, "a.test") == [503]
            (row,) = json.loads(await run(shell, "status", "--json"))["sites"]
            assert (row["waited"], row["waiting"]) == (1, 0)
            assert 'holdfast_site_waited_total{site="a"} 1.0' in await metrics(shell)


async def test_connections_are_told_for_the_edge(shell: Shell, tmp_path: Path) -> None:
    """By reason; beside them requests for hosts that no site has, and such that cannot be read."""
    async with origin() as one:
        shell.configure(site("a", ["a.test"], one.port), connections_per_second=1)
        lab = Lab(shell.directory, shell.http, 0)
        with shell.up():
            await run(shell, "ban", BANNED)
            assert [await status(lab, BANNED) for _ in range(3)] == [REFUSED] * 3
            assert [await status(lab, MANY) for _ in range(15)].count(REFUSED) == 5
            assert [await status(lab, OTHER, "b.test") for _ in range(2)] == [421, 421]
            assert (await ask(lab, OTHER, path="/a b")).status == 400
            told = json.loads(await run(shell, "status", "--json"))
            text, lines = await run(shell, "status"), await metrics(shell)
    assert told["refused_connections"] == {"banned": 3, "rate": 5, "at_once": 0}
    assert "Connections refused: 3 banned, 5 rate · requests for unknown hosts: 2 · malformed: 1" in text
    assert "would have been" not in text
    for line in (
        'holdfast_connections_refused_total{reason="banned"} 3.0',
        'holdfast_connections_refused_total{reason="rate"} 5.0',
        'holdfast_connections_refused_total{reason="at_once"} 0.0',
        'holdfast_connections_watched_total{reason="rate"} 0.0',
        "holdfast_unknown_hosts_total 2.0",
        "holdfast_malformed_requests_total 1.0",
    ):
        assert line in lines


async def test_connections_that_are_only_watched_are_told(shell: Shell) -> None:
    async with origin() as one:
        shell.configure(site("a", ["a.test"], one.port), connections_per_second=1, watch_only=True)
        lab = Lab(shell.directory, shell.http, 0)
        with shell.up():
            assert {await status(lab, MANY) for _ in range(15)} == {200}
            text, lines = await run(shell, "status"), await metrics(shell)
    assert "Connections that would have been refused: 5 rate" in text
    assert 'holdfast_connections_watched_total{reason="rate"} 5.0' in lines
    assert 'holdfast_connections_refused_total{reason="rate"} 0.0' in lines
