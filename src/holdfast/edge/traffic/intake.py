"""Takes in the samples: a stream socket in HAProxy's jail, to which HAProxy connects by itself.

HAProxy keeps the lines in memory meanwhile, and overwrites what is not fetched in time: a flood costs
samples, never requests. What is beyond the budget here is counted and dropped unread.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Final

import structlog

from holdfast.edge.traffic.records import parse
from holdfast.shield.sample import Sample

MOST_WAITING: Final = 4000
"""Samples between two ticks."""
BLOCK: Final = 1 << 16

log = structlog.get_logger()


class Intake:
    """``async with`` listens; ``take`` gives what has come since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        """``read``, ``malformed`` (no request for a site), ``dropped``."""
        self._waiting: list[Sample] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Intake:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, os.fspath(self.path))
        self.path.chmod(0o666)  # whoever can reach it in the jail may write to it: HAProxy's own account
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self.path.unlink(missing_ok=True)

    def take(self) -> list[Sample]:
        taken, self._waiting = self._waiting, []
        return taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        rest = b""
        try:
            while block := await reader.read(BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                self._read(lines)
        except OSError as lost:
            log.info("the connection for samples was lost", why=str(lost))
        finally:
            self._writers.discard(writer)
            writer.close()

    def _read(self, lines: list[bytes]) -> None:
        room = MOST_WAITING - len(self._waiting)
        if len(lines) > room:
            self.counts["dropped"] += len(lines) - room
            lines = lines[:room]
        for line in lines:
            sample = parse(line.decode("latin-1"))
            if sample is None:
                self.counts["malformed"] += 1
            else:
                self.counts["read"] += 1
                self._waiting.append(sample)
