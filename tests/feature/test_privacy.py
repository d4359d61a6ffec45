"""No client address comes to lie on a disk, and HAProxy writes down no requests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from holdfast.model.ban import Ban
from holdfast.model.enforcement import SiteScope
from tests.feature.lab import echo_origin, enforcement, eventually, released, running, site

VISITOR = "127.9.8.7"


async def test_no_client_address_comes_to_lie_on_a_disk(tmp_path: Path) -> None:
    """After traffic, a block, a limit that is hit, and a ban."""
    with echo_origin() as port:
        sites = [site("a", ["a.test"], port, limits={"requests_per_second": 1}), site("b", ["b.test"], port)]
        await _leave_traces(tmp_path, sites)


async def _leave_traces(tmp_path: Path, sites: list[dict[str, Any]]) -> None:
    async with running(tmp_path, sites) as (made, edge):
        await edge.block(released(enforcement(SiteScope("b"))))
        seen = [await made.status("a.test", source=VISITOR) for _ in range(15)]
        assert (seen[0], seen[-1], await made.status("b.test", source=VISITOR)) == (200, 429, 403)
        await edge.ban(Ban(ip_network(VISITOR), datetime.now(UTC) + timedelta(seconds=60)))
        assert await made.status("a.test", source=VISITOR) == 0
        await eventually(lambda: holding(made.run_dir / "maps", VISITOR))
        await edge.reload()
        on_disk = holding(tmp_path, "")
        assert "edge.db" in on_disk
        assert holding(tmp_path, VISITOR) == []
        assert holding(made.run_dir, VISITOR) == ["bans.map"]
        configuration = await asyncio.to_thread((made.run_dir / "haproxy.cfg").read_text)
        logs = [line.split() for line in configuration.splitlines() if line.split()[:1] == ["log"]]
        assert [each[1] for each in logs] == ["ring@samples"], "samples stay in memory"


def holding(directory: Path, text: str) -> list[str]:
    """The names of the files below ``directory`` that ``text`` is in."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]
