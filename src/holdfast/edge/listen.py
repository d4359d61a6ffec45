"""Addresses to listen at: their notation, whether they can be had, and whether an origin is one of them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.model.errors import HoldfastError, Mistake, error
from holdfast.model.site import Address


@dataclass(frozen=True, slots=True)
class Listener:
    """An address (None: every one, of IPv4 and IPv6) and a port."""

    address: Address | None
    port: int

    def __str__(self) -> str:
        """As people write it."""
        host = "*" if self.address is None else str(self.address)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def bind(self) -> str:
        """As HAProxy's ``bind`` wants it. Every address means two sockets: on one for both families, IPv4
        clients would have IPv6 addresses (::ffff:192.0.2.1), all in the same /64, and for limits, allow lists
        and origins they would no longer be who they are."""
        if self.address is None:
            both = f"0.0.0.0:{self.port},[::]:{self.port} v6only"
            return both if socket.has_dualstack_ipv6() else f"0.0.0.0:{self.port}"
        if self.address.version == 6:
            return f"[{self.address}]:{self.port} v6only"
        return f"{self.address}:{self.port}"

    def is_reached_by(self, address: Address, port: int) -> bool:
        """Whether a connection to ``address`` port ``port`` from this machine would end here."""
        if port != self.port:
            return False
        if self.address is None or self.address.is_unspecified:
            return address.is_unspecified or is_local(address)
        return address == self.address or (address.is_unspecified and self.address.is_loopback)


def parse_listeners(texts: Iterable[str], place: str = "") -> tuple[Listener, ...]:
    """``*:80``, ``192.0.2.1:80``, ``[2001:db8::1]:443`` → listeners; raises HoldfastError."""
    listeners = []
    for text in texts:
        host, _, port = text.strip().rpartition(":")
        try:
            number = int(port)
            address = (
                None if host in ("*", "") else ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            )
        except ValueError:
            number, address = 0, None
        if not 1 <= number <= 65535:
            raise error(f"{text!r} is no address to listen at", "write it like *:80 or 192.0.2.1:8080", place)
        listeners.append(Listener(address, number))
    return tuple(dict.fromkeys(listeners))


def is_local(address: Address) -> bool:
    """Whether ``address`` is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def check_free(listeners: Iterable[Listener]) -> None:
    """Raises HoldfastError naming each listener that cannot be had, and why."""
    mistakes = [mistake for listener in listeners if (mistake := _obstacle(listener)) is not None]
    if mistakes:
        raise HoldfastError(*mistakes)


def _obstacle(listener: Listener) -> Mistake | None:
    address = listener.address or ipaddress.ip_address("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(listener.address is not None))
        try:
            probe.bind((str(address), listener.port))
            probe.listen(1)
        except OSError as refused:
            return Mistake("", _words(listener, refused), _advice(listener, refused))
    return None


def _words(listener: Listener, refused: OSError) -> str:
    if refused.errno == errno.EADDRINUSE:
        return f"port {listener.port} is in use by another program"
    if refused.errno == errno.EACCES:
        return f"no permission to listen at port {listener.port}"
    return f"cannot listen at {listener} ({refused.strerror})"


def _advice(listener: Listener, refused: OSError) -> str:
    if refused.errno == errno.EADDRINUSE:
        find = f"'ss -ltnp sport = :{listener.port}' names it"
        return f"{find}; stop it, or choose another port in [edge] (the demonstration: --port)"
    if refused.errno == errno.EACCES:
        return "run as root, or choose a port above 1023 in [edge]"
    return "choose an address of this machine in [edge]"
