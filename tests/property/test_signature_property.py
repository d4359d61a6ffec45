"""The search for signatures against one that is obviously right, and what must hold for any mixture.

Small worlds: a handful of kinds of requests, each some times in the window and in the clean samples. The
plain search counts in dictionaries, and follows the real one choice by choice, so that ties do no harm.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.shield import signature as sg
from holdfast.shield.features import TEMPLATES, WIDTH, Codes, Feature, Template, Weights
from holdfast.shield.harm import upper_bound
from holdfast.shield.signature import Finding, Signature, matches, search

CLOSE = 1e-9
Key = tuple[Template, tuple[int, ...]]


@dataclass(frozen=True)
class World:
    window: Codes
    weights: Weights
    normal: Codes
    excess: float
    most_harm: float
    least_coverage: float
    most: int

    def search(self) -> tuple[Finding, ...]:
        return search(
            *(self.window, self.weights, self.normal, self.excess),
            most_harm=self.most_harm,
            least_coverage=self.least_coverage,
            most=self.most,
        )


KINDS = st.lists(st.lists(st.integers(0, 2), min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=4)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some kinds of attackers, some of visitors, and a few attackers among the clean samples."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    attackers, visitors = (np.array(draw(KINDS), dtype=np.uint32) for _ in range(2))
    window, attacking = repeated(rng, (attackers, visitors), (40, draw(st.sampled_from((0, 3, 20)))))
    often = draw(st.sampled_from(((0, 0), (0, 30), (0, 200), (1, 200), (20, 200), (200, 200))))
    normal, _ = repeated(rng, (attackers, visitors), often)
    weights: Weights = rng.integers(0, 9, len(window)).astype(np.float64) * draw(st.sampled_from((0.1, 1.0)))
    planted = weights[:attacking].sum() / max(weights.sum(), 1)
    return World(
        *(window, weights, normal),
        excess=draw(st.sampled_from((float(min(planted, 1)), 0.0, 0.1, 0.7, 0.95, 1.0))),
        most_harm=draw(st.sampled_from((0.3, 1.0, 0.1, 0.001, 0.0))),
        least_coverage=draw(st.sampled_from((0.01, 0.05, 0.2, 0.5))),
        most=draw(st.sampled_from((4, 2, 1, 0))),
    )


def repeated(
    rng: np.random.Generator, kinds: tuple[Codes, Codes], most: tuple[int, int]
) -> tuple[Codes, int]:
    """Each row of both up to so often; and how many rows are of the first kinds."""
    first, second = (
        np.repeat(rows, rng.integers(0, times + 1, len(rows)), axis=0)
        for rows, times in zip(kinds, most, strict=True)
    )
    return np.concatenate((first, second)), len(first)


@given(worlds())
def test_it_agrees_with_a_plain_search(world: World) -> None:
    plain = Plain(world)
    for finding in world.search():
        plain.follow(finding)
    assert plain.is_over()


@given(worlds(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_requests_does_not_matter(world: World, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, other = rng.permutation(len(world.window)), rng.permutation(len(world.normal))
    shuffled = replace(
        world, window=world.window[order], weights=world.weights[order], normal=world.normal[other]
    )
    assert shuffled.search() == world.search()


@given(worlds())
def test_the_unit_of_the_weights_does_not_matter(world: World) -> None:
    assert replace(world, weights=world.weights * 2.0**20).search() == world.search()


@given(worlds())
def test_a_finding_says_what_is_so(world: World) -> None:
    findings = world.search()
    assert len(findings) <= world.most
    assert len({finding.signature for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.hits == matches(world.normal, finding.signature).sum()
        assert finding.samples == len(world.normal)
        assert finding.harm == (finding.hits / finding.samples if finding.samples else 0)
        assert finding.harm <= world.most_harm
        assert world.least_coverage <= finding.gain <= 1
        assert 0 <= finding.coverage <= 1
        assert matches(world.window, finding.signature).sum() >= sg.LEAST_ROWS


class Plain:
    """The same search without any cleverness: every conjunction that occurs, counted in dictionaries."""

    def __init__(self, world: World) -> None:
        self.world = world
        window = zip(world.window.tolist(), world.weights.tolist(), strict=True)
        self.window = [(tuple(row), weight) for row, weight in window if weight > 0]
        self.normal = [tuple(row) for row in world.normal.tolist()]
        self.total = sum(weight for _, weight in self.window)
        self.young = len(self.normal) < sg.YOUNG
        self.least_gain = max(world.least_coverage, sg.FAIR) if self.young else world.least_coverage
        self.chosen: list[Key] = []
        self.gained = 0.0
        self.rows = Counter(key for row, _ in self.window for key in keys(row))
        self.all_weight, self.all_hits = self.count()

    def count(self) -> tuple[dict[Key, float], Counter[Key]]:
        """The weight and the hits of every conjunction in what none of the chosen ones matches."""
        weight: defaultdict[Key, float] = defaultdict(float)
        hits: Counter[Key] = Counter()
        for row, each in self.window:
            if not any(shows(row, key) for key in self.chosen):
                for key in keys(row):
                    weight[key] += each
        for row in self.normal:
            if not any(shows(row, key) for key in self.chosen):
                hits.update(keys(row))
        return weight, hits

    def gain(self, weight: float, hits: int) -> tuple[float, float]:
        """The share of the excess, and by how much it is more than normal and chance."""
        normal, known = 1 - self.world.excess, len(self.normal) + sg.PRIOR
        share = weight / self.total
        surely = max(share - self.world.excess, 0) / normal if normal else 0
        usual = (hits + sg.PRIOR * surely) / known
        doubted = (hits + sg.PRIOR / 2) / known
        effective = self.total**2 / sum(each**2 for _, each in self.window)
        scatter = 1 / effective + normal**2 / known
        certainty = share - usual - sg.ERRORS * math.sqrt(doubted * (1 - doubted) * scatter)
        return (share - normal * usual) / self.world.excess, certainty

    def scores(self, margin: float) -> dict[Key, tuple[float, float]]:
        """Score and gain of the eligible: ``margin`` below 0 takes in what a rounding error may decide."""
        weights, hits = self.count()
        found = {}
        for key, weight in weights.items():
            gain, certainty = self.gain(weight, hits[key])
            price = self.price(key, margin)
            if price is not None and gain >= self.least_gain + margin and certainty >= margin:
                found[key] = (gain - price, gain)
        return found

    def price(self, key: Key, margin: float) -> float | None:
        """None: not admissible."""
        features, hits, samples = key[0].features, self.all_hits[key], len(self.normal)
        if self.rows[key] < sg.LEAST_ROWS or (samples and hits / samples > self.world.most_harm):
            return None
        if not self.young:
            harm = math.log10(upper_bound(hits, samples))
            return sg.TENFOLD_COST * harm + sg.FEATURE_COST * len(features)
        coverage, _ = self.gain(self.all_weight[key], hits)
        if Feature.STRANGER in features or (len(features) == 1 and coverage < sg.DOMINANT + margin):
            return None
        beyond = max(self.all_weight[key] / self.total - self.world.excess, 0)
        surely = beyond / (1 - self.world.excess) if beyond > CLOSE else 0
        return sg.OVERREACH_COST * surely - sg.FEATURE_COST * len(features)

    def follow(self, finding: Finding) -> None:
        """Check that this is a best choice, and make it."""
        assert not self.is_over(-CLOSE)
        key = (finding.signature.template, finding.signature.codes)
        score, gain = self.scores(-CLOSE)[key]
        assert all(other <= score + CLOSE for other, _ in self.scores(CLOSE).values())
        coverage, _ = self.gain(self.all_weight[key], self.all_hits[key])
        assert math.isclose(finding.gain, min(gain, 1), abs_tol=CLOSE)
        assert math.isclose(finding.coverage, min(coverage, 1), abs_tol=CLOSE)
        assert finding.hits == self.all_hits[key]
        self.chosen.append(key)
        self.gained += gain

    def is_over(self, margin: float = CLOSE) -> bool:
        return (
            not (self.window and self.world.excess)
            or len(self.chosen) == self.world.most
            or 1 - self.gained < self.least_gain + margin
            or not self.scores(margin)
        )


def keys(row: tuple[int, ...]) -> list[Key]:
    return [(template, tuple(row[feature] for feature in template.features)) for template in TEMPLATES]


def shows(row: tuple[int, ...], key: Key) -> bool:
    template, codes = key
    return all(row[feature] == code for feature, code in zip(template.features, codes, strict=True))


def test_the_plain_search_knows_what_a_signature_matches() -> None:
    template = TEMPLATES[8]
    signature = Signature(template, (1, 2))
    rows = np.array([[1, 2] + [0] * 11, [1, 3] + [0] * 11, [0, 2] + [1] * 11], dtype=np.uint32)
    assert matches(rows, signature).tolist() == [
        shows(tuple(row), (template, (1, 2))) for row in rows.tolist()
    ]
