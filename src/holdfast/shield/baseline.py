"""What is normal for one site: its rhythm, its clean requests, the networks it knows, the programs that come
regularly, how its origin answers.

Only calm windows are learned; who decides what is calm is the ``brain``. Everything has a cap, and nobody can
have more than a share of it. Here the parts are put together, and each has its own module: ``rhythm``,
``reservoir``, ``networks``, ``programs``, ``usual``. Not here: what sets a flood apart (``signature``), harm
(``harm``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from holdfast.shield.features import WIDTH, Codes, Feature, code_of, empty
from holdfast.shield.networks import NEW_NETWORKS, REGULAR_NETWORKS, VISIT, Networks
from holdfast.shield.programs import CANDIDATES, FRIENDS, Friend, Programs
from holdfast.shield.reservoir import CLIENT_SHARE, MEMORY, NETWORK_SHARE, SAMPLES, YOUNG, Reservoir
from holdfast.shield.rhythm import Expectation, Rhythm
from holdfast.shield.sample import Sample
from holdfast.shield.texts import TEXT_BYTES
from holdfast.shield.usual import Usual

__all__ = [  # with the caps of its parts
    "CANDIDATES",
    "CLIENT_SHARE",
    "FRIENDS",
    "MEMORY",
    "NETWORK_SHARE",
    "NEW_NETWORKS",
    "REGULAR_NETWORKS",
    "SAMPLES",
    "TEXT_BYTES",
    "VISIT",
    "YOUNG",
    "Baseline",
    "Friend",
]

FEW = 32
"""Samples whose networks are looked up one by one, as all known ones need not be sorted for them."""

_NETWORK = int(Feature.NETWORK)  # looked up often
_values_of: Callable[[Sample], tuple[str, ...]] = attrgetter("values")


class Baseline:
    """One site's. Fed by ``learn_rate`` (always) and ``learn`` (calm windows only)."""

    def __init__(self, at: float) -> None:
        self.born = at
        self.rhythm = Rhythm()
        self._clean = Reservoir()
        self._networks = Networks()
        self._programs = Programs()
        self._usual = Usual()
        self._last = at

    @classmethod
    def new(cls, at: float) -> Baseline:
        """Of a site that is seen for the first time ``at`` (unix time)."""
        return cls(at)

    # The rate.

    def learn_rate(self, at: float, requests: float, seconds: float, exclude: bool = False) -> None:
        """See ``Rhythm.learn``; called in attacks, too, with ``exclude``."""
        self.rhythm.learn(at, requests, seconds, exclude)

    def expected(self, at: float, seconds: float) -> Expectation:
        return self.rhythm.expected(at, seconds)

    # What calm traffic looks like.

    @property
    def codes(self) -> Codes:
        """Shape (clean_samples, 13): the clean samples, ``STRANGER`` as it was when each came. A view."""
        return self._clean.rows

    @property
    def clean_samples(self) -> int:
        return len(self._clean)

    def is_young(self, at: float) -> bool:
        """Too little is known to predict harm."""
        return at - self.born < YOUNG or len(self._clean) < SAMPLES

    @property
    def newcomers(self) -> float:
        """The usual share of requests that are from strangers; 1 where nothing is known."""
        return self._usual.newcomers

    @property
    def errors(self) -> float:
        """The usual share of requests that are answered 5xx or not at all."""
        return self._usual.errors

    def origin_ms(self, share: float) -> float:
        """The time within which this share of the origin's answers begins (0.5: the median), to a tenth;
        0 where it was never asked."""
        return self._usual.origin_ms(share)

    # Who is known.

    def knows(self, network: str, at: float, hours: int = 1) -> bool:
        """Whether this /24 or /48 came before this visit, in at least so many different hours."""
        return self._networks.knows(network, at, hours)

    def networks(self, at: float) -> list[str]:
        """All that the site knows, those that came last at the end."""
        return self._networks.known(at)

    def friends(self) -> tuple[Friend, ...]:
        """API clients, feed readers, webhooks and git clients that come regularly."""
        return self._programs.friends()

    def familiar(self, feature: Feature) -> frozenset[str]:
        """The agents, or lists of header names, of at least two clients or 0.05 % of the clean samples."""
        return self._clean.familiar(feature)

    def encode(self, samples: Sequence[Sample]) -> Codes:
        """Shape (samples, 13), with ``STRANGER`` as this site has it when each sample came."""
        rows = len(samples)
        if rows == 0:
            return empty()
        flat = chain.from_iterable(map(_values_of, samples))
        codes = np.empty((rows, WIDTH), dtype=np.uint32)
        count = rows * (WIDTH - 1)
        codes[:, :-1] = np.fromiter(map(code_of.__getitem__, flat), np.uint32, count).reshape(rows, -1)
        if rows <= FEW:
            knows = self._networks.knows
            codes[:, -1] = [not knows(each.values[_NETWORK], each.at, 1) for each in samples]
        else:
            at = np.fromiter((sample.at for sample in samples), np.float64, rows)
            codes[:, -1] = self._networks.strangers(codes[:, Feature.NETWORK], at)
        return codes

    # Learning.

    def learn(self, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        """Calm samples, the older first. Same state, samples and ``rng``: same state after."""
        if not samples:
            return
        at = max(self._last, samples[-1].at)
        passed, level = at - self._last, self.rhythm.level
        self._usual.fade(passed)
        weight = sum([self._learn_one(sample) for sample in samples])
        busy = weight / (level * passed) if level * passed > 0 else 1.0
        self._clean.make_room(passed, at - self.born, busy)
        if picked := self._clean.pick(samples, rng):
            self._clean.take(picked, self.encode(picked), rng)
        self._last = at

    def _learn_one(self, sample: Sample) -> float:
        """All but the clean samples; returns the weight."""
        at, weight = sample.at, max(sample.weight, 1e-9)
        self._usual.learn(sample, weight)
        was_known = self._networks.learn(sample.values[_NETWORK], at)
        if at - self.born >= YOUNG:  # before that, all are strangers
            self._usual.judge(weight, not was_known)
        self._programs.learn(sample)
        return weight

    # Saving.

    def document(self) -> dict[str, Any]:
        """All but the candidates for friends, as JSON can hold it. About 80 KB of a small
        real site, 160 KB where all is full, under 500 KB where an attacker made all values random ones."""
        return {
            "born": self.born,
            "last": self._last,
            "rhythm": self.rhythm.to_document(),
            **self._clean.document(),
            **self._networks.document(),
            **self._programs.document(),
            **self._usual.document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Baseline:
        """The inverse, seconds and the rhythm rounded. Raises ``ValueError`` for what is no such document."""
        try:
            new = cls(float(document["born"]))
            new._last = float(document["last"])
            new.rhythm = Rhythm.from_document(document["rhythm"])
            new._clean = Reservoir.from_document(document)
            new._networks = Networks.from_document(document)
            new._programs = Programs.from_document(document)
            new._usual = Usual.from_document(document)
        except (KeyError, TypeError, IndexError, OverflowError, ValueError, zlib.error) as error:
            raise ValueError(f"no baseline: {error}") from error
        return new
