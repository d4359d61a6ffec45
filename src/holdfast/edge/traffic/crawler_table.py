"""Which crawlers are known, how each names itself, and how its operator says that it is recognized.

Pure. A rule is here only where the operator documents it; ``source`` says where (looked up in November 2026).
Asking the DNS is in ``crawlers``.

Not believed, though documented: names under ``googleusercontent.com`` (whoever rents a machine there has one)
and ``google-proxy-*.google.com`` (fetches that anyone may cause, also against a site that is to be flooded).
"""

from __future__ import annotations

import ipaddress
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import dns.name

from holdfast.model.errors import error

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
BROADEST = {4: 8, 6: 24}
"""IP version → the shortest prefix that is believed to be of one crawler."""


@dataclass(frozen=True, slots=True)
class Under:
    """Host names below ``domain``, whose first label begins with ``first``."""

    domain: str
    first: str = ""

    def holds(self, name: dns.name.Name) -> bool:
        """Compares whole labels, whatever their case: ``googlebot.com.evil.test`` and ``xgooglebot.com`` are
        not below ``googlebot.com``."""
        parent = dns.name.from_text(self.domain)
        return (
            name.is_subdomain(parent)
            and len(name) > len(parent)
            and name.labels[0].lower().startswith(self.first.encode())
        )


@dataclass(frozen=True, slots=True)
class Crawler:
    """One operator's crawlers."""

    name: str
    tokens: tuple[str, ...]
    """Parts of user agents, in lower case; one suffices."""
    names: tuple[Under, ...]
    """Of its addresses; none: it is recognized by published networks only."""
    source: str

    def owns(self, name: dns.name.Name) -> bool:
        """Whether a machine of this name is one of its."""
        return any(each.holds(name) for each in self.names)


CRAWLERS = (
    Crawler(
        "google",
        (
            *("googlebot", "googleother", "google-inspectiontool", "storebot-google", "adsbot-google"),
            *("mediapartners-google", "apis-google"),
        ),
        (Under("googlebot.com"), Under("google.com", first="rate-limited-proxy-")),
        "https://developers.google.com/crawling/docs/crawlers-fetchers/verifying-googlebot",
    ),
    Crawler(
        "bing",
        ("bingbot", "msnbot", "adidxbot"),
        (Under("search.msn.com"),),
        "https://www.bing.com/webmaster/help/how-to-verify-bingbot-3905dc26",
    ),
    Crawler("apple", ("applebot",), (Under("applebot.apple.com"),), "https://support.apple.com/en-us/119829"),
    Crawler(  # names no domain, only addresses: https://duckduckgo.com/duckduckbot.json
        "duckduckgo",
        ("duckduckbot", "duckassistbot"),
        (),
        "https://duckduckgo.com/duckduckgo-help-pages/results/duckduckbot/",
    ),
    Crawler(
        "yandex",
        ("yandex.com/bots",),
        (Under("yandex.ru"), Under("yandex.net"), Under("yandex.com")),
        "https://yandex.com/support/webmaster/robot-workings/check-yandex-robots.html",
    ),
    Crawler(  # the notice of Baidu's search resource platform of 2017-04-27, seen in copies
        "baidu",
        ("baiduspider",),
        (Under("baidu.com"), Under("baidu.jp")),
        "https://ziyuan.baidu.com/",
    ),
    Crawler(
        "seznam",
        ("seznambot",),
        (Under("seznam.cz", first="fulltextrobot-"),),
        "https://napoveda.seznam.cz/en/seznambot-crawler/",
    ),
    Crawler("qwant", ("qwantbot",), (Under("qwant.com"),), "https://help.qwant.com/bot/"),
    Crawler("mojeek", ("mojeekbot",), (Under("mojeek.com"),), "https://www.mojeek.com/bot.html"),
    Crawler("commoncrawl", ("ccbot/",), (Under("crawl.commoncrawl.org"),), "https://commoncrawl.org/ccbot"),
    Crawler(  # says who it is, but no rule for its names was found
        "internetarchive",
        ("archive.org_bot", "special_archiver"),
        (),
        "https://archive.org/details/archive.org_bot",
    ),
)
BY_NAME = {crawler.name: crawler for crawler in CRAWLERS}


def claimed(agent: str) -> Crawler | None:
    """The crawler that this user agent says it is."""
    lower = agent.lower()
    return next((each for each in CRAWLERS if any(token in lower for token in each.tokens)), None)


class Networks:
    """Addresses in prefixes, found by one look-up for each length of prefix."""

    def __init__(self, prefixes: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()) -> None:
        self._prefixes: dict[tuple[int, int], set[int]] = defaultdict(set)
        for each in prefixes:
            bits = each.max_prefixlen - each.prefixlen
            self._prefixes[each.version, bits].add(int(each.network_address) >> bits)

    def __contains__(self, address: Address) -> bool:
        number, version = int(address), address.version
        return any(number >> bits in known for (of, bits), known in self._prefixes.items() if of == version)


def parse_networks(text: str, place: str) -> Networks:
    """What operators publish: ``{"prefixes": [{"ipv4Prefix": …}, {"ipv6Prefix": …}]}``; other fields are let
    pass. Raises HoldfastError."""
    remedy = "download the file anew from the crawler's operator"
    try:
        listed = json.loads(text)["prefixes"]
        found = [
            ipaddress.ip_network(entry[key])
            for entry in listed
            for key in ("ipv4Prefix", "ipv6Prefix")
            if key in entry
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise error(f"this is no list of a crawler's networks ({wrong!r})", remedy, place) from wrong
    if not found:
        raise error("there is no network in this list", remedy, place)
    for network in found:
        if network.prefixlen < BROADEST[network.version]:
            raise error(f"{network} is broader than any crawler", remedy, place)
    return Networks(found)
