"""What all checked clients have: an address, what they draw, and how an outcome is noted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.soak.ledger import Ledger
from bench.soak.verdicts import CUT, Request, Spot
from bench.soak.wires import Line, W
from bench.soak.world import Ports
from tests.feature.wire import Answer

BROKEN = (OSError, EOFError, TimeoutError)
"""How a connection fails that is refused, reset, closed too early or silent; ssl.SSLError is an OSError."""
LONGEST_REST = 5.0
"""Well below the edge's patience with an idle connection, which might end it as a request is on its way."""


@dataclass(slots=True)
class Outcome:
    """What a client says of its request."""

    status: int = CUT
    note: str = ""
    goes_on: bool = False
    """Whether the connection can carry another request."""

    def take(self, answer: Answer) -> None:
        self.status = answer.status
        self.goes_on = answer.headers.get("connection", "").lower() != "close"


@dataclass
class Visitor:
    """``draw`` decides what is asked for and when; ``patience`` is about how long a long answer takes."""

    ports: Ports
    ledger: Ledger
    source: str
    patience: float
    draw: random.Random = field(default_factory=random.Random)

    async def rest(self, mean: float) -> None:
        await asyncio.sleep(min(self.draw.expovariate(1 / mean), LONGEST_REST))

    @contextlib.asynccontextmanager
    async def noted(self, kind: str, spot: Spot, line: Line[W]) -> AsyncIterator[Outcome]:
        """Note what comes of the request that is made within; a connection that breaks is an outcome."""
        began, outcome = time.monotonic(), Outcome()
        try:
            yield outcome
        except BROKEN as broken:
            outcome.status, outcome.goes_on = CUT, False
            outcome.note = f"{type(broken).__name__}: {broken}"[:200]
        ended = time.monotonic()
        opened, status = min(line.opened, ended), outcome.status
        self.ledger.note(Request(kind, spot, self.source, opened, began, ended, status, outcome.note))
