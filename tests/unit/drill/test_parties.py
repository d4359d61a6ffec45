"""Who takes part: loopback only, many of them, the same each time."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from holdfast.drill.parties import SOURCES, TOOL, Party, request, source
from holdfast.drill.stream import check_peer
from holdfast.model.errors import HoldfastError

REQUESTS = range(5000)


@pytest.mark.parametrize(
    ("party", "networks", "addresses"), [(Party.VISITORS, 40, 40), (Party.FLOOD, 200, 4500)]
)
def test_all_come_from_loopback(party: Party, networks: int, addresses: int) -> None:
    sources = [source(party, number, 1) for number in REQUESTS]
    assert all(ip_address(each) in SOURCES and ip_address(each).is_loopback for each in sources)
    assert len({ip_network(f"{each}/24", strict=False) for each in sources}) == networks
    assert len(set(sources)) >= addresses


def test_no_visitor_shares_a_network_with_the_flood() -> None:
    visitors, bots = ({source(party, number, 1).rpartition(".")[0] for number in REQUESTS} for party in Party)
    assert not visitors & bots


@pytest.mark.parametrize("party", list(Party))
def test_a_seed_says_it_all(party: Party) -> None:
    def all_of(seed: int) -> list[tuple[str, bytes]]:
        return [
            (source(party, number, seed), request(party, number, seed, "a.test")) for number in range(200)
        ]

    assert all_of(1) == all_of(1)
    assert all_of(1) != all_of(2)


def test_visitors_are_a_few_browsers_at_the_front_page() -> None:
    asked = {request(Party.VISITORS, number, 1, "a.test:8080") for number in REQUESTS}
    assert len(asked) == 12
    for each in asked:
        assert each.startswith(b"GET / HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: Mozilla/5.0 ")
        assert b"\r\nAccept: text/html" in each
        assert each.endswith(b"\r\nConnection: close\r\n\r\n")


def test_the_flood_says_what_it_is_and_never_asks_the_same_twice() -> None:
    asked = [request(Party.FLOOD, number, 1, "a.test") for number in REQUESTS]
    assert all(TOOL.encode() in each for each in asked)
    assert len({each.split(b" ", 2)[1] for each in asked}) >= len(asked) - 5


@pytest.mark.parametrize("address", ["192.0.2.10", "10.0.0.1", "2001:db8::1", "0.0.0.0"])  # noqa: S104 - as above
def test_a_connection_that_ends_elsewhere_carries_nothing(address: str) -> None:
    with pytest.raises(HoldfastError, match="nothing was sent"):
        check_peer(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1"])
def test_one_that_ends_at_loopback_does(address: str) -> None:
    check_peer(address)
