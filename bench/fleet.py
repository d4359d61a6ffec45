"""A made-up fleet of sites, of any size: ``holdfast.toml``, the site documents and the files that they name.

Every hostname is exact and every site has a limit, so that the maps that grow with the fleet all do. What
the benchmark itself adds, blocks and removes are sites of its own beside the fleet, the same at every size.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from tests.feature.lab import free_ports, to_toml, write_certificate
from tests.feature.recorded import ledger_table

HOSTS_A_SITE = 10
SITES_A_CUSTOMER = 10
MANY = 50_000
"""A limit, in requests a second, that no client here reaches: every request is counted, none refused."""
ORIGIN_NAME = "origin.test"
ORIGIN_FILE = "origin.pem"


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many hostnames, ten a site; the last ``tls_sites`` sites speak TLS with their origin, under an
    authority each."""

    hostnames: int
    tls_sites: int
    origin: int
    """The port of the plain origin on 127.0.0.1."""
    tls_origin: int

    @property
    def sites(self) -> int:
        return self.hostnames // HOSTS_A_SITE

    def documents(self) -> list[dict[str, Any]]:
        """The sites of the file."""
        return [
            site_document(
                site_name(number),
                hostnames_of(site_name(number)),
                self._origin(number >= self.sites - self.tls_sites),
                customer=f"customer-{number // SITES_A_CUSTOMER}",
            )
            for number in range(self.sites)
        ]

    def own(self, name: str, hostnames: Sequence[str], **more: Any) -> dict[str, Any]:
        """A site of the benchmark's own, given at run time."""
        return site_document(name, hostnames, self._origin(False), customer="bench", **more)

    def sample(self, count: int) -> list[str]:
        """Hostnames of the fleet, the same ones each time."""
        everything = [host for number in range(self.sites) for host in hostnames_of(site_name(number))]
        return random.Random(1).sample(everything, min(count, len(everything)))

    def _origin(self, tls: bool) -> dict[str, Any]:
        if not tls:
            return {"address": "127.0.0.1", "port": self.origin}
        return {
            "address": "127.0.0.1",
            "port": self.tls_origin,
            "scheme": "https",
            "server_name": ORIGIN_NAME,
            "ca": ORIGIN_FILE,
        }


def site_document(name: str, hostnames: Sequence[str], origin: dict[str, Any], **more: Any) -> dict[str, Any]:
    limits = {"requests_per_second": MANY}
    return {"name": name, "hostnames": list(hostnames), "limits": limits, "origins": [origin], **more}


def site_name(number: int) -> str:
    return f"site-{number:05}"


def hostnames_of(name: str) -> list[str]:
    """The ten hostnames of a site."""
    return [f"www{number}.{name}.example.org" for number in range(HOSTS_A_SITE)]


def write(fleet: Fleet, directory: Path, edge: dict[str, Any], own: Sequence[dict[str, Any]] = ()) -> Path:
    """Write ``holdfast.toml`` and the origin's certificate; ``edge`` is the table of that name, ``own`` are
    sites beside the fleet."""
    write_certificate(directory / ORIGIN_FILE, ORIGIN_NAME)
    path = directory / "holdfast.toml"
    sites = [*fleet.documents(), *own]
    ledger = ledger_table(free_ports(1)[0])
    path.write_text(to_toml({"edge": edge, "ledger": ledger, "sites": sites}))
    return path


def write_certificates(directory: Path, hostname: str, count: int) -> list[tuple[Path, bytes]]:
    """So many certificates for one hostname: their files, and what a client sees of them (DER)."""
    directory.mkdir()
    made = []
    for number in range(count):
        path = write_certificate(directory / f"{number:04}.pem", hostname)
        made.append((path, ssl.PEM_cert_to_DER_cert(path.read_text().partition("-----BEGIN PRIVATE")[0])))
    return made


def source(number: int) -> str:
    """A client's loopback address that nothing else here uses."""
    return str(IPv4Address("127.64.0.1") + number)
