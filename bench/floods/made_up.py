"""Visits that nobody made, where the real log is absent: its proportions, none of its lines."""

from __future__ import annotations

import random

from bench.floods.log import Request, Visit

HOURS, VISITS = 83.0, 3200
ADDRESSES = 1750
WINDOWS = "Mozilla/5.0 (Windows NT 6.1; WOW64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
BROWSERS = (
    f"{WINDOWS}) {WEBKIT} Chrome/32.0.1700.107 Safari/537.36",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/33.0.1750.91 Safari/537.36",
    f"{WINDOWS}; rv:27.0) Gecko/20100101 Firefox/27.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:26.0) Gecko/20100101 Firefox/26.0",
    f"Mozilla/5.0 (iPad; CPU OS 7_0_4 like Mac OS X) {WEBKIT} Version/7.0 Mobile/11B554a Safari/9537.53",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)",
)
OTHERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
    "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
    "",
)
EMBEDDED = ("/reset.css", "/style2.css", "/images/banner.png", "/images/portrait.png", "/favicon.ico")
FEED = "/blog/tags/puppet?flav=rss20"
MOMENT = 1_431_857_103.0


def made_up_visits(seed: int = 1) -> list[Visit]:
    """As many visits as the real log has, over the same time."""
    draw = random.Random(seed)
    people = [_person(draw) for _ in range(ADDRESSES)]
    moments = sorted(MOMENT + draw.random() * HOURS * 3600 for _ in range(VISITS))
    return [_visit(draw, moment, *_whoever(draw, people)) for moment in moments]


def _person(draw: random.Random) -> tuple[str, str]:
    network = draw.choice(("5.9", "24.16", "46.105", "66.249", "81.220", "93.184", "130.237", "208.115"))
    address = f"{network}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
    return address, draw.choice(BROWSERS if draw.random() < 0.7 else OTHERS)


def _whoever(draw: random.Random, people: list[tuple[str, str]]) -> tuple[str, str]:
    """Most come once, few come often."""
    return people[int(len(people) * draw.random() ** 2)]


def _visit(draw: random.Random, moment: float, address: str, agent: str) -> Visit:
    page = f"/blog/geekery/article-{int(draw.paretovariate(0.7)) % 300}.html"
    if "Feed" in agent or "RSS" in agent:
        return Visit(moment, address, agent, (Request(0.0, "GET", FEED),))
    if agent not in BROWSERS:
        pages = [Request(30.0 * at, "GET", f"{page}?page={at}") for at in range(draw.randrange(1, 4))]
        return Visit(moment, address, agent, tuple(pages))
    referer = draw.choice(("", "", "http://www.google.com/search?q=xdotool", "http://news.example/"))
    requests = [Request(0.0, "GET", page, referer)]
    requests += [Request(float(number // 3), "GET", each, page) for number, each in enumerate(EMBEDDED)]
    if draw.random() < 0.3:
        requests.append(Request(40.0, "GET", "/projects/xdotool/", page))
    return Visit(moment, address, agent, tuple(requests))
