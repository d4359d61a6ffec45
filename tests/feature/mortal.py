"""An origin that can die under its connections, and come back at the same port."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.feature.lab import free_ports


@dataclass
class Mortal:
    """Answers each request with its label, or, told so, closes without an answer."""

    label: str
    port: int
    silent: bool = False
    """It takes requests whole, and then closes the connection."""
    seen: list[str] = field(default_factory=list)
    """The targets of the requests that have arrived whole."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def live(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def die(self) -> None:
        """At once: connections are refused, those that are open are reset."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                if length:
                    await reader.readexactly(int(length[1]))
                self.seen.append(head.split(b" ")[1].decode())
                if self.silent:
                    break
                answer = f"HTTP/1.1 200 OK\r\nX-Origin: {self.label}\r\nContent-Length: 2\r\n\r\nok"
                writer.write(answer.encode())
        self._writers.discard(writer)
        writer.close()


@asynccontextmanager
async def mortal(label: str = "one", *, silent: bool = False) -> AsyncIterator[Mortal]:
    """One that lives; it ends with the ``async with``."""
    made = Mortal(label, free_ports(1)[0], silent)
    await made.live()
    try:
        yield made
    finally:
        await made.die()
