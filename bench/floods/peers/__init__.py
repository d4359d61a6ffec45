"""The peers that Holdfast is compared with in the floods, each in a file of its own, set up by its manual.

A peer is a ``Contestant`` that says whether it can run here (``base``). Its limits come from calm traffic
(``calm``), its processes live in the namespace of the edge (``running``), its files in the directory that it
is given. What belongs in none of these: the floods, the visitors and the origin.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.floods.peers.base import Base
from bench.floods.peers.crowdsec import CrowdSec
from bench.floods.peers.fail2ban import Fail2ban
from bench.floods.peers.haproxy import Haproxy
from bench.floods.peers.nginx import Nginx

PEERS: tuple[Callable[[], Base], ...] = (Nginx, Haproxy, Fail2ban, CrowdSec)
"""A run takes a new one of each."""
