"""Random changes over the admin socket, one after the other, each written into the history.

The agent may end at any moment: a change that was under way is then made again with the next agent. Each is
written so that it can be: what has been done already is found, not done twice.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.edge import Admin, Edge
from bench.soak import world
from bench.soak.history import Key, Span
from bench.soak.ledger import Ledger
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Scope, SiteScope
from tests.feature.lab import enforcement, released
from tests.feature.recorded import enforce_request

AWAY_SECONDS = 90.0
"""Within which there is an agent again."""
SOMETIMES = "127.0.0.249"
"""A checked client's address that is banned now and then."""
MOST_BLOCKS, MOST_BANS = 8, 200
BAN_SECONDS, CLOCK_SECONDS = 60, 2.0
RENEWAL_SECONDS = 15.0


class Asker:
    """One at a time asks the agent, whichever it is now. Gives up when it is ``abandoned``."""

    def __init__(self, edge: Edge, abandoned: threading.Event | None = None) -> None:
        self._edge = edge
        self._abandoned = abandoned or threading.Event()
        self._admin: Admin | None = None

    def ask(self, do: str, **fields: Any) -> Any:
        """As ``Admin.ask``. A connection that is lost is made anew with the next question."""
        if self._admin is None:
            self._admin = Admin(self._edge.run_dir / "agent.sock")
        try:
            return self._admin.ask(do, **fields)
        except OSError:
            self.close()
            raise

    def insist(self, attempt: Callable[[bool], Any]) -> Any:
        """Try until there is an answer; ``attempt`` is told whether it is not the first. Raises TimeoutError
        when there is none for too long, RuntimeError when the answer is no."""
        deadline, again = time.monotonic() + AWAY_SECONDS, False
        while True:
            try:
                return attempt(again)
            except TimeoutError:
                raise
            except OSError:
                again = True
                if time.monotonic() > deadline or self._abandoned.is_set():
                    raise TimeoutError(f"no agent has answered for {AWAY_SECONDS:.0f} s") from None
                time.sleep(0.02)

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None


