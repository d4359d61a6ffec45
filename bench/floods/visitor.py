"""One legitimate visitor: connections, cookies, and what it does when a challenge comes.

A browser solves a challenge where it shows a page: a picture or a style sheet that is answered with a page
is simply missing. While a page is on its way (or its visitor waits at a challenge), nothing else is asked
for: what the page embeds is not known yet, and the visitor has no link to follow. Programs that are no
browsers follow nothing but redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.floods.agents import BROWSERS, Asked, family_of, headers, is_embedded
from bench.floods.answers import (
    CHALLENGE_STATUS,
    Answer,
    Jar,
    Offer,
    Step,
    is_challenge,
    offers_proof,
    proof,
    redirect,
    timed_link,
)
from bench.floods.http1 import Http1, Unanswered, open_http1
from bench.floods.http2 import Http2, open_http2
from bench.floods.log import Request, Visit
from bench.floods.records import Legit
from bench.floods.work import Solvers, device_seconds

TIMEOUT = 15.0
STEPS = 5
AT_ONCE = 6
LONGEST_WAIT = 30.0
PATIENCE = 5.0
"""Seconds after a run's end until which what had to wait for a page is still asked for."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where everything is sent."""

    address: str
    port: int
    tls: Callable[[str], ssl.SSLContext] | None = None
    """By family; None: plain."""


@dataclass
class Visitor:
    """Plays one visit."""

    visit: Visit
    host: str
    target: Target
    cookies: Jar = field(default_factory=Jar)
    records: list[Legit] = field(default_factory=list)
    solvers: Solvers | None = None
    """None: it has no JavaScript, and follows timed links."""

    def __post_init__(self) -> None:
        kind = self.visit.group
        self.family = kind if kind in ("api", "git", "webhook", "feed") else family_of(self.visit.agent)
        self.is_browser = self.family in BROWSERS
        self._idle: list[Http1] = []
        self._shared: Http2 | None = None
        self._opening = asyncio.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._page: asyncio.Task[None] | None = None

    async def play(self, start: float, begin: float, until: float) -> None:
        """Play a visit that begins at ``start``, a moment of the monotonic clock: what is due from ``begin``
        on and before ``until``."""
        tasks = []
        for request in self.visit.requests:
            due = start + request.offset
            if due < begin:
                continue
            if due >= until:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._record(request, self._page, until))
            if self.is_browser and not is_embedded(request.path):
                self._page = task
            tasks.append(task)
        await asyncio.gather(*tasks)
        for connection in (*self._idle, self._shared):
            if connection is not None:
                connection.close()

    async def _record(self, request: Request, page: asyncio.Task[None] | None, until: float) -> None:
        if page is not None:
            await asyncio.wait([page])
            if time.monotonic() >= until + PATIENCE:
                return
        sent, answer, challenged = time.monotonic(), None, False
        with contextlib.suppress(OSError, ValueError, asyncio.LimitOverrunError, ssl.SSLError):
            async with self._room:
                answer, challenged = await self._fetch(request)
        self.records.append(
            Legit(
                sent=sent,
                done=time.monotonic(),
                address=self.visit.address,
                host=self.host,
                group=self.visit.group,
                family=self.family,
                method=request.method,
                path=request.path,
                status=answer.status if answer else 0,
                origin=answer.origin if answer else False,
                challenged=challenged,
            )
        )

    async def _fetch(self, request: Request) -> tuple[Answer, bool]:
        """The last answer, and whether there was a challenge on the way."""
        challenged, method, path, body = False, request.method, request.path, request.body.encode()
        answer = await self._ask(request, method, path, body)
        for _ in range(STEPS):
            if answer.origin:
                break
            challenged = challenged or is_challenge(answer)
            if (step := await self._next(answer, request, path)) is None:
                break
            await asyncio.sleep(min(step.seconds, LONGEST_WAIT))
            if step.path == request.path:
                method, path, body = request.method, request.path, request.body.encode()
            else:
                method, path, body = "GET", step.path, b""
            answer = await self._ask(request, method, path, body)
        return answer, challenged

    async def _next(self, answer: Answer, request: Request, path: str) -> Step | None:
        if step := redirect(answer, self.host, path):
            return step
        if not self.is_browser or is_embedded(request.path):
            return None
        if (offer := offers_proof(answer)) and (step := await self._prove(request, offer)):
            return step
        if step := timed_link(answer, self.host, path):
            return step
        if answer.cookies and answer.status in CHALLENGE_STATUS:
            return Step(0.0, request.path)
        return None

    async def _prove(self, request: Request, offer: Offer) -> Step | None:
        """What the page's script does: it gets its challenge, solves it, shows the number, and asks for the
        page again. None where that leads nowhere."""
        work = proof(await self._ask(request, "GET", offer.ask, b""))
        if work is None or self.solvers is None:
            return None
        began = time.monotonic()
        number = await asyncio.wrap_future(self.solvers.solve(work))
        if number is None:
            return None
        await asyncio.sleep(device_seconds(self.visit.address, number) - (time.monotonic() - began))
        shown = await self._ask(request, "GET", work.shown(number, offer), b"")
        return Step(0.0, request.path) if shown.cookies else None

    async def _ask(self, request: Request, method: str, path: str, body: bytes) -> Answer:
        asked = Asked(
            self.host,
            path,
            self.visit.agent,
            self.visit.address,
            request.referer,
            str(self.cookies),
            request.version,
        )
        async with asyncio.timeout(TIMEOUT):
            while True:
                connection = await self._connection()
                was_used = connection.used > 0
                try:
                    answer = await connection.ask(
                        method, path, headers(self.family, asked), body, request.version
                    )
                    break
                except Unanswered:
                    if not was_used:
                        raise
                    # closed in that moment, as kept connections are
        if isinstance(connection, Http1) and connection.is_open:
            self._idle.append(connection)
        self.cookies.take(answer)
        return answer

    async def _connection(self) -> Http1 | Http2:
        where, tls = self.target, self.target.tls
        if tls is not None and self.is_browser:
            async with self._opening:
                if self._shared is None or not self._shared.is_open:
                    context = tls(self.family)
                    self._shared = await open_http2(
                        self.visit.address, where.address, where.port, context, self.host
                    )
                return self._shared
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                return connection
        context_or_none = tls(self.family) if tls else None
        return await open_http1(self.visit.address, where.address, where.port, context_or_none, self.host)
