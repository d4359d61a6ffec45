"""A made-up fleet of sites: ``holdfast.toml``, certificates and site documents of any size.

Pure but for the files that it writes into the directory it is given. Every hostname is exact: the map of
exact hostnames is the one that grows, so that this is the hard case.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS_A_SITE = 10
SITES_A_CUSTOMER = 10
LIMIT = 50_000
"""Requests a second that one client may make: never reached, but every request is counted."""
ORIGIN_NAME = "origin.test"


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many hostnames, and which sites among them speak TLS with their origin."""

    hostnames: int
    tls_sites: int
    origin: int
    """The port of the plain origin on 127.0.0.1."""
    tls_origin: int

    @property
    def sites(self) -> int:
        return self.hostnames // HOSTS_A_SITE

    def site(self, number: int) -> str:
        return f"site-{number:05}"

    def hostname(self, site: int, number: int = 0) -> str:
        return f"www{number}.{self.site(site)}.example.org"

    def document(self, site: int) -> dict[str, Any]:
        """The site ``number`` as the file and the admin socket have it. The last ``tls_sites`` speak TLS
        with their origin, under an authority of their own file."""
        origin: dict[str, Any] = {"address": "127.0.0.1", "port": self.origin}
        if site >= self.sites - self.tls_sites:
            origin = {
                "address": "127.0.0.1",
                "port": self.tls_origin,
                "scheme": "https",
                "server_name": ORIGIN_NAME,
                "ca": "origin.pem",
            }
        return {
            "name": self.site(site),
            "customer": f"customer-{site // SITES_A_CUSTOMER}",
            "hostnames": [self.hostname(site, number) for number in range(HOSTS_A_SITE)],
            "origins": [origin],
            "limits": {"requests_per_second": LIMIT},
        }


def toml(fleet: Fleet, edge: dict[str, Any]) -> str:
    """``holdfast.toml`` of the fleet; ``edge`` is its table of that name."""
    lines = ["[edge]", *(f"{name} = {_value(value)}" for name, value in edge.items())]
    for number in range(fleet.sites):
        document = fleet.document(number)
        lines.append("[[sites]]")
        lines += [f"{name} = {_value(document[name])}" for name in ("name", "customer", "hostnames")]
        lines.append(f"limits = {_value(document['limits'])}")
        lines.append(f"origins = {_value(document['origins'])}")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def write_certificate(path: Path, *names: str) -> bytes:
    """A self-signed certificate for ``names`` with its key in one PEM file; returns the certificate in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(pem) + private)
    return certificate.public_bytes(serialization.Encoding.DER)


def source(number: int) -> str:
    """A client's address within 127.0.0.0/8, none of which is used for anything else here."""
    return str(ipaddress.IPv4Address("127.64.0.0") + number + 1)
