"""Balancers in front of the edge: the PROXY protocol's headers, byte by byte (HAProxy's proxy-protocol.txt,
sections 2.1 and 2.2), and connections that begin with one."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import struct

from tests.feature.lab import Lab
from tests.feature.wire import Answer, Wire, trusting

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REFUSED = 0


def v1(source: str) -> bytes:
    """The line, for a connection from ``source``."""
    family = f"TCP{ipaddress.ip_address(source).version}"
    here = "::1" if ":" in source else "127.0.0.1"
    return f"PROXY {family} {source} {here} 40000 80\r\n".encode()


def v2(source: str) -> bytes:
    """The same in binary."""
    address = ipaddress.ip_address(source)
    here = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
    addresses = address.packed + here.packed + struct.pack("!HH", 40000, 80)
    return (
        SIGNATURE
        + bytes((0x21, 0x11 if address.version == 4 else 0x21))
        + struct.pack("!H", len(addresses))
        + addresses
    )


async def begin(lab: Lab, balancer: str, header: bytes = b"", *, tls: bool = False) -> Wire:
    """A connection from ``balancer`` that begins with ``header``."""
    reader, writer = await asyncio.open_connection(
        "::1" if ":" in balancer else "127.0.0.1",
        lab.https if tls else lab.http,
        local_addr=(balancer, 0),
    )
    writer.write(header)
    if tls:
        await writer.start_tls(trusting(), server_hostname="a.test")
    return Wire(reader, writer)


async def ask(
    lab: Lab,
    balancer: str,
    header: bytes = b"",
    *lines: str,
    host: str = "a.test",
    tls: bool = False,
) -> Answer:
    """One request through a balancer; status ``REFUSED`` without an answer."""
    try:
        wire = await begin(lab, balancer, header, tls=tls)
        try:
            return await wire.get(b"/", host, *lines)
        finally:
            wire.writer.close()
    except (ConnectionError, EOFError, ssl.SSLError):
        return Answer(REFUSED, {})