class Changer:
    """Makes the changes; ``draw`` decides which. ``always`` is a source that is kept banned."""

    def __init__(
        self, asker: Asker, sites: world.World, ledger: Ledger, draw: random.Random, always: str
    ) -> None:
        self._asker = asker
        self._world = sites
        self._ledger = ledger
        self._draw = draw
        self._always = always
        self._renewal = 0.0
        self._here: dict[str, Span] = {}
        self._blocks: dict[str, Span] = {}
        self._bans: dict[str, Span] = {}
        self.made: Counter[str] = Counter()
        for name in sites.sites:
            span = ledger.history.begin(("here", name), 0.0)
            span.sure = 0.0

    def run(self, stop: threading.Event, pause: float) -> None:
        """Until ``stop``; ends what was begun."""
        with contextlib.closing(self._asker):
            while not stop.wait(self._draw.expovariate(1 / pause)):
                if time.monotonic() > self._renewal:
                    self.ban(self._always)
                    self._renewal = time.monotonic() + RENEWAL_SECONDS
                self.change()

    def change(self) -> None:
        """One change."""
        kinds = (self._put, self._remove, self._block, self._unblock, self._ban, self._unban, self._edit)
        kind = self._draw.choices(kinds, (6, 4, 4, 3, 3, 2, 2))[0]
        began = time.monotonic()
        try:
            kind()
        except (RuntimeError, TimeoutError) as refused:
            self._ledger.fail("change", kind.__name__.strip("_"), str(refused), began, time.monotonic())

    def _ask(self, name: str, attempt: Callable[[bool], Any]) -> Any:
        with self._ledger.doing(name):
            answer = self._asker.insist(attempt)
        self.made[name.partition(" ")[0]] += 1
        return answer

    def _put(self) -> None:
        """A new site, or a replacement of one, which must harm no request to it."""
        name = f"own-{self._draw.randrange(world.OWN)}"
        port = self._draw.choice((self._world.ports.first, self._world.ports.second))
        limits = {"requests_per_second": world.MANY - self._draw.randrange(1000)}
        site = self._world.document(name, port, customer="own", limits=limits)
        span = self._here.get(name) or self._begin(("here", name))
        self._ask(f"put_site {name}", lambda _: self._asker.ask("put_site", site=site))
        span.sure = min(span.sure, time.monotonic())
        self._here[name] = span

    def _remove(self) -> None:
        if self._here:
            name = self._draw.choice(sorted(self._here))
            with self._leaving(self._here.pop(name)):
                self._ask(f"remove_site {name}", lambda again: self._gone(again, "remove_site", name=name))

    def _block(self) -> None:
        if len(self._blocks) >= MOST_BLOCKS:
            return self._unblock()
        spot = world.blocked(self._draw, app=self._draw.random() < 0.4)
        key, scope = self._draw.choice(_scopes(spot.site, spot.customer, spot.host))
        block = enforcement(scope, until=datetime.now(UTC) + timedelta(days=30))
        request = enforce_request(released(block))
        span = self._begin(key)
        self._ask(f"block {' '.join(key)}", lambda _: self._asker.ask("enforce", **request))
        span.sure = time.monotonic()
        self._blocks[block.id] = span

    def _unblock(self) -> None:
        if self._blocks:
            identifier = self._draw.choice(sorted(self._blocks))
            with self._leaving(self._blocks.pop(identifier)):
                self._ask(f"unblock {identifier}", lambda again: self._gone(again, "unblock", id=identifier))

    def _ban(self) -> None:
        """Some source that nobody has, or now and then one that somebody has."""
        source = f"127.66.{self._draw.randrange(256)}.{self._draw.randrange(1, 255)}"
        if self._draw.random() < 0.4 or len(self._bans) >= MOST_BANS:
            source = SOMETIMES
        self.ban(source)

    def ban(self, source: str) -> None:
        """Ban for as long as may be; a ban that is there is renewed."""
        span = self._bans.get(source) or self._begin(("ban", source))
        fields = {"source": source, "seconds": BAN_SECONDS, "reason": "the soak"}
        began = time.monotonic()
        self._ask(f"ban {source}", lambda _: self._asker.ask("ban", **fields))
        ended = time.monotonic()
        span.sure = min(span.sure, ended)
        # HAProxy itself ends it, by its own clock, which has whole seconds.
        span.unsure, span.over = began + BAN_SECONDS - CLOCK_SECONDS, ended + BAN_SECONDS + CLOCK_SECONDS
        self._bans[source] = span

    def _unban(self) -> None:
        now = time.monotonic()
        self._bans = {source: span for source, span in self._bans.items() if now < span.over}
        if sources := sorted(self._bans.keys() - {self._always}):
            source = self._draw.choice(sources)
            if SOMETIMES in self._bans and self._draw.random() < 0.5:
                source = SOMETIMES
            with self._leaving(self._bans.pop(source)):
                self._ask(f"unban {source}", lambda _: self._asker.ask("unban", source=source))

    def _edit(self) -> None:
        """A few edits of the file at once."""
        words = [self._world.edit(self._draw) for _ in range(self._draw.randint(1, 3))]
        self._world.write()
        self._ask(f"apply {', '.join(words)}", lambda _: self._asker.ask("apply"))

    def _gone(self, again: bool, do: str, **fields: Any) -> None:
        """Take something back; when asked again it may be gone already."""
        try:
            self._asker.ask(do, **fields)
        except RuntimeError as refused:
            if not again or "there is no" not in str(refused):
                raise

    def _begin(self, key: Key) -> Span:
        return self._ledger.history.begin(key, time.monotonic())

    @contextlib.contextmanager
    def _leaving(self, span: Span) -> Any:
        """What was the case ends within; if that fails nothing is known any more, and nothing is certain."""
        span.unsure = time.monotonic()
        yield
        span.over = time.monotonic()


def _scopes(site: str, customer: str, host: str) -> list[tuple[Key, Scope]]:
    return [
        (("site", site), SiteScope(site)),
        (("host", host), HostScope(host)),
        (("path", site, world.SHOP), PathScope(site, world.SHOP)),
        (("customer", customer), CustomerScope(customer)),
    ]
