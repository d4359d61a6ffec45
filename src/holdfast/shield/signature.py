"""Which conjunctions of feature = value separate the excess in a window from a site's normal traffic.

A greedy cover of the excess: the conjunction with the best score first, then the best for what is left. All
is estimated, since nobody says which request belongs to the flood: what a conjunction holds in the window,
less what normal traffic would bring there by itself, is excess. Not here: how conjunctions are counted
(``conjunctions``), and what may be done to what a signature matches (``ladder``).

Source: Chvátal, "A greedy heuristic for the set-covering problem", Math. Oper. Res. 4 (1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from holdfast.shield.conjunctions import Conjunctions, Flags, Floats
from holdfast.shield.features import TEMPLATES, WIDTH, Codes, Feature, Template, Weights
from holdfast.shield.harm import upper_bound

# Costs are in shares of the excess, so that they compare with what a signature gains.
FEATURE_COST = 0.01
"""What one feature more must gain."""
TENFOLD_COST = 0.3
"""What ten times the harm (its upper bound) must gain. High: two signatures that harm nobody are better than
one that names every newcomer, and what the first of them leaves is there for the second."""

LEAST_ROWS = 8
"""Fewer requests are no evidence."""
ERRORS = 5.0
"""Standard errors that tell a difference from chance: so many, because thousands of values are tried."""
PRIOR = ERRORS**2
"""Imagined clean samples: the weight of what is believed of normal traffic without having seen it."""

YOUNG = 200
"""With fewer clean samples a site is young: it cannot tell who is harmed, so its signatures must be specific.
They have two features or are dominant; of two that gain the same, the longer wins; they hold a fair part of
the excess, for less may be an error in its estimate; and they do without ``STRANGER``: everyone still is."""
DOMINANT = 0.6
"""The share of the excess that one feature alone must hold on a young site."""
FAIR = 0.2
"""The share of the excess that any signature must gain on a young site."""
OVERREACH_COST = 0.1
"""On a young site, for all of normal traffic: what is matched beyond the excess is surely normal."""

_LENGTHS = np.array([len(template.features) for template in TEMPLATES])
_OF_STRANGERS = np.array([Feature.STRANGER in template.features for template in TEMPLATES])


@dataclass(frozen=True, slots=True)
class Signature:
    """The requests whose features of this template have these values."""

    template: Template
    codes: tuple[int, ...]
    """In the order of the template's features."""

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.template.features):
            raise ValueError(f"{len(self.codes)} codes for {len(self.template.features)} features")


@dataclass(frozen=True, slots=True)
class Finding:
    """A signature, and what is to be expected of it."""

    signature: Signature
    coverage: float
    """The share of the excess that it matches, alone: 0–1, estimated."""
    gain: float
    """The share of the excess that it matches and none before it in the list does."""
    hits: int
    """How many clean samples it matches."""
    samples: int
    """How many there are."""
    harm: float
    """``hits / samples``; 0 without samples, where nothing is known."""


def matches(codes: Codes, signature: Signature) -> Flags:
    """Shape (requests,): which of them the signature matches."""
    matched = np.ones(len(codes), dtype=np.bool_)
    for feature, code in zip(signature.template.features, signature.codes, strict=True):
        matched &= codes[:, feature] == code
    return matched


def search(
    window: Codes,
    weights: Weights,
    normal: Codes,
    excess: float,
    *,
    most_harm: float,
    least_coverage: float,
    most: int = 4,
    unknown: frozenset[Feature] = frozenset(),
) -> tuple[Finding, ...]:
    """The signatures of the excess, at most ``most``, in the order of choice; none that is not good enough.

    ``window``: suspect requests, the flood and normal traffic mixed, each standing for its weight (requests,
    or origin time: any unit). ``normal``: clean samples of the site's normal traffic, or none. ``excess``:
    the share of the window's weight that is not normal, 0–1. ``most_harm``: the largest share of the clean
    samples that one signature may match, 0–1. ``least_coverage``: the smallest share of the excess that is
    worth a signature, above 0 and up to 1. ``unknown``: features that no signature may hold.

    The same requests give the same findings, in whichever order they come. Raises ``ValueError`` for shapes
    and shares that make no sense.
    """
    _check(window, weights, normal, excess, most_harm, least_coverage)
    counted = weights > 0
    window, weights = window[counted], _whole(weights[counted])
    if not (excess and len(window)):
        return ()
    young = len(normal) < YOUNG
    least_gain = max(least_coverage, FAIR) if young else least_coverage
    mixture = _Mixture(weights, len(normal), excess)
    # What weighs less cannot gain enough. The last factor is for rounding errors: the exact test is below.
    least_weight = least_gain * excess * mixture.total * (1 - 1e-9)
    found = Conjunctions(
        window, weights, normal, least_rows=LEAST_ROWS, least_weight=least_weight, unknown=unknown
    )

    hits = found.hits_of(np.full(len(normal), True))
    coverage, _ = mixture.excess_in(found.weight, hits)
    harm = hits / max(len(normal), 1)
    lengths = _LENGTHS[found.templates]
    admissible = harm <= most_harm
    if young:
        admissible &= ~_OF_STRANGERS[found.templates] & ((lengths > 1) | (coverage >= DOMINANT))
        cost = OVERREACH_COST * mixture.surely_normal_in(found.weight) - FEATURE_COST * lengths
    else:
        cost = TENFOLD_COST * _decades(hits, len(normal), admissible) + FEATURE_COST * lengths

    findings: list[Finding] = []
    left, clean = np.full(len(window), True), np.full(len(normal), True)
    new_weight, new_hits, uncovered = found.weight, hits, 1.0
    while True:
        gain, separate = mixture.excess_in(new_weight, new_hits)
        eligible = admissible & separate & (gain >= least_gain)
        if len(findings) == most or not eligible.any():
            return tuple(findings)
        best = int(np.argmax(np.where(eligible, gain - cost, -np.inf)))  # the first of equals
        findings.append(
            Finding(
                Signature(TEMPLATES[found.templates[best]], found.codes(best)),
                coverage=min(float(coverage[best]), 1.0),
                gain=min(float(gain[best]), 1.0),
                hits=int(hits[best]),
                samples=len(normal),
                harm=float(harm[best]),
            )
        )
        uncovered -= float(gain[best])
        if uncovered < least_gain:
            return tuple(findings)
        in_window, in_normal = found.matched(best)
        left, clean = left & ~in_window, clean & ~in_normal
        new_weight, new_hits = found.weight_of(left), found.hits_of(clean)


