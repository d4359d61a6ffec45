"""How much of a site's normal traffic a mitigation would touch: what can be said from a sample of it.

Not here: which requests a mitigation matches (``signature``), what may be done with that harm (``ladder``).

Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26 (1934); the incomplete beta function by its continued fraction, DLMF 8.17.22
(https://dlmf.nist.gov/8.17#v).
"""

from __future__ import annotations

import math
from functools import lru_cache

DENY_HARM = 0.001
"""Denied only where at most this share of normal traffic is touched, by the upper 95 % bound."""
CONFIDENCE = 0.95

_TINY = 1e-300
_STEPS = 200


def upper_bound(hits: int, samples: int, confidence: float = CONFIDENCE) -> float:
    """The share of all normal requests that is touched at most, when ``hits`` of ``samples`` are.

    One-sided and exact (Clopper and Pearson), to 1e-9: the share at which so few hits have a probability of
    ``1 - confidence`` only. 1.0 without samples: nothing is known. Raises ``ValueError`` where the counts
    or the confidence make no sense.
    """
    if not 0 <= hits <= samples:
        raise ValueError(f"{hits} of {samples} samples: hits must be from 0 to the number of samples")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: must lie between 0 and 1")
    if hits == samples:  # also 0 of 0
        return 1.0
    if hits == 0:
        return -math.expm1(math.log1p(-confidence) / samples)
    return _solve(hits, samples, confidence)


def needed(share: float, confidence: float = CONFIDENCE) -> int:
    """How many samples without one hit say that at most ``share`` is touched: 2,995 for 0.001."""
    if not 0 < share < 1:
        raise ValueError(f"share {share}: must lie between 0 and 1")
    return math.ceil(math.log1p(-confidence) / math.log1p(-share))


@lru_cache(maxsize=16_384)  # a search asks for the same few counts again and again
def _solve(hits: int, samples: int, confidence: float) -> float:
    """The p with I_p(hits + 1, samples - hits) = confidence: Newton's steps, held between two bounds."""
    a, b = hits + 1.0, float(samples - hits)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    low, high = hits / samples, 1.0
    p = min((hits + 2 + 1.7 * math.sqrt(hits + 1)) / samples, (low + high) / 2)
    for _ in range(_STEPS):
        log_density = scale + (a - 1) * math.log(p) + (b - 1) * math.log1p(-p)
        error = _incomplete_beta(a, b, p, scale) - confidence
        low, high = (low, p) if error > 0 else (p, high)
        density = math.exp(log_density)
        guess = p - error / density if density > _TINY else low
        step = guess if low < guess < high else (low + high) / 2
        if abs(step - p) < 1e-13 or high - low < 1e-13:
            return step
        p = step
    return high  # never reached: bisection alone needs 44 steps


def _incomplete_beta(a: float, b: float, x: float, scale: float) -> float:
    """I_x(a, b), where ``scale`` = ln(1 / B(a, b))."""
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges fast
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction, evaluated from the front (Lentz's method)."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
