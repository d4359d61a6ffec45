"""Crawlers, checked at a real name server over UDP: who is one, who only says so, and a flood that does."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.traffic.crawler_table import (
    BY_NAME,
    CRAWLERS,
    Networks,
    claimed,
    parse_networks,
)
from holdfast.edge.traffic.crawlers import (
    FORGED_SECONDS,
    LOOKUPS_AT_ONCE,
    LOOKUPS_PER_SECOND,
    QUEUE,
    REFRESH_SECONDS,
    UNANSWERED_SECONDS,
    VERIFIED_SECONDS,
    Crawlers,
    Memory,
    read_networks,
)
from holdfast.model.errors import HoldfastError
from tests.feature.lab import eventually

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BINGBOT = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
DUCKDUCKBOT = "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CRAWLER, CRAWLER6 = "192.0.2.1", "2001:db8:1::1"


class NameServer(asyncio.DatagramProtocol):
    """Answers from ``records``; names in ``failing`` get SERVFAIL, and silence is silence."""

    def __init__(self) -> None:
        self.records: dict[tuple[dns.name.Name, str], list[str]] = {}
        self.failing: set[dns.name.Name] = set()
        self.is_silent = False
        self.delay = 0.0
        self.asked: list[tuple[float, str, str]] = []
        self.open = self.most_open = 0
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def add(self, address: str, *names: str, back: bool = True) -> None:
        """``address`` has ``names``; each leads back to it, or not."""
        pointer = dns.name.from_text(ipaddress.ip_address(address).reverse_pointer)
        self.records[pointer, "PTR"] = [f"{name}." for name in names]
        for name in names if back else ():
            kind = "AAAA" if ":" in address else "A"
            self.records.setdefault((dns.name.from_text(name), kind), []).append(address)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((time.monotonic(), question.name.to_text(), kind))
        if self.is_silent:
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        found = self.records.get((question.name, kind))
        if question.name in self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(name == question.name for name, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        asyncio.get_running_loop().call_later(self.delay, self._reply, reply.to_wire(), addr)

    def _reply(self, wire: bytes, addr: tuple[str, int]) -> None:
        self.open -= 1
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(wire, addr)


@dataclass
class Lab:
    server: NameServer
    crawlers: Crawlers
    found: list[str]
    now: list[float] = field(default_factory=lambda: [1000.0])

    @property
    def checked(self) -> int:
        counts = self.crawlers.counts
        return counts["verified"] + counts["forged"] + counts["unanswered"]

    async def check(self, address: str, agent: str = GOOGLEBOT) -> bool:
        """Consider it, and wait for the check that follows."""
        before = self.checked
        self.crawlers.consider(address, agent)
        await eventually(lambda: self.checked == before + 1)
        return self.crawlers.verified(address)

    async def is_left_alone(self, address: str, agent: str = GOOGLEBOT) -> bool:
        """Considering it asks nothing."""
        before, asked = self.checked, len(self.server.asked)
        self.crawlers.consider(address, agent)
        await asyncio.sleep(0.1)
        return (self.checked, len(self.server.asked)) == (before, asked)


@asynccontextmanager
async def lab(networks: dict[str, Networks] | None = None) -> AsyncIterator[Lab]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    server.port = transport.get_extra_info("sockname")[1]
    found: list[str] = []
    now = [1000.0]
    crawlers = Crawlers(found.append, networks, ["127.0.0.1"], server.port, lambda: now[0])
    task = asyncio.create_task(crawlers.run())
    try:
        yield Lab(server, crawlers, found, now)
    finally:
        assert not task.done(), "it runs until it is cancelled"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        transport.close()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (GOOGLEBOT, "google"),
        ("AdsBot-Google (+http://www.google.com/adsbot.html)", "google"),
        (BINGBOT, "bing"),
        ("Mozilla/5.0 (Macintosh) Version/17.4 Safari/605.1.15 (Applebot/0.1)", "apple"),
        (DUCKDUCKBOT, "duckduckgo"),
        ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "yandex"),
        ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "baidu"),
        ("Mozilla/5.0 (compatible; SeznamBot/4.0; +http://napoveda.seznam.cz/seznambot-intro/)", "seznam"),
        ("Mozilla/5.0 (compatible; Qwantbot/1.0_1; +https://help.qwant.com/bot/)", "qwant"),
        ("Mozilla/5.0 (compatible; MojeekBot/0.11; +https://www.mojeek.com/bot.html)", "mojeek"),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", "commoncrawl"),
        ("Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/x)", "internetarchive"),
        (FIREFOX, None),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 YaBrowser/24.1 Yowser/2.5 Safari/537.36", None),
        ("", None),
    ],
)
def test_who_an_agent_says_it_is(agent: str, name: str | None) -> None:
    crawler = claimed(agent)
    assert (crawler.name if crawler else None) == name


NAMES = [
    ("google", "crawl-66-249-66-1.googlebot.com", True),
    ("google", "geo-crawl-34-100-182-96.geo.googlebot.com", True),
    ("google", "CRAWL-1.GoogleBot.COM", True),
    ("google", "rate-limited-proxy-66-249-90-77.google.com", True),
    ("google", "google-proxy-66-249-81-1.google.com", False),
    ("google", "1.2.3.4.gae.googleusercontent.com", False),
    ("google", "4.3.2.1.bc.googleusercontent.com", False),
    ("google", "googlebot.com", False),
    ("google", "crawl.xgooglebot.com", False),
    ("google", "crawl.googlebot.com.evil.test", False),
    ("google", r"crawl\.googlebot.com", False),
    ("google", "msnbot-1.search.msn.com", False),
    ("bing", "msnbot-157-55-33-18.search.msn.com", True),
    ("bing", "mail.msn.com", False),
    ("apple", "17-58-101-179.applebot.apple.com", True),
    ("apple", "www.apple.com", False),
    ("yandex", "5-255-250-1.spider.yandex.com", True),
    ("yandex", "crawl.yandex.ru", True),
    ("yandex", "crawl.yandex.net", True),
    ("yandex", "vm.yandexcloud.net", False),
    ("baidu", "baiduspider-123-125-66-120.crawl.baidu.com", True),
    ("baidu", "baidumobaider-119-63-195-254.crawl.baidu.jp", True),
    ("seznam", "fulltextrobot-77-75-77-1.seznam.cz", True),
    ("seznam", "mail.seznam.cz", False),
    ("qwant", "qwantbot-1-162-242-91.qwant.com", True),
    ("mojeek", "crawl-5-102-173-71.mojeek.com", True),
    ("commoncrawl", "18-97-9-168.crawl.commoncrawl.org", True),
    ("duckduckgo", "crawl.duckduckgo.com", False),
    ("internetarchive", "crawl.us.archive.org", False),
]


@pytest.mark.parametrize(("crawler", "name", "is_its"), NAMES)
def test_whose_name_it_is(crawler: str, name: str, is_its: bool) -> None:
    assert BY_NAME[crawler].owns(dns.name.from_text(name)) is is_its


def test_every_rule_cites_its_source() -> None:
    assert all(each.source.startswith("https://") for each in CRAWLERS)
    assert len(BY_NAME) == len(CRAWLERS)


async def test_a_crawler_is_verified_by_both_directions() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        it.server.add(CRAWLER6, "host.test", "crawl-2.geo.googlebot.com")
        assert not it.crawlers.verified(CRAWLER)
        assert await it.check(CRAWLER)
        assert await it.check(CRAWLER6)
        assert it.found == [CRAWLER, CRAWLER6]
        assert [kind for _, _, kind in it.server.asked] == ["PTR", "A", "PTR", "AAAA"]
        assert not it.crawlers.verified("192.0.2.2")


async def test_an_address_of_ipv4_in_ipv6_is_the_same_client() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        it.crawlers.consider(f"::ffff:{CRAWLER}", GOOGLEBOT)
        await eventually(lambda: it.crawlers.verified(CRAWLER))
        assert it.found == [CRAWLER]


async def test_forgers() -> None:
    async with lab() as it:
        it.server.add("192.0.2.10", "crawl-1.googlebot.com", back=False)
        it.server.add("192.0.2.11", "crawl-2.googlebot.com", back=False)
        it.server.records[dns.name.from_text("crawl-2.googlebot.com"), "A"] = ["198.51.100.1"]
        it.server.add("192.0.2.12", "crawl.googlebot.com.evil.test")
        it.server.add("192.0.2.13", "msnbot-1.search.msn.com")
        it.server.add("192.0.2.14", *(f"x{number}.googlebot.com" for number in range(6)), back=False)
        for last in range(10, 16):  # the last one has no name at all
            assert not await it.check(f"192.0.2.{last}"), last
        assert await it.check("192.0.2.16", BINGBOT) is False
        assert it.crawlers.counts["forged"] == 7
        assert not it.found
        assert len([name for _, name, kind in it.server.asked if kind == "A" and name.startswith("x")]) == 3


async def test_who_claims_nothing_or_cannot_be_asked_for_costs_nothing() -> None:
    async with lab() as it:
        assert await it.is_left_alone(CRAWLER, FIREFOX)
        assert await it.is_left_alone(CRAWLER, DUCKDUCKBOT), "no name of its is known"
        for address in ("", "nonsense", "2001:db8::/64", "192.0.2.1:80"):
            assert await it.is_left_alone(address)


async def test_answers_are_kept_for_their_time() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        assert await it.check(CRAWLER)
        assert not await it.check("192.0.2.9")
        assert await it.is_left_alone(CRAWLER)
        assert await it.is_left_alone("192.0.2.9")
        it.now[0] += FORGED_SECONDS - 1
        assert await it.is_left_alone("192.0.2.9")
        it.now[0] += 2
        it.server.add("192.0.2.9", "crawl-9.googlebot.com")
        assert await it.check("192.0.2.9"), "it may have become one"
        it.now[0] = 1000 + VERIFIED_SECONDS - REFRESH_SECONDS - 1
        assert await it.is_left_alone(CRAWLER)
        it.now[0] += 2
        assert await it.check(CRAWLER), "checked anew before its time ends"
        it.now[0] += VERIFIED_SECONDS + 1
        assert not it.crawlers.verified(CRAWLER)


async def test_who_is_a_crawler_no_longer_is_let_go_at_the_next_check() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        assert await it.check(CRAWLER)
        it.server.records.clear()
        it.now[0] += VERIFIED_SECONDS - REFRESH_SECONDS + 1
        assert not await it.check(CRAWLER)


async def test_a_name_server_that_fails_or_is_silent_condemns_nobody() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        it.server.failing.add(dns.name.from_text("crawl-1.googlebot.com"))
        assert not await it.check(CRAWLER)
        assert await it.is_left_alone(CRAWLER), "not again at once"
        it.now[0] += UNANSWERED_SECONDS + 1
        it.server.failing.clear()
        assert await it.check(CRAWLER)
        it.now[0] += VERIFIED_SECONDS - REFRESH_SECONDS + 1
        it.server.is_silent = True
        began = time.monotonic()
        assert await it.check(CRAWLER), "what is verified stays so until its end"
        assert 1.5 < time.monotonic() - began < 4.5
        assert it.crawlers.counts["unanswered"] == 2


async def test_an_ipv6_client_has_one_check_however_many_addresses() -> None:
    async with lab() as it:
        for number in range(1, 200):
            it.crawlers.consider(f"2001:db8:2::{number:x}", GOOGLEBOT)
        await eventually(lambda: it.checked == 1)
        assert await it.is_left_alone("2001:db8:2::ffff")
        assert await it.check("2001:db8:2:1::1") is False, "another /64"


async def test_a_flood_of_forged_agents_is_no_flood_of_lookups() -> None:
    async with lab() as it:
        it.server.add(CRAWLER, "crawl-1.googlebot.com")
        assert await it.check(CRAWLER)
        it.server.delay = 0.4
        asked, began, worked = len(it.server.asked), time.monotonic(), time.thread_time()
        first = int(ipaddress.IPv4Address("10.0.0.0"))
        for number in range(20_000):
            it.crawlers.consider(str(ipaddress.IPv4Address(first + number)), GOOGLEBOT)
        assert time.thread_time() - worked < 2, "a tenth of a millisecond each, at most"
        assert it.crawlers.counts["dropped"] == 20_000 - QUEUE
        await asyncio.sleep(2)
        assert it.server.most_open == LOOKUPS_AT_ONCE, "a slow name server has no more to bear"
        it.server.delay = 0.0
        await asyncio.sleep(2)
        rate = (len(it.server.asked) - asked - LOOKUPS_AT_ONCE) / (time.monotonic() - began)
        assert LOOKUPS_PER_SECOND * 0.3 < rate <= LOOKUPS_PER_SECOND
        times = [at - began for at, _, _ in it.server.asked[asked:]]
        assert sum(at < 0.1 for at in times) <= LOOKUPS_AT_ONCE, "not all at once either"
        assert it.crawlers.verified(CRAWLER)


def test_forgers_do_not_push_crawlers_out_of_memory() -> None:
    memory = Memory(3)
    for key in "abc":
        memory.put(key, 100.0)
    assert memory.left("a", 0.0) == 100.0
    memory.put("d", 100.0)
    assert [bool(memory.left(key, 0.0)) for key in "abcd"] == [True, False, True, True]
    assert len(memory) == 3
    assert not memory.left("a", 100.0)
    assert len(memory) == 2


PUBLISHED = {
    "creationTime": "2026-11-20T15:00:21.000000",
    "prefixes": [{"ipv4Prefix": "192.0.2.0/28"}, {"ipv6Prefix": "2001:db8:7::/48"}, {"note": "other"}],
}


async def test_published_networks_need_no_lookup(tmp_path: Path) -> None:
    file = tmp_path / "duckduckbot.json"
    file.write_text(json.dumps(PUBLISHED))
    async with lab({"duckduckgo": read_networks(file)}) as it:
        for address in ("192.0.2.15", "2001:db8:7:ffff::1"):
            it.crawlers.consider(address, DUCKDUCKBOT)
            assert it.crawlers.verified(address)
        it.crawlers.consider("192.0.2.15", DUCKDUCKBOT)
        it.crawlers.consider("192.0.2.16", DUCKDUCKBOT)
        assert not it.crawlers.verified("192.0.2.16")
        assert it.found == ["192.0.2.15", "2001:db8:7:ffff::1"]
        assert not await it.check("192.0.2.14", GOOGLEBOT), "another crawler's networks"
        assert [kind for _, _, kind in it.server.asked] == ["PTR"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no list"),
        ("[]", "no list"),
        ("{}", "no list"),
        ('{"prefixes": 3}', "no list"),
        ('{"prefixes": [3]}', "no list"),
        ('{"prefixes": [{"ipv4Prefix": "192.0.2.1/24"}]}', "no list"),
        ('{"prefixes": [{"ipv4Prefix": null}]}', "no list"),
        ('{"prefixes": []}', "no network"),
        ('{"prefixes": [{"ipv4Prefix": "0.0.0.0/0"}]}', "broader"),
        ('{"prefixes": [{"ipv6Prefix": "2000::/3"}]}', "broader"),
    ],
)
def test_lists_that_are_none(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(text)
    with pytest.raises(HoldfastError, match=problem) as refused:
        read_networks(file)
    assert str(file) in str(refused.value)


def test_files_and_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="cannot read"):
        read_networks(tmp_path / "nowhere.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(HoldfastError, match="cannot read"):
        read_networks(tmp_path / "binary")
    with pytest.raises(HoldfastError, match="no crawler 'gogle'"):
        Crawlers(print, {"gogle": Networks()})


PREFIXES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)), min_size=1, max_size=20)


@given(PREFIXES, st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_networks_agree_with_the_standard_library(prefixes: list[tuple[int, int]], others: list[int]) -> None:
    networks = [ipaddress.ip_network((number, length), strict=False) for number, length in prefixes]
    text = json.dumps({"prefixes": [{"ipv4Prefix": str(network)} for network in networks]})
    found = parse_networks(text, "list")
    for number in (*others, *(number for number, _ in prefixes)):
        address = ipaddress.IPv4Address(number)
        assert (address in found) == any(address in network for network in networks)
        assert ipaddress.IPv6Address(number) not in found
