"""What HAProxy should hold for one site, one blocked scope, one source."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath

import pytest

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.facts import (
    ALLOW_MASKS,
    CHECK,
    SiteId,
    allow_keys,
    block_facts,
    scope_key,
    site_facts,
    source_facts,
)
from holdfast.edge.dataplane.limits import entry
from holdfast.edge.dataplane.pages import parse_record
from holdfast.edge.dataplane.picture import Maps
from holdfast.model.ban import Ban
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Provider,
    Scope,
    SiteScope,
)
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Certificate, Https, Limits, Origin, OriginTls, Protocol, Service, Site

PLACES = Places(PurePosixPath("/run/holdfast"))
ID = SiteId(3, 7)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLAIN = Origin(ip_address("192.0.2.1"), 80)
SITE = Site("a", "x", ("a.test", "*.b.test"), (PLAIN,))


def test_a_plain_site() -> None:
    picture = site_facts(SITE, ID, "slot4", PLACES)
    assert picture.maps == {
        (Maps.BACKENDS, "3-7"): "slot4",
        (Maps.HOSTS, "a.test"): "3-7",
        (Maps.WILDCARDS, "b.test"): "3-7",
    }
    ((key, server),) = picture.servers.items()
    assert key[0] == "slot4"
    assert server.arguments == f"192.0.2.1:80 pool-max-conn 256 pool-purge-delay 10s {CHECK}"
    assert (server.maxconn, server.checked, server.in_service) == (100, True, True)
    assert not picture.certificates
    assert not picture.authorities


def test_a_site_passed_through_has_names_of_its_own_kind_and_nothing_else() -> None:
    picture = site_facts(replace(SITE, service=Service.TCP), ID, "pass0", PLACES)
    assert set(picture.maps) == {
        (Maps.BACKENDS, "3-7"),
        (Maps.PASS_HOSTS, "a.test"),
        (Maps.PASS_WILDCARDS, "b.test"),
    }


TLS = f"pool-max-conn 256 pool-purge-delay 10s {CHECK} ssl verify required ca-file"
NAMED = "sni str(o.test) verifyhost o.test alpn"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin(ip_address("2001:db8::1"), 8080), ["[2001:db8::1]:8080 pool-max-conn"]),
        (replace(PLAIN, protocol=Protocol.HTTP2), [f"{CHECK} proto h2"]),
        (
            Origin(ip_address("192.0.2.1"), 443, OriginTls("o.test")),
            [f"192.0.2.1:443 {TLS} @system-ca {NAMED} http/1.1 check-ssl check-sni o.test"],
        ),
        (
            Origin(ip_address("192.0.2.1"), 443, OriginTls("o.test"), Protocol.HTTP2),
            [f"{TLS} @system-ca {NAMED} h2"],
        ),
        (
            Origin(ip_address("192.0.2.1"), 443, OriginTls("o.test", "PEM")),
            [f"{TLS} /run/holdfast/authorities/ca-3-7-", ".pem sni"],
        ),
    ],
)
def test_origins(origin: Origin, words: list[str]) -> None:
    picture = site_facts(replace(SITE, origins=(origin,)), ID, "slot4", PLACES)
    (server,) = picture.servers.values()
    assert all(each in server.arguments for each in words), server.arguments
    assert [each.pem for each in picture.authorities.values()] == (
        ["PEM"] if "authorities" in words[0] else []
    )


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAIN, address=ip_address("192.0.2.9")),
        replace(PLAIN, port=81),
        replace(PLAIN, tls=OriginTls("a.test")),
        replace(PLAIN, tls=OriginTls("b.test")),
        replace(PLAIN, tls=OriginTls("a.test", "one")),
        replace(PLAIN, tls=OriginTls("a.test", "two")),
        replace(PLAIN, protocol=Protocol.HTTP2),
    ],
)
def test_whatever_cannot_change_in_place_is_part_of_the_name(changed: Origin) -> None:
    names = {
        name
        for origin in (PLAIN, changed)
        for name in site_facts(replace(SITE, origins=(origin,)), ID, "slot4", PLACES).servers
    }
    assert len(names) == 2


def test_a_connection_limit_changes_in_place() -> None:
    limited = replace(SITE, limits=Limits(origin_connections=5))
    one, two = (site_facts(each, ID, "slot4", PLACES) for each in (SITE, limited))
    assert one.servers.keys() == two.servers.keys()
    assert [each.maxconn for each in two.servers.values()] == [5]


def test_a_certificate_is_named_by_its_content_and_the_names_it_is_for() -> None:
    certificates = [Certificate("one", ("a.test", "*.b.test")), Certificate("two", ("a.test", "*.b.test"))]
    sites = [replace(SITE, certificate=each) for each in certificates]
    sites.append(replace(sites[0], hostnames=("a.test",)))
    pictures = [site_facts(each, ID, "slot4", PLACES) for each in sites]
    assert len({name for each in pictures for name in each.certificates}) == 3
    (listed,) = pictures[0].certificates.values()
    assert (listed.patterns, listed.pem) == (("a.test", "*.b.test"), "one")


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, None),
        ({"allow": (ip_network("192.0.2.0/24"),)}, "1"),
        ({"watch_only": True}, "2"),
        ({"https": Https.REDIRECT}, "4"),
        ({"https": Https.STRICT}, "12"),
        ({"limits": Limits(bytes_per_second=1)}, "16"),
        ({"sign": True}, "32"),
        (
            {
                "https": Https.STRICT,
                "limits": Limits(bytes_per_second=1),
                "allow": (ip_network("::/32"),),
                "watch_only": True,
                "sign": True,
            },
            "63",
        ),
    ],
)
def test_flags(changes: dict[str, object], flags: str | None) -> None:
    site = replace(SITE, **changes)  # type: ignore[arg-type]
    assert site_facts(site, ID, "slot4", PLACES).maps.get((Maps.FLAGS, "3-7")) == flags


def test_a_new_site_has_no_entry_but_for_its_names_and_slot() -> None:
    assert {name for name, _ in site_facts(SITE, ID, "slot4", PLACES).maps} == {
        Maps.BACKENDS,
        Maps.HOSTS,
        Maps.WILDCARDS,
    }


def test_a_site_with_limits_of_its_own_has_one_entry_more() -> None:
    site = replace(SITE, origins=(PLAIN,), limits=Limits(queue=3))
    assert site_facts(site, ID, "slot4", PLACES).maps[Maps.LIMITS, "3-7"] == entry(site.limits, 100)
    assert (Maps.LIMITS, "3-7") not in site_facts(replace(SITE, origins=(PLAIN,)), ID, "slot4", PLACES).maps


def test_the_key_of_signatures_is_there_only_where_it_is_wanted() -> None:
    signed, unsigned = (
        site_facts(replace(SITE, sign=sign), ID, "slot4", PLACES, b"\0\1").maps for sign in (True, False)
    )
    assert signed[Maps.SIGNING, "3-7"] == "AAE="
    assert (Maps.SIGNING, "3-7") not in unsigned


@pytest.mark.parametrize(
    ("network", "count", "first"),
    [
        ("10.0.0.0/8", 1, "10.0.0.0"),
        ("10.0.0.0/7", 2, "10.0.0.0"),
        ("192.0.2.0/24", 1, "192.0.2.0"),
        ("192.0.2.64/26", 64, "192.0.2.64"),
        ("192.0.2.1/32", 1, "192.0.2.1"),
        ("2001:db8::/32", 1, "2001:db8::"),
        ("2001:db8::/29", 8, "2001:db8::"),
        ("2001:db8::/64", 1, "2001:db8::"),
        ("2001:db8::1/128", 1, "2001:db8::1"),
        ("2001:db8::/120", 256, "2001:db8::"),
    ],
)
def test_an_allowed_network_is_spelled_out(network: str, count: int, first: str) -> None:
    keys = allow_keys(ip_network(network))
    assert len(set(keys)) == len(keys) == count
    step, _, address = keys[0].partition("|")
    assert address == first
    assert 0 <= int(step) < len(ALLOW_MASKS)


def test_networks_that_begin_alike_have_keys_of_their_own() -> None:
    networks = [f"10.0.0.0/{length}" for length in (8, 16, 24, 32)]
    assert len({key for each in networks for key in allow_keys(ip_network(each))}) == 4


@pytest.mark.parametrize("network", ["2001:db8::/100", "2001:db8::/65", "2000::/16"])
def test_too_many_keys_are_refused(network: str) -> None:
    with pytest.raises(HoldfastError, match=r"would take .* entries; write it as networks of one of"):
        allow_keys(ip_network(network))


PROVIDER = Provider(
    "P", "https://p.example/", "https://p.example/s/{id}", "https://p.example/r/{id}", "/{id}"
)
IDS = {"a": ID}


def block(scope: Scope, id: str = "D1", hours: int = 1, **more: str) -> Enforcement:
    return Enforcement(id, scope, "ground", NOW, NOW + timedelta(hours=hours), "officer", **more)


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        (CustomerScope("x"), (Maps.BLOCK_CUSTOMERS, "3")),
        (CustomerScope("elsewhere"), None),
        (SiteScope("a"), (Maps.BLOCK_SITES, "3-7")),
        (SiteScope("elsewhere"), None),
        (HostScope("a.test"), (Maps.BLOCK_HOSTS, "a.test")),
        (HostScope("elsewhere.test"), (Maps.BLOCK_HOSTS, "elsewhere.test")),
        (PathScope("a", "/p/"), (Maps.BLOCK_PREFIXES, "3-7/p/")),
        (PathScope("elsewhere", "/p/"), None),
    ],
)
def test_a_block_is_one_entry_with_its_record(scope: Scope, key: tuple[str, str] | None) -> None:
    assert scope_key(scope, IDS, {"x": 3}) == key
    picture = block_facts(scope, [block(scope)], IDS, {"x": 3}, PROVIDER)
    if key is None:
        assert not picture.maps
        return
    record_id = picture.maps[key]
    notice = parse_record(picture.maps[Maps.BLOCK_RECORDS, record_id])
    assert (notice.id, notice.status, notice.ground, notice.until) == (
        "D1",
        403,
        "ground",
        NOW + timedelta(hours=1),
    )
    assert (notice.statement, notice.record) == ("https://p.example/s/D1", "https://p.example/r/D1")
    assert (Maps.BLOCK_PROBLEMS, record_id) in picture.maps
    extra = {(Maps.BLOCK_PATHS, "3-7"): "1"} if isinstance(scope, PathScope) else {}
    assert len(picture.maps) == 3 + len(extra)
    assert extra.items() <= picture.maps.items()


def test_of_several_blocks_the_one_that_lasts_longest_is_shown() -> None:
    scope = SiteScope("a")
    blocks = [block(scope, "D1", 2), block(scope, "D2", 3, authority="Court"), block(scope, "D3", 1)]
    picture = block_facts(scope, blocks, IDS, {}, PROVIDER)
    ((_, line),) = picture.map(Maps.BLOCK_RECORDS)
    assert (parse_record(line).id, parse_record(line).status) == ("D2", 451)


def test_a_longer_path_carries_a_block_of_a_shorter_one_that_lasts_longer() -> None:
    """HAProxy looks up the longest prefix only."""
    short, long = PathScope("a", "/p/"), PathScope("a", "/p/q/")
    blocks = [block(short, "D1", 3), block(long, "D2", 1)]
    for scope, expected in ((short, "D1"), (long, "D1")):
        ((_, line),) = block_facts(scope, blocks, IDS, {}, PROVIDER).map(Maps.BLOCK_RECORDS)
        assert parse_record(line).id == expected


def test_a_record_is_named_by_what_it_says() -> None:
    scope = SiteScope("a")
    one = block_facts(scope, [block(scope)], IDS, {}, PROVIDER)
    two = block_facts(scope, [block(scope)], IDS, {}, replace(PROVIDER, name="Q"))
    assert set(one.map(Maps.BLOCK_RECORDS)) != set(two.map(Maps.BLOCK_RECORDS))
    assert not block_facts(scope, [], IDS, {}, PROVIDER).maps


UNTIL = str(int((NOW + timedelta(hours=1)).timestamp()))


@pytest.mark.parametrize("network", ["192.0.2.0/24", "2001:db8::/64"])
@pytest.mark.parametrize("banned", [True, False])
@pytest.mark.parametrize("cleared", [True, False])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_source(network: str, banned: bool, cleared: bool, allowed: bool) -> None:
    source = ip_network(network)
    expected = {}
    if banned:
        expected[Maps.BANS, network] = str(int((NOW + timedelta(minutes=1)).timestamp()))
    if cleared:
        expected[Maps.CLEARED, network] = str(int(NOW.timestamp()))
    if allowed:
        expected[Maps.SPARED, network] = "1"
    ban = Ban(source, NOW + timedelta(minutes=1)) if banned else None
    assert source_facts(source, ban, NOW if cleared else None, is_allowed=allowed).maps == expected
