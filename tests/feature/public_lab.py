"""A lab whose edge shows its own public pages: statements, proofs, grounds, and a log's files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

import holdfast.demo
from holdfast.edge.agent import Edge
from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.own_path import PUBLIC_PATH, with_own_pages
from holdfast.edge.public_side import PublicSide
from holdfast.model.enforcement import Provider
from tests.feature.lab import Lab, eventually, free_ports, lab

PROVIDER = Provider(
    "The Test Co-operative", "https://provider.example/", appeal="https://provider.example/appeal/{id}"
)
GROUNDS = Path(holdfast.demo.__file__).parent / "grounds.toml"
LOG_FILES = {"checkpoint": b"log.test\n0\n", "tile/0/000": b"a tile"}


@dataclass
class PublicLab:
    """A lab, its public side, and what every agent there is configured with."""

    lab: Lab
    configuration: Configuration
    side: PublicSide

    def edge(self) -> Edge:
        """The next agent."""
        return Edge(self.configuration, public=self.side)

    async def get(
        self, path: str, host: str = "a.test", method: str = "GET", **headers: str
    ) -> httpx.Response:
        """One request below the own path of a host."""
        async with self.lab.client(host) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, f"{PUBLIC_PATH}{path}", headers=named)

    async def served(self) -> int:
        """The service's process, once it runs."""
        await eventually(lambda: self.side.pid is not None, 10)
        pid = self.side.pid
        assert pid is not None
        return pid


@asynccontextmanager
async def public_lab(
    directory: Path,
    sites: Sequence[dict[str, Any]],
    provider: Provider = PROVIDER,
    listen: int | None = None,
) -> AsyncIterator[PublicLab]:
    """Without an agent. ``provider`` publishes nowhere else; ``listen``: the service's port. Whatever is left
    of it is ended."""
    files = directory / "log" / "public"
    for name, content in LOG_FILES.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_bytes(content)
    async with lab(directory) as made:
        address = f"127.0.0.1:{listen or free_ports(1)[0]}"
        made.ledger |= {"listen": address, "directory": str(directory / "log"), "grounds": str(GROUNDS)}
        plain = made.configuration(sites)
        configuration = replace(plain, provider=with_own_pages(provider))
        side = PublicSide(configuration)
        try:
            yield PublicLab(made, configuration, side)
        finally:
            await side.stop()
