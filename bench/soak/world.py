"""The sites of the soak, their spots, and the file that says so: who may be asked for what."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.verdicts import Spot
from tests.feature.lab import free_ports, to_toml, write_certificate
from tests.feature.recorded import ledger_table

STEADY, BLOCKED, APPS, OWN = 150, 40, 10, 30
"""Sites that are never refused (but edited); that are blocked now and then; as many of each of these two with
the origin for long answers; and names of sites that come and go at run time."""
A_CUSTOMER = 5
MANY = 50_000
"""A limit, in requests a second, that nobody here reaches: every request is counted, none refused."""
FEW = 5
BULK_SOURCE = "127.0.0.1"
"""Of wrk, which cannot choose its address. Sites that it visits exempt it, as an operator would exempt a
monitor: it sends what a thousand clients would."""
EDGE = {"connections_per_second": MANY, "connections_at_once": 5000}
"""For the same reason: connections are counted before it is known which site they are for."""
TLS_HOST = "localhost"
"""wrk sends as SNI what the URL names, so that the name must resolve."""
SHOP = "/shop/"


@dataclass(frozen=True, slots=True)
class Ports:
    """Of the edge and of the origins."""

    http: int
    https: int
    first: int
    second: int
    app: int
    """The origin that posts, streams and long answers go to."""


@dataclass
class World:
    """The file's sites as they are now; edits are made here and written with ``write``."""

    directory: Path
    ports: Ports
    edge: dict[str, Any]
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
    public: int = field(default_factory=lambda: free_ports(1)[0])
    """The port of the public pages."""

    def __post_init__(self) -> None:
        write_certificate(self.directory / "site.pem", "*.soak.test", TLS_HOST)
        for number in range(STEADY):
            self._add(f"steady-{number}", number < APPS, f"steady-{number // A_CUSTOMER}")
        for number in range(BLOCKED):
            self._add(f"blocked-{number}", number < APPS, customer_of(number))
        self._add("local", False, "steady", hostnames=[TLS_HOST])
        self.sites["limited"] = self.document("limited", limits={"requests_per_second": FEW}, allow=[])

    def _add(self, name: str, is_app: bool, customer: str, **more: Any) -> None:
        port = self.ports.app if is_app else self.ports.first
        self.sites[name] = self.document(name, port, certificate="site.pem", customer=customer, **more)

    def document(self, name: str, port: int | None = None, **more: Any) -> dict[str, Any]:
        """A site with two hostnames."""
        return {
            "name": name,
            "hostnames": [f"{name}-{letter}.soak.test" for letter in "ab"],
            "origins": [{"address": "127.0.0.1", "port": port or self.ports.first}],
            "limits": {"requests_per_second": MANY},
            "allow": [f"{BULK_SOURCE}/32"],
            **more,
        }

    def write(self) -> None:
        """Whoever reads the file meanwhile finds all of the old or all of the new one."""
        path = self.directory / "holdfast.toml"
        fresh = path.with_suffix(".new")
        tables = {"edge": {**self.edge, **EDGE}, "ledger": ledger_table(self.public)}
        fresh.write_text(to_toml({**tables, "sites": list(self.sites.values())}))
        os.replace(fresh, path)

    def edit(self, draw: random.Random) -> str:
        """Change something about a steady site that must harm no request; says what."""
        site = self.sites[f"steady-{draw.randrange(APPS, STEADY)}"]
        if draw.random() < 0.5:
            other = {self.ports.first: self.ports.second, self.ports.second: self.ports.first}
            site["origins"] = [{**each, "port": other[each["port"]]} for each in site["origins"]]
            return f"origin of {site['name']}"
        site["limits"] = {"requests_per_second": MANY + draw.randrange(1000)}
        return f"limit of {site['name']}"


def customer_of(number: int) -> str:
    """Of a site that is blocked now and then."""
    return f"blocked-{number // A_CUSTOMER}"


def steady(draw: random.Random, *, app: bool = False) -> Spot:
    """A spot that nothing refuses."""
    number = draw.randrange(*((0, APPS) if app else (APPS, STEADY)))
    return _spot(draw, f"steady-{number}", f"steady-{number // A_CUSTOMER}")


def blocked(draw: random.Random, *, app: bool = False) -> Spot:
    """A spot that is blocked now and then."""
    number = draw.randrange(*((0, APPS) if app else (APPS, BLOCKED)))
    return _spot(draw, f"blocked-{number}", customer_of(number))


def own(draw: random.Random) -> Spot:
    """A spot of a site that is there or not."""
    return _spot(draw, f"own-{draw.randrange(OWN)}", "own")


def anything(draw: random.Random) -> Spot:
    return draw.choices((steady, blocked, own), (5, 3, 2))[0](draw)


def with_certificate(draw: random.Random) -> Spot:
    return draw.choices((steady, blocked), (2, 1))[0](draw)


def app(draw: random.Random) -> Spot:
    """A spot with the origin for long answers."""
    return draw.choices((steady, blocked), (2, 1))[0](draw, app=True)


def bulk_hosts() -> list[str]:
    """What the bulk asks for: a part of the steady hostnames. Each site has idle connections of its own to
    its origins, and how many there are of them is chance."""
    return [f"steady-{number}-a.soak.test" for number in range(APPS, STEADY, 4)]


def _spot(draw: random.Random, site: str, customer: str) -> Spot:
    letter, path = draw.choice("ab"), draw.choice(("/", "/page", f"{SHOP}shelf"))
    return Spot(site, customer, f"{site}-{letter}.soak.test", path)
