"""HAProxy's Runtime API over its Unix sockets: sends text, returns answers. It decides nothing.

Two connections, served by two threads of HAProxy: one for changes, one for scans, so that reading a
table of a million entries never delays a block. A connection stays with the worker it was made to, even
after a reload: whoever reloads calls ``reconnect``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

PROMPT = b"\n> "
BIGGEST_ANSWER = 1 << 30
ANSWER_SECONDS = 30.0


class RuntimeLostError(ConnectionError):
    """The Runtime API does not answer: HAProxy is gone, starting, or the socket is not there."""


class Connection:
    """One interactive session (management guide, section 9.3: ``prompt``), one question at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()

    async def ask(self, texts: Sequence[str]) -> list[str]:
        """Send commands, each ending in a newline, at one go; return an answer for each.

        Raises RuntimeLostError; how many of the commands were performed is then unknown.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    reader, writer = await self._connected()
                    writer.write("".join(texts).encode())
                    await writer.drain()
                    return [await _answer(reader) for _ in texts]
            except (OSError, EOFError, TimeoutError) as lost:
                self.close()
                raise RuntimeLostError(f"no answer at {self._path}: {lost!r}") from lost
            except asyncio.CancelledError:
                self.close()  # an answer may be on its way: the next question must not get it
                raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self._path, limit=BIGGEST_ANSWER)
            reader, writer = self._streams
            writer.write(b"prompt\nset timeout cli 1h\n")
            await writer.drain()
            await _answer(reader)
            await _answer(reader)
        return self._streams

    def close(self) -> None:
        """Forget the connection; the next question makes a new one."""
        if self._streams is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._streams[1].close()
            self._streams = None


async def _answer(reader: asyncio.StreamReader) -> str:
    raw = await reader.readuntil(PROMPT)
    return raw[: -len(PROMPT)].decode(errors="replace")


class Runtime:
    """The two connections to the current worker."""

    def __init__(self, change_socket: str, scan_socket: str) -> None:
        self._change = Connection(change_socket)
        self._scan = Connection(scan_socket)

    async def change(self, texts: Sequence[str]) -> list[str]:
        """Perform commands in order; one answer each. Raises RuntimeLostError."""
        return await self._change.ask(texts)

    async def scan(self, text: str) -> str:
        """Ask something that may take long to answer. Raises RuntimeLostError."""
        return (await self.scans([text]))[0]

    async def scans(self, texts: Sequence[str]) -> list[str]:
        """Ask several such things; one answer each. Raises RuntimeLostError."""
        return await self._scan.ask([text + "\n" for text in texts])

    def reconnect(self) -> None:
        """Leave a worker that has been replaced."""
        self._change.close()
        self._scan.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reconnect()


async def ask_master(path: str, text: str) -> str:
    """One question to the master's socket, which speaks to any worker: ``@!PID COMMAND``.

    Raises RuntimeLostError.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=BIGGEST_ANSWER)
            try:
                writer.write(text.encode())
                writer.write_eof()
                return (await reader.read(-1)).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError) as lost:
        raise RuntimeLostError(f"no answer at {path}: {lost!r}") from lost
