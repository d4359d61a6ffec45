"""What the shield is told of each request, whatever the request looks like and whatever became of it. The
hashes are computed here by another implementation of XXH3 than HAProxy's."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
import xxhash

from holdfast.shield.features import Feature
from tests.feature.clients import ask
from tests.feature.lab import eventually, ipv6_network
from tests.feature.requests_of_shape import BARE, USUAL, send
from tests.feature.shielding import SHOP, like, sightless
from tests.feature.wire import connect


def hashed(text: str | bytes) -> str:
    """XXH3 as HAProxy writes it down: a signed number."""
    number = xxhash.xxh3_64_intdigest(text.encode() if isinstance(text, str) else text)
    return str(number - (1 << 64) if number >> 63 else number)


def names(*each: str) -> str:
    return hashed(":".join(each))


USUAL_NAMES = ("host", "user-agent", "referer", "accept-language")
TOLD = {
    Feature.AGENT: hashed("Mozilla/5.0"),
    Feature.PATH: hashed("/shop/list"),
    Feature.SECTION: hashed("shop"),
    Feature.METHOD: "GET",
    Feature.QUERY: hashed("page=&sort="),
    Feature.REFERER: hashed("search.example"),
    Feature.LANGUAGE: hashed("de-DE,de;q=0.9"),
    Feature.NETWORK: "127.0.0.0",
}


async def test_every_field_of_a_sample(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        begun = time.time()
        await send(ground.lab, replace(USUAL, source="127.0.0.77"))
        sample = await ground.sample()
        for feature, value in TOLD.items():
            assert sample.values[feature] == value, feature.name
        assert sample.values[Feature.NAMES] in {names(*USUAL_NAMES), names(*USUAL_NAMES) + ":"}
        assert (sample.values[Feature.VERSION], sample.values[Feature.TLS]) == ("1.1", "")
        assert begun - 0.01 <= sample.at <= time.time()
        assert (sample.site, sample.client, sample.address) == (ground.sid(), "127.0.0.77", "127.0.0.77")
        assert (sample.path, sample.agent) == ("/shop/list", "Mozilla/5.0")
        assert (sample.status, sample.weight, sample.verdict, sample.cleared) == (200, 1, "", False)
        assert sample.origin_ms > 0
        await send(ground.lab, USUAL, "h2")
        over_http2 = await ground.sample()
        for feature, value in TOLD.items():
            assert over_http2.values[feature] == value, feature.name
        assert over_http2.values[Feature.VERSION] == "2.0"
        assert over_http2.values[Feature.NAMES] == sample.values[Feature.NAMES]


async def test_what_is_absent_is_empty(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await send(ground.lab, BARE)
        values = (await ground.sample()).values
        for feature in (Feature.AGENT, Feature.QUERY, Feature.REFERER, Feature.LANGUAGE, Feature.TLS):
            assert values[feature] == "", feature.name
        assert (values[Feature.PATH], values[Feature.SECTION]) == (hashed("/"), hashed(""))


async def test_each_header_that_is_there_is_told(tmp_path: Path) -> None:
    """Each changes the presence and nothing else but the order of headers and its own value."""
    own = {"referer": Feature.REFERER, "accept-language": Feature.LANGUAGE}
    seen: set[str] = set()
    async with sightless(tmp_path) as ground:
        await send(ground.lab, BARE)
        before = (await ground.sample()).values
        for name in ("cookie", "referer", "accept-language", "accept-encoding"):
            await send(ground.lab, replace(BARE, more=((name, "https://x.example/y"),)))
            values = (await ground.sample()).values
            changed = {each for each in Feature if each < len(values) and values[each] != before[each]}
            assert changed == {Feature.NAMES, Feature.PRESENCE} | ({own[name]} if name in own else set())
            seen.add(values[Feature.PRESENCE])
        await send(ground.lab, replace(BARE, query="a"))
        values = (await ground.sample()).values
        assert len({values[Feature.PRESENCE], before[Feature.PRESENCE]} | seen) == 6


async def test_clients_over_ipv6_are_64s_in_a_48(tmp_path: Path) -> None:
    with ipv6_network() as network:
        async with sightless(tmp_path) as ground:
            await ask(ground.lab, f"{network}:7:1:2:3:4", SHOP)
            sample = await ground.sample()
            assert (sample.client, sample.values[Feature.NETWORK]) == (f"{network}:7::", f"{network}::")
            assert sample.address == f"{network}:7:1:2:3:4"


@pytest.mark.parametrize(
    ("agent", "evidence"),
    [
        (b"a\tb\tc", "a?b?c"),
        (b"a\x01b\x7f\x1b[31m", "a?b??[31m"),
        (b"caf\xc3\xa9 \xff", "caf?? ?"),
        (b'"a"[b],\\%s%%', '"a"[b],\\%s%%'),
        (b"u" * 8000, "u" * 256),
        (b"", ""),
    ],
    ids=repr,
)
async def test_odd_values(tmp_path: Path, agent: bytes, evidence: str) -> None:
    """What could break a line, or a terminal, is not shown; the hash is that of the whole, and names it."""
    async with sightless(tmp_path) as ground:
        async with connect(ground.lab.http) as wire:
            request = b"GET /a HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: " + agent + b"\r\n\r\n"
            assert (await wire.ask(request)).status == 200
            sample = await ground.sample()
            assert (sample.agent, sample.values[Feature.AGENT]) == (evidence, hashed(agent))
            await ground.put(like(sample, Feature.AGENT))
            assert (await wire.ask(request)).status == 403
        assert ground.edge.guard.samples["malformed"] == 0


async def test_odd_targets(tmp_path: Path) -> None:
    """Of every one there is a sample, and the signature made of it denies it."""
    async with sightless(tmp_path) as ground:
        for line in (
            b"GET /%09%0a%00 HTTP/1.1",
            b"GET /" + b"p" * 8000 + b" HTTP/1.1",
            b"GET /a?" + b"&".join(b"p%d=1" % number for number in range(1000)) + b" HTTP/1.1",
            b"GET //x//?&&==& HTTP/1.1",
            b"GET /? HTTP/1.1",
            b"GET http://shop.test/a?b=1 HTTP/1.1",
            b"OPTIONS * HTTP/1.1",
            b"TRACE /a|b|c HTTP/1.0",
        ):
            request = line + b"\r\nHost: shop.test\r\n\r\n"
            await ground.put()
            async with connect(ground.lab.http) as wire:
                assert (await wire.ask(request)).status == 200, line[:40]
            sample = await ground.sample()
            for features in ((Feature.METHOD, Feature.PATH, Feature.PRESENCE), (Feature.QUERY,)):
                await ground.put(like(sample, *features))
                async with connect(ground.lab.http) as wire:
                    assert (await wire.ask(request)).status == 403, line[:40]
                assert (await ground.sample()).values == sample.values


async def test_how_long_a_request_took(tmp_path: Path) -> None:
    """At the origin, and before it was its turn there."""
    async with sightless(tmp_path, {"origin_connections": 1}) as ground:
        first = asyncio.ensure_future(ask(ground.lab, host=SHOP, path="/1?held=1"))
        await eventually(lambda: ground.origin.open == 1)
        second = asyncio.ensure_future(ask(ground.lab, host=SHOP, path="/2"))
        await asyncio.sleep(0.5)
        ground.origin.release.set()
        await asyncio.gather(first, second)
        one, two = sorted(await ground.samples(2), key=lambda sample: sample.path)
        assert (500 <= one.origin_ms < 1500, one.queue_ms < 100) == (True, True), one
        assert (400 <= two.queue_ms < 1500, 0 < two.origin_ms < 200) == (True, True), two


@pytest.mark.parametrize("method", [b"PROPFIND", b"A|b", b"M" * 100, b"M" * 3000], ids=len)
async def test_methods_that_haproxy_has_no_number_for(tmp_path: Path, method: bytes) -> None:
    """They are sampled, and the signature made of a sample denies them."""
    async with sightless(tmp_path) as ground:
        request = method + b" /a HTTP/1.1\r\nHost: shop.test\r\n\r\n"
        async with connect(ground.lab.http) as wire:
            assert (await wire.ask(request)).status == 200
        await ground.put(like(await ground.sample(), Feature.METHOD, Feature.PATH))
        async with connect(ground.lab.http) as wire:
            assert (await wire.ask(request)).status == 403
