"""What stands between the clients and the origins: the one interface of Holdfast and its peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.floods.log import Visit
from bench.floods.visits import Planned


def _cannot_play() -> None:
    raise RuntimeError("nobody can play visits in this world: it was made without a client side")


@dataclass(frozen=True, slots=True)
class World:
    """Where a contestant runs, and what it protects."""

    edge_namespace: str
    """Name of the network namespace to run in; ``network.inside`` makes the command."""
    address: str
    """To listen at. Clients reach no other."""
    http_port: int
    https_port: int | None
    """None where the scenario has no TLS."""
    origins: Mapping[str, tuple[str, int]]
    """Hostname → address and port of its origin, in the same namespace. An origin learns who the client is
    from the last entry of X-Forwarded-For, which a contestant must set."""
    directory: Path
    """For files; empty at the start, and removed afterwards."""
    legit_rate: float
    """Legitimate requests a second, of all sites together, that a calm day has."""
    certificate: Path | None = None
    """PEM file, chain and key, for all hostnames; None where the scenario has no TLS."""
    calm: Sequence[Planned] = field(default=(), repr=False)
    """Calm traffic to learn from: a minute and a half at the usual rate, on all sites, of special clients
    too, earlier than what is measured; ``visits.requests`` lists what is asked when."""
    play: Callable[[], None] = field(default=_cannot_play, repr=False)
    """Send the first ten seconds of ``calm`` through the running contestant."""


class Contestant(Protocol):
    """One that is to keep the sites reachable. Its settings are what its own documentation advises.

    A new one is made for each run, and is prepared (unless the scenario is cold), started, trained
    (likewise) and stopped, also when one of these fails. Whatever it started has ended after ``stop``.
    """

    name: str

    def prepare(self, world: World, visits: Sequence[Visit]) -> None:
        """Learn or tune beforehand: ``visits`` are the first half of the log, and what is measured comes from
        the second. ``world.calm`` has the same at the rate and on the sites of this scenario."""

    def start(self, world: World) -> None:
        """Begin to serve. May return before it serves: the harness waits for the origins' first answers.
        Raises RuntimeError, with the reason, when it cannot."""

    def stop(self) -> None:
        """End everything; also after a failed start, and twice."""

    def train(self, visits: Sequence[Visit]) -> None:
        """As ``prepare``, when all sites are served: for one that learns by ``world.play`` only."""

    def cpu_seconds(self) -> float:
        """User and system time of everything it has started, so far."""

    def alarms(self) -> int:
        """How many attacks it has declared since its start; 0 where it declares none."""

    def log_tail(self) -> str:
        """Its last words, for whoever looks for a fault."""
