"""What a person means by a target, and which hostnames a block of it touches."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import PurePosixPath

import pytest

from holdfast.edge.block_admin import find_scope, hostnames_of
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.desired import Desired
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Provider, Scope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Origin, Service, Site

SITES = [
    Site("one", "acme", ("a.test", "*.b.test"), (Origin(ip_address("192.0.2.1"), 80),)),
    Site("two", "acme", ("c.test",), (Origin(ip_address("192.0.2.1"), 80),)),
    Site("three", "other", ("d.test",), (Origin(ip_address("192.0.2.1"), 80),)),
    Site("mail", "other", ("m.test",), (Origin(ip_address("192.0.2.1"), 443),), service=Service.TCP),
]


@pytest.fixture(scope="module")
def desired() -> Desired:
    made = Desired(Places(PurePosixPath("/run/holdfast")), Provider("P", "https://p.example/"))
    for number, site in enumerate(SITES, 1):
        made.put_site(site, SiteId(1 if site.customer == "acme" else 2, number), f"slot{number}")
    return made


ONE = ["*.b.test", "a.test"]
FOUND: list[tuple[str, str, Scope, list[str]]] = [
    ("one", "", SiteScope("one"), ONE),
    ("A.test.", "", HostScope("a.test"), ["a.test"]),
    ("https://a.test:8443", "", HostScope("a.test"), ["a.test"]),
    ("x.b.test", "", HostScope("x.b.test"), ["x.b.test"]),
    ("http://a.test/Evil/./x", "", PathScope("one", "/evil/x/"), ONE),
    ("x.b.test/evil", "", PathScope("one", "/evil/"), ONE),
    ("", "acme", CustomerScope("acme"), [*ONE, "c.test"]),
    ("m.test", "", HostScope("m.test"), ["m.test"]),
]


@pytest.mark.parametrize(("target", "customer", "scope", "hostnames"), FOUND)
def test_what_is_meant_and_touched(
    desired: Desired, target: str, customer: str, scope: Scope, hostnames: list[str]
) -> None:
    assert find_scope(desired, target, customer) == scope
    assert hostnames_of(desired, scope) == hostnames


@pytest.mark.parametrize(
    ("target", "customer", "words"),
    [
        ("", "", "name one thing to block"),
        ("one", "acme", "name one thing to block"),
        ("", "nobody", "no site here belongs to 'nobody'"),
        ("nowhere.test", "", "no site here is named or answers for 'nowhere.test'"),
        ("deep.x.b.test", "", "no site here is named or answers for"),
        ("*.b.test", "", "is not a hostname"),
        ("a.test//", "", "is the whole hostname"),
        ("m.test/evil", "", "its paths are not seen here; block the hostname or the site"),
        ("a.test/ü", "", "printable ASCII"),
    ],
)
def test_what_is_nothing_here(desired: Desired, target: str, customer: str, words: str) -> None:
    with pytest.raises(HoldfastError, match=words.replace("*", r"\*")):
        find_scope(desired, target, customer)
