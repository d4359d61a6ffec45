"""Load from many addresses: each client has one, and one kept-alive connection. A single address would soon
meet the ceiling for clients without a clearance.

Plain system calls in one loop. What the proxy spends is the same as under wrk, which has one address only:
the benchmark measures nginx under both.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import TracebackType
from typing import Final, Self

FIRST: Final = IPv4Address("127.80.0.1")
"""Of the loopback addresses that nothing else here uses; the next client is of the next /24."""
APART: Final = 256
LONGEST: Final = 65_536
"""Bytes of an answer that are read at once."""
BURST: Final = 8
"""Requests that are sent at once, at most, where a rate is kept."""
PATIENCE: Final = 5.0
"""Seconds without any answer after which something is wrong."""
_RESET: Final = struct.pack("ii", 1, 0)
_MOST_EVENTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, over and over, and how its answer begins and ends."""

    texts: Sequence[bytes]
    """The next one for each request, and from the beginning again."""
    status: int
    ending: bytes
    """What the answer's last bytes are: no header is looked at."""
    body: int = 0
    """Its bytes, where its end is no mark: it is all of one letter."""

    @property
    def beginning(self) -> bytes:
        return f"HTTP/1.1 {self.status} ".encode()

    def is_whole(self, data: bytes) -> bool:
        """Whether all of an answer has come."""
        if not data.endswith(self.ending):
            return False
        if not self.body:
            return True
        head = data.find(b"\r\n\r\n")
        return head >= 0 and len(data) >= head + 4 + self.body


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a moment's load."""

    count: int
    seconds: float
    wrong: int
    """Those with another status."""
    example: bytes
    """The last answer."""


class Crowd:
    """``with Crowd(port, clients)``: all are connected within."""

    def __init__(self, port: int, clients: int, first: IPv4Address = FIRST, apart: int = APART) -> None:
        self._port, self._clients, self._first, self._apart = port, clients, first, apart
        self._open: dict[int, socket.socket] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for number in range(self._clients):
                connection = stack.enter_context(socket.socket())
                # Leaves nothing behind that would hold the port for a minute.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.bind((str(self._first + number * self._apart), 0))
                connection.connect(("127.0.0.1", self._port))
                connection.setblocking(False)
                self._open[connection.fileno()] = connection
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        self._stack.close()

    def ask(self, request: Request, seconds: float) -> Answers:
        """Each client asks again as soon as it has its answer, for so long. Raises RuntimeError where no
        answer comes, or a connection is closed."""
        texts, is_whole, beginning = request.texts, request.is_whole, request.beginning
        turn, turns = len(self._open) % len(texts), len(texts)
        count = wrong = 0
        data = b""
        parts: dict[int, bytes] = {}
        with select.epoll() as ready:
            for place, number in enumerate(self._open):
                ready.register(number, select.EPOLLIN)
                os.write(number, texts[place % turns])
            began = time.monotonic()
            while (now := time.monotonic()) < began + seconds:
                for number in self._ready(ready, PATIENCE):
                    data = os.read(number, LONGEST)
                    if number in parts:
                        data = parts.pop(number) + data
                    if not is_whole(data):
                        parts[number] = self._more(data)
                        continue
                    count += 1
                    if not data.startswith(beginning):
                        wrong += 1
                    os.write(number, texts[turn])
                    turn = turn + 1 if turn + 1 < turns else 0
        return Answers(count, now - began, wrong, data)

    def pace(self, requests: Sequence[Request], rate: float, seconds: float) -> list[list[float]]:
        """So many requests a second in all, in turn of each kind, for so long: how long each answer took,
        in seconds, by kind. What finds no client free is not sent, nor what could not be sent in time but
        for ``BURST``: a burst would wait for itself. Raises RuntimeError at any other answer than the
        expected one."""
        took: list[list[float]] = [[] for _ in requests]
        idle = deque(self._open)
        sent_at: dict[int, tuple[int, float]] = {}
        parts: dict[int, bytes] = {}
        sent, due = 0, 0.0
        with select.epoll() as ready:
            for number in self._open:
                ready.register(number, select.EPOLLIN)
            before = time.monotonic()
            until = before + seconds
            while (now := time.monotonic()) < until or sent_at:
                if now > until + PATIENCE:
                    raise RuntimeError(f"{len(sent_at)} answers are still due at port {self._port}")
                due, before = min(BURST, due + rate * (now - before)), now
                while now < until and idle and due >= 1:
                    due -= 1
                    number, kind = idle.popleft(), sent % len(requests)
                    sent_at[number] = (kind, time.monotonic())
                    texts = requests[kind].texts
                    os.write(number, texts[sent // len(requests) % len(texts)])
                    sent += 1
                for number in self._ready(ready, 0.001, may_be_none=True):
                    data = parts.pop(number, b"") + os.read(number, LONGEST)
                    kind, began_at = sent_at[number]
                    if not requests[kind].is_whole(data):
                        parts[number] = self._more(data)
                        continue
                    took[kind].append(time.monotonic() - began_at)
                    if not data.startswith(requests[kind].beginning):
                        raise RuntimeError(f"port {self._port}: not the expected answer: {data[:200]!r}")
                    del sent_at[number]
                    idle.append(number)
        return took

    def _ready(self, ready: select.epoll, seconds: float, may_be_none: bool = False) -> list[int]:
        found = ready.poll(seconds, _MOST_EVENTS)
        if not found and not may_be_none:
            raise RuntimeError(f"no answer at port {self._port} for {seconds:g} s")
        return [number for number, _ in found]

    def _more(self, data: bytes) -> bytes:
        """What has come of an answer, if more may come."""
        if not data or len(data) > LONGEST:
            raise RuntimeError(f"port {self._port}: closed, or an answer without its end: {data[-200:]!r}")
        return data
