"""The sender of floods over HTTP/1: one loop over epoll, without a library between it and the sockets, so
that a few thousand requests a second cost it a part of a core.

Open loop: what is due is sent, whether or not earlier requests have been answered, up to a number of open
connections. What it cannot send in time it does not send later either; that is counted.
"""

from __future__ import annotations

import contextlib
import errno
import math
import re
import select
import socket
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

from bench.floods.answers import (
    Answer,
    Offer,
    Step,
    Work,
    is_challenge,
    offers_proof,
    parse_head,
    proof,
    redirect,
    timed_link,
)
from bench.floods.records import Bot
from bench.floods.shots import BotState, Schedule, Shooter, Shot
from bench.floods.work import Solvers

BIND_WITHOUT_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>: the port is chosen when it is known whither
MOST_OPEN = 15_000
CATCH_UP = 0.25
"""Seconds of its rate that it sends at once after it was held up."""
TICK = 0.002
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ORIGIN = re.compile(rb"\r\nx-origin: *1", re.IGNORECASE)


@dataclass(slots=True)
class Open:
    """One connection."""

    socket: socket.socket
    bot: BotState
    shot: Shot
    sent: float
    data: bytes = b""
    asked: int = 0
    """Requests that have been answered on it."""
    is_connected: bool = False
    is_idle: bool = False
    number: int = 0
    """Of the request in progress: a deadline that was noted for an earlier one is none."""