class _Mixture:
    """A window of which the share ``excess`` is not normal, beside ``samples`` clean requests."""

    def __init__(self, weights: Weights, samples: int, excess: float) -> None:
        self.total = float(weights.sum())
        self._samples = samples
        self._excess = excess
        # As many requests of equal weight would scatter like these (Kish, "Survey Sampling", 1965).
        self._effective = self.total**2 / float(np.square(np.sort(weights)).sum())

    def surely_normal_in(self, weight: Floats) -> Floats:
        """The share of normal traffic that so much of the window holds even if it holds all the excess."""
        beyond: Floats = np.maximum(weight / self.total - self._excess, 0)
        return beyond if self._excess == 1 else beyond / (1 - self._excess)

    def excess_in(self, weight: Floats, hits: Floats) -> tuple[Floats, Flags]:
        """The share of the excess in so much of the window, and whether that tells it from normal traffic.

        It does where the window shows more of it than normal traffic does, and not by chance. The imagined
        samples hold what is surely normal when the excess is estimated, for without a reference all else
        may be excess; one half of them match when the errors are (Agresti and Coull, "Approximate is better
        than exact", The American Statistician 52, 1998), for else what has no hits would be beyond doubt.
        """
        share, known, normal = weight / self.total, self._samples + PRIOR, 1 - self._excess
        usual = (hits + PRIOR * self.surely_normal_in(weight)) / known
        doubted = (hits + PRIOR / 2) / known
        # The scatter of the window; and of the reference, as far as normal traffic is in the window at all.
        variance = doubted * (1 - doubted) * (1 / self._effective + normal**2 / known)
        separate: Flags = share - usual >= ERRORS * np.sqrt(variance)
        return (share - normal * usual) / self._excess, separate


def _whole(weights: Weights) -> Weights:
    """In units so small, and whole, that their sum is exact in whichever order they are added."""
    if not len(weights):
        return weights
    bits = 52 - math.ceil(math.log2(len(weights)))
    whole: Weights = np.ceil(weights / weights.max() * 2.0**bits)
    return whole


def _decades(hits: Floats, samples: int, wanted: Flags) -> Floats:
    """The upper bound of the harm as a power of ten, where it is wanted."""
    decades = np.zeros(len(hits))
    counts, places = np.unique(hits[wanted], return_inverse=True)
    decades[wanted] = np.array([math.log10(upper_bound(int(count), samples)) for count in counts])[places]
    return decades


def _check(
    window: Codes, weights: Weights, normal: Codes, excess: float, most_harm: float, least_coverage: float
) -> None:
    for name, codes in (("window", window), ("normal", normal)):
        if codes.ndim != 2 or codes.shape[1] != WIDTH:
            raise ValueError(f"{name} has the shape {codes.shape}, not (requests, {WIDTH})")
    if weights.shape != (len(window),):
        raise ValueError(f"weights: shape {weights.shape}, not ({len(window)},), one for each request")
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError("weights must be finite and not negative")
    if not (0 <= excess <= 1 and 0 <= most_harm <= 1):
        raise ValueError(f"excess {excess} and most_harm {most_harm} are shares: from 0 to 1")
    if not 0 < least_coverage <= 1:
        raise ValueError(f"least_coverage {least_coverage} is a share: above 0, up to 1")
