"""What a window of samples says: does the origin suffer, who makes up the excess, how is it named.

Estimates from samples are weighted by what each stands for. Pure: the shell passes the window in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from holdfast.shield.baseline import Baseline
from holdfast.shield.counts import Counts
from holdfast.shield.features import Codes, Feature, Weights
from holdfast.shield.sample import Sample
from holdfast.shield.signature import YOUNG, Finding, matches, search

CLIENT_FEATURES: Final = frozenset(
    (Feature.AGENT, Feature.NAMES, Feature.TLS, Feature.LANGUAGE, Feature.PRESENCE)
)
"""They say which program asks; others say what for, which a crowd shares, or from where."""
LEAST_SAMPLES: Final = 16
MOST_HARM: Final = 0.02
"""Of a signature that names a flood: more would be a way to say "everybody"."""
LEAST_COVERAGE: Final = 0.08
LEAST_CLIENTS: Final = 5
"""That share a fingerprint: fewer are bounded by the limits of each client."""
NAMED: Final = 0.5
"""The share of the excess that its signatures must hold to name it."""
AS_GOOD: Final = 0.8
"""The share of what a name holds that one program must hold to take its place."""
NEW_MIX: Final = 0.6
"""The share of the excess that comes from networks never seen here."""
SLOW_MS: Final = 300.0
SLOWER: Final = 5.0
"""Times the time within which 95 % of the usual answers begin."""
LEAST_GROWTH: Final = 24.0
GROWTH: Final = 8.0
"""Times the number of requests that are usually open."""
UNSERVED: Final = 0.5
"""The share of the excess of the last second that must stay open: a crowd that is served is none to suffer
from."""
LONG_WAIT_MS: Final = 1000.0
FAILING: Final = 0.2
"""The share of answers that are errors of the origin."""


@dataclass(frozen=True, slots=True)
class Window:
    """Recent samples of one site: codes row by row with ``samples``."""

    samples: tuple[Sample, ...]
    codes: Codes
    seconds: float = 3.0
    """The time that they cover."""

    def passing(self) -> Window:
        """Those that no mitigation matches."""
        return self._only([not sample.verdict for sample in self.samples])

    def since(self, at: float) -> Window:
        return self._only([sample.at >= at for sample in self.samples])

    def each_once(self) -> Window:
        """Of each request its first sample: who waits is there, and nobody twice."""
        return self._only([not sample.told for sample in self.samples])

    def _only(self, kept: list[bool]) -> Window:
        samples = tuple(sample for sample, is_kept in zip(self.samples, kept, strict=True) if is_kept)
        return Window(samples, self.codes[np.array(kept, dtype=np.bool_)], self.seconds)

    @property
    def weights(self) -> Weights:
        return np.fromiter((sample.weight for sample in self.samples), np.float64, len(self.samples))


@dataclass(frozen=True, slots=True)
class Suffering:
    """How the origin does; empty ``why``: it is well."""

    why: str = ""
    overflows: bool = False
    """The queue is full: visitors are refused already."""

    def __bool__(self) -> bool:
        return bool(self.why)


def suffering(
    counts: Counts, window: Window, baseline: Baseline, *, mean: float = 0.0, growth: float = 0.0
) -> Suffering:
    """From the last second or so of counts and samples. ``mean``: usual requests/s; ``growth``: how many more
    requests are open than a few seconds ago."""
    if counts.overflowed > max(2.0, 0.01 * counts.requests):
        rate = counts.overflowed / max(counts.seconds, 1e-9)
        return Suffering(f"the site's queue is full: {rate:.0f} requests/s refused", overflows=True)
    usually_open = mean * baseline.origin_ms(0.95) / 1000  # Little's law
    unserved = UNSERVED * (counts.requests - mean * counts.seconds)
    if growth >= max(LEAST_GROWTH, GROWTH * usually_open, unserved):
        return Suffering(f"{growth:.0f} requests more are open than a few seconds ago")
    asked = [sample for sample in window.samples if sample.origin_ms > 0]
    if len(asked) < LEAST_SAMPLES:
        return Suffering()
    waits = float(np.median([sample.queue_ms for sample in asked]))
    if waits >= LONG_WAIT_MS:
        return Suffering(f"requests wait {waits / 1000:.1f} s for the origin")
    failing = sum(sample.status >= 500 for sample in asked) / len(asked)
    if failing >= max(FAILING, 4 * baseline.errors):
        return Suffering(f"{failing:.0%} of the origin's answers are errors")
    usual = baseline.origin_ms(0.95)
    takes = float(np.median([sample.origin_ms for sample in asked]))
    if takes >= max(SLOW_MS, SLOWER * usual):
        return Suffering(f"the origin takes {takes:.0f} ms, usually up to {usual:.0f} ms")
    return Suffering()


@dataclass(frozen=True, slots=True)
class Naming:
    """The excess by name."""

    excess: float
    """The share of the window that is excess."""
    strangers: float
    """The share of the excess that comes from networks never seen here, beyond the usual newcomers."""
    findings: tuple[Finding, ...] = ()
    clients: int = 0
    """How many clients the window's requests with one of these fingerprints come from."""
    unknown: frozenset[Feature] = frozenset()
    """Features that nothing is known of."""

    @property
    def coverage(self) -> float:
        return _gain(self.findings)

    @property
    def names_clients(self) -> bool:
        """Most of the excess has one fingerprint or a few, and many clients share it: it is neither a crowd,
        nor one visitor who opens a page full of pictures."""
        prints = [finding for finding in self.findings if is_fingerprint(finding, self.unknown)]
        return _gain(prints) >= NAMED and self.clients >= LEAST_CLIENTS

    @property
    def is_named(self) -> bool:
        return self.coverage >= NAMED


