"""Connections of the checked clients, each from an address of its own, opened when they are first used: what
goes wrong with a connection then is the outcome of a request."""

from __future__ import annotations

import asyncio
import time
from typing import Generic, Self, TypeVar

from tests.feature.wire import Http2, Wire, trusting

SECONDS = 15.0
"""To connect, TLS handshake included."""

W = TypeVar("W", bound=Wire)


class Line(Generic[W]):
    """``async with Line(Wire, port, source)``: HTTP/1.1; with the server's ``name`` over TLS; with ``Http2``
    that."""

    def __init__(self, shape: type[W], port: int, source: str, name: str | None = None) -> None:
        self._shape = shape
        self._port = port
        self._source = source
        self._name = name
        self._wire: W | None = None
        self._opening = asyncio.Lock()
        self.opened = time.monotonic()
        """When opening it began."""

    async def wire(self) -> W:
        """The connection. Raises OSError or TimeoutError where there is none to be had."""
        async with self._opening:  # over HTTP/2 several requests are begun at once
            if self._wire is None:
                self._wire = await self._open()
        return self._wire

    async def _open(self) -> W:
        tls = trusting(None, "h2" if self._shape is Http2 else "http/1.1") if self._name else None
        self.opened = time.monotonic()
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=tls, server_hostname=self._name, local_addr=(self._source, 0)
            )
        return self._shape(reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if isinstance(self._wire, Http2):
            self._wire.task.cancel()
            await asyncio.gather(self._wire.task, return_exceptions=True)
        if self._wire is not None:
            self._wire.writer.transport.abort()  # at once: nobody waits for a TLS goodbye
