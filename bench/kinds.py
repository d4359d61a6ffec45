"""The kinds of change: what is asked of the edge, and how a client sees that it is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.edge import Admin
from bench.fleet import MANY, Fleet, hostnames_of, source
from bench.probe import Http, is_refused, served_certificate
from holdfast.model.enforcement import PathScope, Scope, SiteScope
from tests.feature.lab import enforcement, released
from tests.feature.recorded import enforce_request

MISDIRECTED, BLOCKED, LIMITED = 421, 403, 429
WARMING = 40
"""Requests that put a client over a limit of one request a second, for longer than a batch takes."""

ADD, BLOCK, BLOCK_PATH, BAN, LIMIT = "add site", "block site", "block path", "ban", "limit"
CERTIFICATE, REMOVE = "certificate", "remove site"
KINDS = (ADD, BLOCK, BLOCK_PATH, BAN, LIMIT, CERTIFICATE, REMOVE)
FAST_KINDS = (ADD, BLOCK, BLOCK_PATH, BAN, LIMIT)
"""Adds, blocks and mitigations: those with a common target."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``shows`` is false before it and true once it is in force."""

    kind: str
    do: str
    fields: dict[str, Any]
    shows: Callable[[], bool]
    undo: Callable[[Any], tuple[str, dict[str, Any]]] | None = None
    """From the admin's answer: the request that takes the change back. Not timed."""


@dataclass
class Bench:
    """The sites that the changes are made to, and the clients that look at them."""

    fleet: Fleet
    http: int
    https: int
    certificates: list[tuple[Path, bytes]]
    client: Http = field(init=False)
    _made: int = 0
    _limited: bool = False

    BLOCK_HOST = "www.blocked.example.net"
    LIMIT_HOST = "www.limited.example.net"
    CERTIFICATE_HOST = "www.certified.example.net"

    def __post_init__(self) -> None:
        self.client = Http(self.http)

    def prepare(self, admin: Admin) -> None:
        """Add the sites that the changes are made to."""
        admin.ask("put_site", site=self.fleet.own("own-blocked", [self.BLOCK_HOST]))
        admin.ask("put_site", site=self._limited_site(MANY))
        admin.ask("put_site", site=self._certified_site(self.certificates[0][0]))

    def round(self, count: int) -> Iterator[list[Change]]:
        """``count`` changes of each kind; the sites that are added are removed in the end."""
        names = [f"own-{self._made + number}" for number in range(count)]
        numbers = range(self._made, self._made + count)
        self._made += count
        self.client.close()  # it may have been idle for long
        self.client.status(self.BLOCK_HOST)
        yield [self._add(name) for name in names]
        yield [self._block(BLOCK, SiteScope("own-blocked"), "/") for _ in numbers]
        yield [self._block_path(number) for number in numbers]
        yield [self._ban(number) for number in numbers]
        for _ in range(WARMING):
            self.client.status(self.LIMIT_HOST)
        yield [self._limit() for _ in numbers]
        yield [self._certificate(number) for number in numbers]
        yield [self._remove(name) for name in names]

    def _sees(self, host: str, status: int, path: str = "/") -> Callable[[], bool]:
        return lambda: self.client.status(host, path) == status

    def _add(self, name: str) -> Change:
        hostnames = hostnames_of(name)
        site = self.fleet.own(name, hostnames)
        return Change(ADD, "put_site", {"site": site}, self._sees(hostnames[-1], 200))

    def _remove(self, name: str) -> Change:
        shows = self._sees(hostnames_of(name)[0], MISDIRECTED)
        return Change(REMOVE, "remove_site", {"name": name}, shows)

    def _block(self, kind: str, scope: Scope, path: str) -> Change:
        """One that is on record already: what is measured is the edge, its check of the proof included."""
        fields = enforce_request(released(enforcement(scope)))
        shows = self._sees(self.BLOCK_HOST, BLOCKED, path)
        return Change(kind, "enforce", fields, shows, lambda result: ("unblock", {"id": result["id"]}))

    def _block_path(self, number: int) -> Change:
        scope = PathScope("own-blocked", f"/bad/{number}/")
        return self._block(BLOCK_PATH, scope, f"/bad/{number}/x")

    def _ban(self, number: int) -> Change:
        address = source(number)
        return Change(
            BAN,
            "ban",
            {"source": address, "seconds": 60, "reason": "the benchmark"},
            lambda: is_refused(self.http, self.BLOCK_HOST, address),
            lambda _: ("unban", {"source": address}),
        )

    def _limit(self) -> Change:
        """From many to one request a second, and back."""
        self._limited = not self._limited
        site = self._limited_site(1 if self._limited else MANY)
        shows = self._sees(self.LIMIT_HOST, LIMITED if self._limited else 200)
        return Change(LIMIT, "put_site", {"site": site}, shows)

    def _certificate(self, number: int) -> Change:
        file, der = self.certificates[(number + 1) % len(self.certificates)]
        site = self._certified_site(file)
        shows = lambda: served_certificate(self.https, self.CERTIFICATE_HOST) == der  # noqa: E731
        return Change(CERTIFICATE, "put_site", {"site": site}, shows)

    def _limited_site(self, limit: int) -> dict[str, Any]:
        site = self.fleet.own("own-limited", [self.LIMIT_HOST])
        return {**site, "limits": {"requests_per_second": limit}}

    def _certified_site(self, file: Path) -> dict[str, Any]:
        return self.fleet.own("own-certified", [self.CERTIFICATE_HOST], certificate=str(file))
