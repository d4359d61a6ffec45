"""What a client of a kind sends: which headers, with which values, in which order.

After the programs of the log's time. What differs between two visitors with one program (the language,
whether it has a cookie) is drawn from the visitor's name, so that it stays the same as long as the visitor.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

Headers = list[tuple[str, str]]

BROWSERS = ("chrome", "firefox", "safari", "ios", "msie", "opera")
FAMILIES: dict[str, tuple[str, ...]] = {
    "chrome": (
        "Host",
        "Connection",
        "Accept",
        "User-Agent",
        "Referer",
        "Accept-Encoding",
        "Accept-Language",
        "Cookie",
    ),
    "firefox": (
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Referer",
        "Cookie",
        "Connection",
    ),
    "safari": (
        "Host",
        "Accept-Encoding",
        "Cookie",
        "Connection",
        "Accept",
        "User-Agent",
        "Accept-Language",
        "Referer",
    ),
    "ios": (
        "Host",
        "Connection",
        "Referer",
        "Accept-Encoding",
        "Accept",
        "Cookie",
        "Accept-Language",
        "User-Agent",
    ),
    "msie": (
        "Accept",
        "Referer",
        "Accept-Language",
        "User-Agent",
        "Accept-Encoding",
        "Host",
        "Connection",
        "Cookie",
    ),
    "opera": (
        "User-Agent",
        "Host",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Referer",
        "Cookie",
        "Connection",
    ),
    "googlebot": ("Host", "Connection", "Accept", "From", "User-Agent", "Accept-Encoding"),
    "bingbot": (
        "Cache-Control",
        "Connection",
        "Pragma",
        "Accept",
        "Accept-Encoding",
        "From",
        "Host",
        "User-Agent",
    ),
    "crawler": ("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Referer"),
    "feed": ("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "A-IM"),
    "library": ("Host", "User-Agent", "Accept-Encoding", "Accept", "Connection", "Referer"),
    "curl": ("Host", "User-Agent", "Accept", "Referer"),
    "wget": ("User-Agent", "Accept", "Accept-Encoding", "Host", "Connection", "Referer"),
    "api": ("Host", "User-Agent", "Accept-Encoding", "Accept", "Connection", "Authorization"),
    "git": ("Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Pragma", "Git-Protocol"),
    "webhook": ("Host", "User-Agent", "Content-Type", "X-Event", "Accept"),
    "unknown": ("Host", "Accept", "Connection", "User-Agent"),
}
"""In each family's own order. ``Host`` leads in some and not in others, as it does outside."""

KNOWN = (  # the first that is in the agent's name decides
    ("googlebot", ("googlebot", "google favicon", "adsbot", "web preview")),
    ("bingbot", ("bingbot", "msnbot", "bingpreview")),
    ("feed", ("feed", "rss", "reader", "livejournal", "liferea", "spinn3r", "flipboard")),
    (
        "crawler",
        ("bot", "spider", "crawl", "slurp", "ezooms", "archive.org", "facebookexternal", "siteexplorer"),
    ),
    ("curl", ("curl/",)),
    ("wget", ("wget/",)),
    ("git", ("git/",)),
    (
        "library",
        ("python", "ruby", "java/", "perl", "libwww", "go-http", "php", "chef", "portscout", "apache"),
    ),
    ("opera", ("opera",)),
    ("ios", ("iphone", "ipad", "ipod")),
    ("chrome", ("chrome/", "chromium", "crios")),
    ("msie", ("msie", "trident")),
    ("safari", ("safari/", "applewebkit")),
    ("firefox", ("firefox/", "gecko/", "iceweasel")),
)
LANGUAGES = ("en-US,en;q=0.8",) * 5 + (
    "en-GB,en;q=0.7",
    "de-DE,de;q=0.8,en;q=0.4",
    "fr,fr-fr;q=0.8",
    "ru,en;q=0.5",
    "zh-CN,zh;q=0.8",
)
RETURNING = 0.3
"""Share of browsers that have a cookie of the site."""
PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
EMBEDDED = (".css", ".js", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".svg", ".woff", ".webp")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the headers of one request depend on."""

    host: str
    path: str
    agent: str
    visitor: str
    """Its address: what else it sends is drawn from it."""
    referer: str = ""
    cookie: str = ""
    """Of this visit, beside what a returning visitor has."""
    version: str = "1.1"


def family_of(agent: str) -> str:
    """Which program an agent's name stands for."""
    name = agent.lower()
    for family, marks in KNOWN:
        if any(mark in name for mark in marks):
            return family
    return "unknown"


def is_embedded(path: str) -> bool:
    """Whether a browser fetches this as a part of a page and shows no page that comes in its place."""
    return path.partition("?")[0].lower().endswith(EMBEDDED)


def headers(family: str, asked: Asked) -> Headers:
    """The headers of a request, in the family's order; those that have no value are left out."""
    return [(name, value) for name in FAMILIES[family] if (value := _value(name, family, asked))]


def listed(lines: list[str], asked: Asked) -> Headers:
    """As ``headers``, for a list of ``Name`` or ``Name: value``, in that order."""
    made = []
    for line in lines:
        name, colon, value = line.partition(":")
        made.append((name, value.strip() if colon else _value(name, "library", asked)))
    return [(name, value) for name, value in made if value]


def _value(name: str, family: str, asked: Asked) -> str:
    drawn = zlib.crc32(asked.visitor.encode())
    match name:
        case "Host":
            return asked.host
        case "User-Agent":
            return asked.agent
        case "Referer":
            return f"http://{asked.host}{asked.referer}" if asked.referer.startswith("/") else asked.referer
        case "Accept":
            return _accept(family, asked.path)
        case "Accept-Language":
            return LANGUAGES[drawn % len(LANGUAGES)]
        case "Accept-Encoding":
            return "gzip,deflate,sdch" if family == "chrome" else "gzip, deflate"
        case "Connection":
            return "close" if asked.version == "1.0" else "Keep-Alive" if family == "msie" else "keep-alive"
        case "Cookie":
            known = f"__utma=1.{drawn}.1431.1432.3" if drawn // 7 % 100 < 100 * RETURNING else ""
            return "; ".join(filter(None, (known, asked.cookie)))
        case "From":
            return "googlebot(at)googlebot.com" if family == "googlebot" else "bingbot(at)microsoft.com"
        case "Authorization":
            return f"Bearer {drawn:032x}"
        case "A-IM":
            return "feed"
        case "Git-Protocol":
            return "version=2"
        case "Content-Type":
            return "application/json"
        case "X-Event":
            return "push"
        case "Pragma" | "Cache-Control":
            return "no-cache"
    raise ValueError(f"there is no value for the header {name!r}: write 'Name: value'")


def _accept(family: str, path: str) -> str:
    if family == "api":
        return "application/json"
    if family == "feed":
        return "application/atom+xml,application/rss+xml,application/xml;q=0.8,*/*;q=0.5"
    if family not in BROWSERS:
        return "*/*"
    name = path.partition("?")[0].lower()
    if name.endswith(".css"):
        return "text/css,*/*;q=0.1"
    if is_embedded(path) and not name.endswith(".js"):
        return "image/webp,*/*;q=0.8" if family == "chrome" else "image/png,image/*;q=0.8,*/*;q=0.5"
    return "*/*" if name.endswith(".js") else PAGE
