"""A site's baseline after a calm week, made in a second: what the edge would have learned from the training
visits. Their requests are those that visitors really send (``agents``), and each feature is what HAProxy
would find in them: a test compares the two.

The visits are spread over the week before; the pauses within each stay. Their rate is that of the calm plan,
second by second, again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

import numpy as np
import xxhash

from bench.floods.agents import Asked, family_of, headers
from bench.floods.log import Request, Visit
from bench.floods.plan import CALM_SECONDS
from bench.floods.visits import Planned, requests
from holdfast.shield.baseline import Baseline
from holdfast.shield.sample import Sample

DAYS = 8
FAST_DAYS = 1
"""The last of them are learned by the second, for the spread of seconds; those before by the minute."""
DAY = 86_400.0
ORIGIN_MS = 20.0
SPECIAL = ("api", "git", "webhook", "feed")


def hashed(text: str) -> str:
    """As HAProxy's ``xxh3``: signed, 64 bits, decimal; empty for what is absent."""
    if not text:
        return ""
    value = int(xxhash.xxh3_64_intdigest(text.encode("latin-1", "replace")))
    return str(value - (1 << 64) if value >= 1 << 63 else value)


def values_of(visit: Visit, request: Request, host: str) -> tuple[str, ...]:
    """The value of each feature, as ``dataplane.rules.features`` has them."""
    kind = visit.group if visit.group in SPECIAL else family_of(visit.agent)
    asked = Asked(host, request.path, visit.agent, visit.address, request.referer, version=request.version)
    sent = dict(headers(kind, asked))
    names = [name.lower() for name in sent if name.lower() != "connection"]
    if request.body:
        names.append("content-length")
    path, mark, query = request.path.partition("?")
    shape = "&".join(part.partition("=")[0] + "=" * ("=" in part) for part in query.split("&"))
    present = ("Cookie", "Referer", "Accept-Language", "Accept-Encoding")
    referer = sent.get("Referer", "").split("/")
    return (
        hashed(sent.get("User-Agent", "")),
        hashed(":".join(names)),
        hashed(path),
        hashed(path.split("/")[1] if "/" in path else ""),
        request.method,
        hashed(shape),
        ("1" if mark and query else "") + "".join("1" if name in sent else "0" for name in present),
        request.version,
        "",
        hashed(referer[2] if len(referer) > 2 else ""),
        hashed(sent.get("Accept-Language", "")),
        network_of(visit.address),
    )


def network_of(address: str) -> str:
    """The IPv4 /24."""
    return ".".join([*address.split(".")[:3], "0"])


def samples(calm: Sequence[Planned], host: str, now: float, seconds: float) -> list[Sample]:
    """Those of one site, spread over the week before ``now``, each visit as it was."""
    stretch = (DAYS * DAY - 7200) / seconds
    made = []
    for at, planned, request in requests(calm, seconds):
        if planned.host != host:
            continue
        # A program comes all week long, each time for one request.
        begun = at if planned.visit.group in SPECIAL else max(planned.start, 0.0)
        when = now - DAYS * DAY + begun * stretch + (at - begun)
        values = values_of(planned.visit, request, host)
        made.append(
            Sample(
                at=when,
                site="-",
                client=planned.visit.address,
                values=values,
                origin_ms=ORIGIN_MS,
                path=request.path,
                agent=planned.visit.agent,
            )
        )
    return sorted(made, key=lambda sample: sample.at)


def baseline(
    calm: Sequence[Planned],
    host: str,
    now: float,
    translate: Callable[[Sample], Sample] = lambda sample: sample,
    seed: int = 1,
) -> Baseline:
    """What the site would have learned by ``now``. ``translate``: what HAProxy would have found otherwise."""
    made = Baseline.new(now - DAYS * DAY)
    moments = [at for at, planned, _ in requests(calm, CALM_SECONDS) if planned.host == host]
    for at, count, span in _rates(moments, CALM_SECONDS, now, Random(seed)):
        made.learn_rate(at, count, span)
    for part in _parts([translate(each) for each in samples(calm, host, now, CALM_SECONDS)]):
        made.learn(part, np.random.default_rng(seed))
    return made


def _rates(
    moments: Iterable[float], seconds: float, now: float, chance: Random
) -> Iterator[tuple[float, float, float]]:
    counts = np.bincount(np.asarray([int(at) for at in moments]), minlength=int(seconds)).tolist()
    mean = sum(counts) / len(counts)
    first = (now - DAYS * DAY) // 60 * 60
    for minute in range(int(DAYS * 1440)):
        at = first + 60 * minute
        if minute < (DAYS - FAST_DAYS) * 1440:
            yield at, 60 * mean, 60.0
        else:
            for second, count in enumerate(chance.choices(counts, k=60)):
                yield at + second, count, 1.0


def _parts(all_samples: list[Sample], size: int = 200) -> Iterator[list[Sample]]:
    for start in range(0, len(all_samples), size):
        yield all_samples[start : start + size]
