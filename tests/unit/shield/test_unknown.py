"""Features that nothing is known of, as of a log: their one value is everybody's, and names nobody."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.shield.baseline import Baseline
from holdfast.shield.evidence import Window, is_fingerprint, name_excess
from holdfast.shield.features import TEMPLATES, WIDTH, Codes, Feature, empty
from holdfast.shield.sample import Sample
from holdfast.shield.signature import Finding, Signature, search
from tests.unit.shield.traffic import START, values

UNKNOWN = frozenset((Feature.NAMES, Feature.TLS, Feature.LANGUAGE))


def requests(number: int, seed: int) -> Codes:
    """Of any kind, but for what is unknown."""
    codes = np.random.default_rng(seed).integers(1, 40, (number, WIDTH)).astype(np.uint32)
    codes[:, sorted(UNKNOWN)] = 0
    return codes


def found(normal: Codes, unknown: frozenset[Feature]) -> tuple[Finding, ...]:
    """For a flood at one path."""
    window = requests(400, seed=2)
    window[:300, Feature.PATH] = 77
    window[:300, Feature.METHOD] = 7
    weights = np.ones(len(window))
    return search(window, weights, normal, 0.75, most_harm=0.02, least_coverage=0.08, unknown=unknown)


@pytest.mark.parametrize("normal", [empty(), requests(100, seed=1), requests(3000, seed=1)])
def test_no_signature_holds_what_is_unknown(normal: Codes) -> None:
    findings = found(normal, UNKNOWN)
    assert findings
    assert all(UNKNOWN.isdisjoint(each.signature.template.features) for each in findings)


def test_a_young_site_would_take_it_for_the_longer_signature() -> None:
    """What the rule is for."""
    named = [
        feature
        for each in found(requests(100, seed=1), frozenset())
        for feature in each.signature.template.features
    ]
    assert not UNKNOWN.isdisjoint(named)


def of(*features: Feature) -> Finding:
    template = next(each for each in TEMPLATES if each.features == features)
    return Finding(Signature(template, (1,) * len(features)), 1.0, 1.0, 0, 100, 0.0)


@pytest.mark.parametrize(
    ("finding", "is_told_on_an_edge", "is_told_by_a_log"),
    [
        (of(Feature.AGENT), True, True),
        (of(Feature.NAMES), True, False),
        (of(Feature.NAMES, Feature.PATH), True, False),
        (of(Feature.AGENT, Feature.NAMES), True, True),
        (of(Feature.METHOD, Feature.PATH, Feature.PRESENCE), True, False),
        (of(Feature.AGENT, Feature.PRESENCE), True, True),
        (of(Feature.PATH), False, False),
    ],
)
def test_what_says_who_asks(finding: Finding, is_told_on_an_edge: bool, is_told_by_a_log: bool) -> None:
    assert is_fingerprint(finding) is is_told_on_an_edge
    assert is_fingerprint(finding, UNKNOWN) is is_told_by_a_log


def crowd(number: int, path: str) -> Window:
    """Of 60 browsers, from everywhere, as a log tells of it."""
    samples = tuple(
        Sample(
            START,
            "1-1",
            f"10.0.{each}.1",
            values(f"browser-{each % 60}", "", f"10.0.{each}.0", path, language=""),
        )
        for each in range(number)
    )
    return Window(samples, Baseline.new(START).encode(samples))


def test_a_crowd_at_one_page_has_no_fingerprint_where_headers_are_unknown() -> None:
    """To a young site, which takes the longer signature, they would all have the same headers: none."""
    window, normal = crowd(200, "/news"), crowd(100, "/").codes
    told = name_excess(window, Baseline.new(START), normal, 0.95)
    blind = name_excess(window, Baseline.new(START), normal, 0.95, UNKNOWN)
    assert told.names_clients
    assert blind.is_named
    assert not blind.names_clients