def name_excess(
    window: Window,
    baseline: Baseline,
    normal: Codes,
    excess: float,
    unknown: frozenset[Feature] = frozenset(),
) -> Naming:
    """``excess``: the share of the window's requests beyond the usual rate, 0–1. ``normal``: clean samples.
    ``unknown``: features that nothing is known of; they name nobody."""
    if len(window.samples) < LEAST_SAMPLES or excess <= 0:
        return Naming(excess, 0.0)
    weights = window.weights
    new = window.codes[:, Feature.STRANGER] == 1
    share = float(weights[new].sum() / weights.sum())
    strangers = min(1.0, max(0.0, (share - (1 - excess) * baseline.newcomers) / excess))

    def found(beside: frozenset[Feature] = frozenset()) -> tuple[Finding, ...]:
        findings = search(
            window.codes,
            weights,
            normal,
            min(excess, 1.0),
            most_harm=MOST_HARM,
            least_coverage=LEAST_COVERAGE,
            unknown=unknown | beside,
        )
        if len(normal) < YOUNG:  # what is absent in most requests names nobody
            findings = tuple(each for each in findings if any(each.signature.codes))
        return findings

    findings = found()
    if findings and not any(is_fingerprint(each, unknown) for each in findings):
        # A page that is new holds all of a flood, and its few visitors: one program that asks for it says
        # more. Nothing but its name: what else says who asks, a crowd shares that comes by one link.
        programs = found(frozenset(Feature) - {Feature.AGENT})[:1]
        if _gain(programs) >= AS_GOOD * _gain(findings):
            findings = programs
    return Naming(excess, strangers, findings, _clients_of(findings, window, unknown), unknown)


def _gain(findings: Sequence[Finding]) -> float:
    return sum(finding.gain for finding in findings)


def is_fingerprint(finding: Finding, unknown: frozenset[Feature] = frozenset()) -> bool:
    """Whether it says who asks. Where the names of headers are unknown, ``PRESENCE`` does not: it tells of a
    query and a referer only, and so what is asked for."""
    told = CLIENT_FEATURES - unknown - ({Feature.PRESENCE} if Feature.NAMES in unknown else set())
    return not told.isdisjoint(finding.signature.template.features)


def _clients_of(findings: Sequence[Finding], window: Window, unknown: frozenset[Feature]) -> int:
    matched = np.zeros(len(window.samples), dtype=np.bool_)
    for finding in findings:
        if is_fingerprint(finding, unknown):
            matched |= matches(window.codes, finding.signature)
    return len({window.samples[row].client for row in np.flatnonzero(matched)})


def rates_of_clients(samples: Sequence[Sample], seconds: float) -> tuple[float, ...]:
    """Requests/s of each client, the busiest first."""
    totals: defaultdict[str, float] = defaultdict(float)
    for sample in samples:
        totals[sample.client] += sample.weight
    return tuple(sorted((total / seconds for total in totals.values()), reverse=True))


def described(samples: Sequence[Sample], most: int = 5) -> tuple[str, ...]:
    """A few of them as evidence: without the client's address, which the network stands for."""
    seen: dict[str, None] = {}
    for sample in samples:
        method = sample.values[Feature.METHOD]
        network = sample.values[Feature.NETWORK]
        length = 48 if ":" in network else 24
        agent = sample.agent[:80] or "no agent"
        seen[f"{method} {sample.path[:80]} · {agent} · from {network}/{length}"] = None
        if len(seen) >= most:
            break
    return tuple(seen)
