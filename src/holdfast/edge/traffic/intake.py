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

from holdfast.edge.traffic.records import parse
from holdfast.shield.sample import Sample

MOST_WAITING: Final = 4000
"""Samples between two ticks."""


class Intake:
    """``async with`` listens; ``take`` gives what has come since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        """``read``, ``malformed`` (no request for a site), ``dropped``."""
        self._waiting: list[Sample] = []
        self._server: asyncio.Server | None = None
        self._conversations: set[_Conversation] = set()

    async def __aenter__(self) -> Intake:
        self.path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._converse, os.fspath(self.path))
        self.path.chmod(0o666)  # whoever can reach it in the jail may write to it: HAProxy's own account
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for conversation in list(self._conversations):
            conversation.end()
        self.path.unlink(missing_ok=True)

    def take(self) -> list[Sample]:
        taken, self._waiting = self._waiting, []
        return taken

    def _converse(self) -> _Conversation:
        return _Conversation(self)

    def read(self, lines: list[bytes]) -> None:
        """Lines as they come, whole."""
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

    def begun(self, conversation: _Conversation) -> None:
        self._conversations.add(conversation)

    def ended(self, conversation: _Conversation) -> None:
        self._conversations.discard(conversation)


class _Conversation(asyncio.Protocol):
    """One connection of a worker of HAProxy's."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._intake.begun(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._intake.read(lines)

    def connection_lost(self, exc: Exception | None) -> None:
        self._intake.ended(self)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
