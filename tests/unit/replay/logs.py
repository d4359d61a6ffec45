"""Made-up logs for tests, the same for the same seed: calm visitors with their pages and pictures, feed
readers, and floods among them. Shares and names are invented.

The real log lies where ``HOLDFAST_DATA`` says, and is no part of the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.replay.access_log import Entry, line_of

START = 1_431_857_100
"""A Sunday, 10:05 UTC."""
VISITORS, NETWORKS = 4000, 1500
ENGINE = "AppleWebKit/537.36 (KHTML, like Gecko)"
BROWSERS = tuple(f"Mozilla/5.0 (X11; Linux x86_64) {ENGINE} Chrome/{30 + each}.0" for each in range(24))
FEED = "Tiny Tiny RSS/1.11 (http://tt-rss.org/)"
PAGES = tuple(f"/blog/article-{each}.html" for each in range(300))
PICTURES = ("/reset.css", "/style.css", "/images/banner.png", "/favicon.ico")


def entry(at: int = START, **fields: Any) -> Entry:
    """One request, ordinary but for what is given."""
    usual = Entry(at, 0, "192.0.2.7", "GET / HTTP/1.1", 200, 5316, "", BROWSERS[0])
    return usual._replace(**fields)


def calm(rate: float, seconds: int, seed: int = 1, start: int = START) -> Iterator[Entry]:
    """So many requests a second of visitors, on average."""
    rng = np.random.default_rng(seed)
    networks = [f"{5 + each // 250}.{each % 250}.{each * 7 % 250}" for each in range(NETWORKS)]
    for at in range(start, start + seconds):
        number = int(rng.poisson(rate))
        for visitor, choice, page in zip(
            (rng.zipf(1.2, number) % VISITORS).tolist(),
            rng.random(number).tolist(),
            (rng.zipf(1.5, number) % len(PAGES)).tolist(),
            strict=True,
        ):
            host = f"{networks[visitor % NETWORKS]}.{visitor // NETWORKS + 1}"
            if choice < 0.05:
                yield Entry(at, 0, host, "GET /feed.rss HTTP/1.1", 304, None, "", FEED)
                continue
            is_page = choice < 0.4
            path = PAGES[page] if is_page else PICTURES[page % len(PICTURES)]
            referer = "https://search.example/" if is_page else f"https://site.example{PAGES[page]}"
            agent = BROWSERS[visitor % len(BROWSERS)]
            yield Entry(at, 0, host, f"GET {path} HTTP/1.1", 200, 5316, referer, agent)


def flood(
    rate: int,
    seconds: int,
    start: int,
    *,
    agent: str = "floodtool/1.0",
    path: str = "/search?q={}",
    seed: int = 2,
) -> Iterator[Entry]:
    """One program, from 5,000 addresses never seen."""
    rng = np.random.default_rng(seed)
    for at in range(start, start + seconds):
        for number in rng.integers(5000, size=rate).tolist():
            host = f"198.18.{number // 250}.{number % 250}"
            yield Entry(at, 0, host, f"GET {path.format(number)} HTTP/1.1", 200, 512, "", agent)


def mixed(*streams: Iterable[Entry]) -> list[Entry]:
    """All of them, in order."""
    return sorted((each for stream in streams for each in stream), key=lambda each: each.at)


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    return map(line_of, entries)


def real_log() -> Path | None:
    """Ten thousand lines of a real site; None where it is not on this machine."""
    default = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("HOLDFAST_DATA") or default) / "apache_access.log"
    return path if path.exists() else None
