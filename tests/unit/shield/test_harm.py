"""What a sample says about the harm of a mitigation, against tables and against the definition."""

from __future__ import annotations

import math

import pytest

from holdfast.shield.harm import DENY_HARM, needed, upper_bound


# The upper ends of Clopper and Pearson's two-sided 90 % intervals, and of the 98 % one.
@pytest.mark.parametrize(
    ("hits", "samples", "confidence", "bound"),
    [
        (0, 1, 0.95, 0.95),
        (0, 10, 0.95, 0.2588656),
        (1, 10, 0.95, 0.3941633),
        (5, 10, 0.95, 0.7775589),
        (9, 10, 0.95, 0.9948838),
        (1, 20, 0.95, 0.2161062),
        (0, 2995, 0.95, 0.0009997),
        (10, 10, 0.95, 1.0),
        (0, 10, 0.99, 0.3690427),
    ],
)
def test_table(hits: int, samples: int, confidence: float, bound: float) -> None:
    assert upper_bound(hits, samples, confidence) == pytest.approx(bound, abs=5e-7)


@pytest.mark.parametrize(
    ("hits", "samples"), [(1, 2), (1, 3000), (2, 3000), (3, 9), (7, 500), (100, 3000), (2999, 3000)]
)
def test_so_few_hits_have_five_percent_at_the_bound(hits: int, samples: int) -> None:
    p = upper_bound(hits, samples)

    def probability(p: float) -> float:
        return math.fsum(
            math.exp(
                math.lgamma(samples + 1)
                - math.lgamma(k + 1)
                - math.lgamma(samples - k + 1)
                + k * math.log(p)
                + (samples - k) * math.log1p(-p)
            )
            for k in range(hits + 1)
        )

    assert probability(p - 1e-9) > 0.05 > probability(p + 1e-9)


def test_nothing_is_known_without_samples() -> None:
    assert upper_bound(0, 0) == 1.0


def test_more_hits_are_more_harm_and_more_samples_less_doubt() -> None:
    bounds = [upper_bound(hits, 3000) for hits in range(3001)]
    assert bounds == sorted(bounds)
    assert all(bound > hits / 3000 for hits, bound in enumerate(bounds[:-1]))
    doubts = [upper_bound(0, samples) for samples in range(3000)]
    assert doubts == sorted(doubts, reverse=True)


def test_how_many_clean_samples_a_denial_needs() -> None:
    assert needed(DENY_HARM) == 2995
    assert upper_bound(0, 2995) <= DENY_HARM < upper_bound(0, 2994)
    assert upper_bound(1, 3000) > DENY_HARM
    assert needed(0.05) == 59


@pytest.mark.parametrize(("hits", "samples"), [(-1, 10), (11, 10), (0, -1)])
def test_counts_that_make_no_sense(hits: int, samples: int) -> None:
    with pytest.raises(ValueError, match="hits must be"):
        upper_bound(hits, samples)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_shares_that_make_no_sense(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(share)
    with pytest.raises(ValueError, match="between 0 and 1"):
        upper_bound(1, 2, share)
