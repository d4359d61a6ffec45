"""What the rules need to know beside the maps: the same for all of a configuration file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.edge.dataplane.commands import Places

HOP_ID = 9999
"""The number of the listener behind the TLS port (``so_id``)."""


@dataclass(frozen=True, slots=True)
class Context:
    """Places, names and sizes that are written into the rules."""

    places: Places
    edge_id: str
    https_port: int | None
    """The public HTTPS port that redirects lead to; None: there is none."""
    plain_budget: int
    """Connections that each plain listener may hold."""
    tls_budget: int
    connections_per_second: int
    """New ones of one client, over ``CONNECTION_SECONDS``."""
    connections_at_once: int
    watch_only: bool
    """Connections over a limit are counted, not refused."""
    proxies: tuple[str, ...] = ()
    """Networks that speak the PROXY protocol."""
    forwarders: tuple[str, ...] = ()
    """Networks whose ``X-Forwarded-For`` is believed."""
    public: bool = False
    """Statements are served here."""

    @property
    def secure(self) -> str:
        """The condition under which a visitor has come over TLS: here, or at a forwarder."""
        return "{ var(txn.https) -m bool }" if self.forwarders else "{ ssl_fc }"

    @property
    def scope(self) -> str:
        """Where the client is noted as text (``ip``, ``net``, ``for``): once for each connection, as making
        text of an address is not cheap; behind a forwarder, where clients share it, for each request."""
        return "txn" if self.forwarders else "sess"


Step = tuple[str, Callable[[Context], list[str]]]
"""A step of the path: its name, and its rules."""
