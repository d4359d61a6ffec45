"""The peers that can run on this machine, and why others cannot."""

from __future__ import annotations

from collections.abc import Callable

from bench.floods.contestant import Contestant
from bench.floods.peers import PEERS


def peers() -> tuple[list[Callable[[], Contestant]], list[str]]:
    """What makes each peer for a run; and a sentence for each that is left out."""
    found: list[Callable[[], Contestant]] = []
    left_out = []
    for make in PEERS:
        peer = make()
        if (reason := peer.is_available()) is None:
            found.append(make)
        else:
            left_out.append(f"{peer.name} is left out: {reason}")
    return found, left_out
