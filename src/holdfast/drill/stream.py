"""Sends one party's requests at a steady rate, each on a connection of its own, to loopback and nowhere else.

Bounded in rate, in time and in what is open at once. Not here: who asks for what (``parties``), for how long
(``plan``).
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Final

from holdfast.drill.parties import Party, request, source
from holdfast.drill.plan import MOST_RATE, MOST_SECONDS
from holdfast.drill.tally import Answer, Outcome, outcome_of
from holdfast.drill.target import Target
from holdfast.model.errors import HoldfastError, error

PATIENCE: Final = 3.0
"""Seconds that a client waits for an answer."""
STEP: Final = 0.02
LONGEST_HEAD, LONGEST_PAGE = 16 * 1024, 256 * 1024
BIND_ADDRESS_NO_PORT: Final = 24
"""IP_BIND_ADDRESS_NO_PORT of ip(7), for which the socket module has no name: ports are found at connect, so
that thousands of sources do not use them up."""


class Stream:
    """One party's requests, and their answers so far."""

    def __init__(self, party: Party, target: Target, seed: int, begin: float, most_open: int) -> None:
        """``begin``: of the drill, by the loop's clock."""
        self.sent = 0
        self.answers: list[Answer] = []
        self._party, self._target, self._seed, self._begin = party, target, seed, begin
        self._most_open = most_open
        self._open: set[asyncio.Task[None]] = set()
        self._wrong: HoldfastError | None = None

    async def run(self, rate: float, seconds: float) -> None:
        """Send; then wait for what is under way. Raises ValueError for more than a drill may send,
        HoldfastError where a connection does not end at loopback."""
        if not (0 <= rate <= MOST_RATE and 0 <= seconds <= MOST_SECONDS):
            raise ValueError(f"{rate} requests/s for {seconds} s is more than a drill may send")
        loop = asyncio.get_running_loop()
        started, sent = loop.time(), 0
        try:
            while (passed := loop.time() - started) < seconds:
                # After a pause what was missed is not sent at one go.
                due = min(passed * rate, sent + rate * STEP * 4 + 1)
                while sent < due and len(self._open) < self._most_open:
                    self._start()
                    sent += 1
                await asyncio.sleep(STEP)
                if self._wrong:
                    raise self._wrong
            await asyncio.gather(*self._open)
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _start(self) -> None:
        task = asyncio.create_task(self._one(self.sent))
        self.sent += 1
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _one(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        at, head = loop.time(), b""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await self._ask(number)
        except HoldfastError as wrong:
            self._wrong = wrong
            return
        except (OSError, TimeoutError):
            pass  # refused, or dropped
        outcome = outcome_of(head) if head else Outcome.SILENT
        self.answers.append(Answer(self._party, at - self._begin, outcome, loop.time() - at))

    async def _ask(self, number: int) -> bytes:
        """The head of the answer; a visitor reads the whole page."""
        loop, target = asyncio.get_running_loop(), self._target
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source(self._party, number, self._seed), 0))
            await loop.sock_connect(sock, (target.address, target.port))
            check_peer(sock.getpeername()[0])
            await loop.sock_sendall(sock, request(self._party, number, self._seed, target.authority))
            head, received = b"", 0
            longest = LONGEST_PAGE if self._party is Party.VISITORS else LONGEST_HEAD
            while received < longest and (part := await loop.sock_recv(sock, 16 * 1024)):
                received += len(part)
                head = head if b"\r\n\r\n" in head else head + part
                if self._party is Party.FLOOD and b"\r\n\r\n" in head:
                    break
            return head


def check_peer(address: str) -> None:
    """Raises HoldfastError unless it is loopback: asked of the connection itself, before anything is sent."""
    if not ip_address(address).is_loopback:
        raise error(
            f"the connection ended at {address}, which is not this machine's loopback",
            "nothing was sent; look at this machine's routes and NAT rules",
        )
