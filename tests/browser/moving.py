"""Someone whose address changes while they read: a SOCKS 5 proxy (RFC 1928) on loopback that a browser's
context goes through, and that reaches this machine from whatever address the test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_NO_AUTHENTICATION = b"\x05\x00"
_CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
_BY_NAME = 3


@dataclass
class Moving:
    source: str = "127.0.0.1"
    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def proxy(self) -> str:
        return f"socks5://127.0.0.1:{self.port}"

    def move(self, source: str) -> None:
        """From now on; what is open ends, as it does when a telephone leaves a network."""
        self.source = source
        for each in self._open:
            each.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await reader.readexactly((await reader.readexactly(2))[1])
            writer.write(_NO_AUTHENTICATION)
            kind = (await reader.readexactly(4))[3]
            assert kind == _BY_NAME, "Chromium leaves names to the proxy"
            await reader.readexactly((await reader.readexactly(1))[0])
            port = int.from_bytes(await reader.readexactly(2))
            back, forth = await asyncio.open_connection("127.0.0.1", port, local_addr=(self.source, 0))
            writer.write(_CONNECTED)
            self._open |= {writer, forth}
            await asyncio.gather(_pass(reader, forth), _pass(back, writer))
        writer.close()


@asynccontextmanager
async def moving(source: str) -> AsyncIterator[Moving]:
    made = Moving(source)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        made.move(source)
        server.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
