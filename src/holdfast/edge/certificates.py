"""Certificates that an operator brings: read, checked against their key and their site's hostnames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from holdfast.model.errors import error
from holdfast.model.hostname import covers
from holdfast.model.site import Certificate

MOST_BYTES = 15_000
"""HAProxy takes a certificate, its chain and its key in one buffer of 16,384 bytes."""


def read_certificate(chain_file: Path, key_file: Path | None, hostnames: Sequence[str]) -> Certificate:
    """The certificate chain and key in the form that HAProxy takes.

    Raises HoldfastError when a file cannot be read, the key is not the certificate's, or the certificate
    does not cover every hostname. An expired one is let in: browsers judge that, and an edge that refuses
    to start would be worse.
    """
    text = _read(chain_file)
    key_text = _read(key_file) if key_file is not None else text
    try:
        chain = x509.load_pem_x509_certificates(text)
    except ValueError:
        raise error(
            f"{chain_file} holds no certificate", "name a PEM file with the chain, leaf first"
        ) from None
    try:
        key = serialization.load_pem_private_key(_key_part(key_text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        file = key_file or chain_file
        raise error(
            f"{file} holds no private key that can be used", "set key to a PEM file with an unencrypted key"
        ) from None
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*public) != chain[0].public_key().public_bytes(*public):
        raise error(
            f"the private key does not belong to the certificate in {chain_file}",
            "check that both come from the same order, and that the leaf stands first in the chain",
        )
    names = _names(chain[0])
    missing = [hostname for hostname in hostnames if not any(covers(name, hostname) for name in names)]
    if missing:
        raise error(
            f"the certificate in {chain_file} does not cover {', '.join(missing)}"
            f" (it covers {', '.join(names)})",
            "get one that does, or move those hostnames to a site of their own",
        )
    parts = [each.public_bytes(Encoding.PEM) for each in chain]
    parts.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem = b"".join(parts).decode()
    if len(pem) > MOST_BYTES:
        raise error(
            f"the chain in {chain_file} is longer than {MOST_BYTES} bytes",
            "leave out certificates that are not needed",
        )
    return Certificate(pem, names)


def read_authority(file: Path) -> str:
    """The certificates of an authority file, without anything else in it; raises HoldfastError."""
    try:
        chain = x509.load_pem_x509_certificates(_read(file))
    except ValueError:
        raise error(f"{file} holds no certificate", "name a PEM file with the authorities to trust") from None
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain).decode()
    if len(pem) > MOST_BYTES:
        raise error(
            f"the authorities in {file} are longer than {MOST_BYTES} bytes", "name only those of this origin"
        )
    return pem


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as refused:
        raise error(
            f"cannot read {file} ({refused.strerror})", "check the path and its permissions"
        ) from refused


def _key_part(text: bytes) -> bytes:
    """The private key of a file that may hold the chain too."""
    found = re.search(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", text, re.DOTALL
    )
    return found[0] if found else b""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