class Engine:
    """``run`` sends a whole flood; afterwards ``records`` has what became of it."""

    def __init__(self, shooter: Shooter, schedule: Schedule, aim: tuple[str, int], flood: int) -> None:
        self.records: list[Bot] = []
        self.held_back = 0
        self._shooter = shooter
        self._spec = shooter.spec
        self._schedule = schedule
        self._aim = aim
        self._flood = flood
        self._epoll = select.epoll()
        self._open: dict[int, Open] = {}
        self._idle: deque[Open] = deque()
        self._deadlines: deque[tuple[float, int, int]] = deque()
        self._fires = bool(self._spec.follows_link or self._spec.solves)
        self._numbers = 0
        self._solvers = Solvers()

    def run(self) -> None:
        """From the schedule's begin to its end, and until the last answer or time-out."""
        sent = 0
        while True:
            now = time.monotonic()
            due = self._schedule.due(now) - sent
            if due > (most := max(1, int(CATCH_UP * self._schedule.rate))):
                self.held_back += due - most
                sent, due = sent + due - most, most
            for _ in range(due):
                sent += 1
                if not self.fire(now):
                    self.held_back += 1
            if now >= self._schedule.end and not self._busy():
                break
            for number, events in self._epoll.poll(TICK):
                if (connection := self._open.get(number)) is not None:
                    self._ready(connection, events)
            self._expire()
        self._solvers.close()
        for connection in list(self._open.values()):
            self._close(connection)
        self._epoll.close()

    def _busy(self) -> bool:
        return any(not connection.is_idle for connection in self._open.values())

    def fire(self, now: float) -> bool:
        """Send one request, on a connection that is kept or on a new one."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_idle and connection.bot.ready <= now:
                connection.is_idle, connection.sent = False, now
                connection.shot = self._shooter.shot(connection.bot)
                self._note_deadline(connection)
                self._send(connection)
                return True
        if len(self._open) >= MOST_OPEN or (chosen := self._shooter.next(now)) is None:
            return False
        bot, shot = chosen
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.IPPROTO_IP, BIND_WITHOUT_PORT, 1)
        opened.bind((bot.address, 0))
        connection = Open(opened, bot, shot, now)
        result = opened.connect_ex(self._aim)
        if result not in (0, errno.EINPROGRESS):
            self._record(connection, time.monotonic(), 0, False)
            opened.close()
            return True
        self._open[opened.fileno()] = connection
        self._epoll.register(opened.fileno(), select.EPOLLOUT)
        self._note_deadline(connection)
        return True

    def _note_deadline(self, connection: Open) -> None:
        self._numbers += 1
        connection.number = self._numbers
        self._deadlines.append(
            (connection.sent + self._spec.timeout, connection.socket.fileno(), self._numbers)
        )

    def _ready(self, connection: Open, events: int) -> None:
        try:
            if not connection.is_connected and events & select.EPOLLOUT:
                connection.is_connected = True
                self._epoll.modify(connection.socket.fileno(), select.EPOLLIN)
                self._send(connection)
            else:
                self._receive(connection)
        except OSError:
            self._lost(connection)

    def _send(self, connection: Open) -> None:
        connection.data = b""
        with contextlib.suppress(BlockingIOError):
            try:
                connection.socket.send(connection.shot.http1())
            except OSError:
                self._lost(connection)

    def _receive(self, connection: Open) -> None:
        data = connection.socket.recv(65_536)
        if not data:
            self._lost(connection)
            return
        connection.data += data
        end = connection.data.find(b"\r\n\r\n")
        if end < 0 or connection.is_idle:
            return
        head = connection.data[: end + 2]
        keeps = self._spec.requests_per_connection > connection.asked + 1
        if keeps or self._fires:
            length = LENGTH.search(head)
            if length is None and b"chunked" in head.lower():
                if not connection.data.endswith(b"0\r\n\r\n"):
                    return
            elif length is not None and len(connection.data) < end + 4 + int(length[1]):
                return
        now, status, origin = time.monotonic(), int(head[9:12]), ORIGIN.search(head) is not None
        self._record(connection, now, status, origin)
        connection.asked += 1
        if self._fires and not origin:
            self._follow(connection, now)
        if keeps and b"connection: close" not in head.lower():
            connection.is_idle = True
            self._idle.append(connection)
        else:
            self._close(connection)

    def _follow(self, connection: Open, now: float) -> None:
        """What a bot makes of a challenge."""
        bot, path, host = connection.bot, connection.shot.path, self._shooter.host
        head, _, body = connection.data.partition(b"\r\n\r\n")
        try:
            status, fields, cookies = parse_head(head)
        except ValueError:
            return
        answer = Answer(status, fields, cookies, body)
        bot.jar.take(answer)
        if bot.offer is not None:
            self._solve(bot, bot.offer, proof(answer))
            return
        step = redirect(answer, host, path)
        if step is None and self._spec.solves and (offer := offers_proof(answer)):
            bot.offer, step = offer, Step(0.0, offer.ask)
        elif step is None and is_challenge(answer):
            step = timed_link(answer, host, path)
        if step is not None:
            bot.link, bot.ready = step.path, now + step.seconds

    def _solve(self, bot: BotState, offer: Offer, work: Work | None) -> None:
        """The bot sends nothing until its work is done: all of a flood's bots share one processor core."""
        bot.offer = None
        if work is None:
            return
        bot.ready = math.inf

        def done(found: Future[int | None]) -> None:
            number = found.result()
            bot.link = work.shown(number, offer) if number is not None else ""
            bot.ready = time.monotonic()

        self._solvers.solve(work).add_done_callback(done)

    def _lost(self, connection: Open) -> None:
        """The server has ended the connection."""
        if not connection.is_idle:
            status = int(connection.data[9:12]) if connection.data[9:12].isdigit() else 0
            self._record(connection, time.monotonic(), status, False)
        self._close(connection)

    def _expire(self) -> None:
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number, request = self._deadlines.popleft()
            connection = self._open.get(number)
            if connection is not None and connection.number == request and not connection.is_idle:
                self._record(connection, None, 0, False)
                self._close(connection)

    def _record(self, connection: Open, done: float | None, status: int, origin: bool) -> None:
        self.records.append(
            Bot(
                connection.sent,
                done,
                connection.bot.address,
                self._flood,
                connection.shot.key,
                status,
                origin,
            )
        )

    def _close(self, connection: Open) -> None:
        connection.is_idle = False
        self._open.pop(connection.socket.fileno(), None)
        connection.socket.close()
