"""Planted floods: the signature that a person would name is found, and normal traffic has none.

The site: sixty agents, a thousand paths, a fifth of the visitors from networks that it does not know.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.random import Generator

from holdfast.shield.features import TEMPLATES, WIDTH, Codes, Feature, code, empty
from holdfast.shield.signature import YOUNG, Finding, Signature, matches, search

NEWCOMERS = 0.2
TOOL, ITS_NAMES, OTHER_TOOL, LOGIN, POST = (
    code(word) for word in ("tool", "names", "other", "/login", "POST")
)
ABSENT = code("")


def traffic(rng: Generator, requests: int, newcomers: float = NEWCOMERS) -> Codes:
    """Normal requests: what a visitor's browser says goes together, and a few pages are read most."""
    codes = np.zeros((requests, WIDTH), dtype=np.uint32)
    browser = rng.zipf(1.4, requests) % 60
    page = rng.zipf(1.3, requests) % 1000
    for feature, values in {
        Feature.AGENT: 1000 + browser,
        Feature.NAMES: 2000 + browser // 3,
        Feature.TLS: 3000 + browser // 5,
        Feature.PATH: 5000 + page,
        Feature.SECTION: 6000 + page % 15,
        Feature.METHOD: rng.choice([code("GET"), code("HEAD"), POST], requests, p=[0.9, 0.02, 0.08]),
        Feature.QUERY: rng.choice([ABSENT, 1, 2], requests, p=[0.8, 0.1, 0.1]),
        Feature.PRESENCE: rng.choice(4, requests, p=[0.4, 0.3, 0.2, 0.1]),
        Feature.VERSION: rng.integers(1, 3, requests),
        Feature.REFERER: rng.integers(0, 30, requests),
        Feature.LANGUAGE: rng.integers(0, 12, requests),
        Feature.NETWORK: rng.integers(0, 3000, requests),
        Feature.STRANGER: rng.random(requests) < newcomers,
    }.items():
        codes[:, feature] = values
    return codes


def flood(rng: Generator, requests: int, **values: int) -> Codes:
    """Requests from new networks which are like normal ones but for these features; -1: each its own."""
    codes = traffic(rng, requests, newcomers=1)
    for name, value in values.items():
        own = rng.integers(2**20, 2**32, requests)
        codes[:, Feature[name]] = own if value < 0 else value
    return codes


def find(
    *parts: Codes,
    normal: Codes,
    excess: float | None = None,
    most_harm: float = 0.001,
    least_coverage: float = 0.05,
    most: int = 4,
) -> tuple[Finding, ...]:
    """In a window of these parts, the last of which is normal."""
    window = np.concatenate(parts)
    excess = 1 - len(parts[-1]) / len(window) if excess is None else excess
    limited = partial(search, most_harm=most_harm, least_coverage=least_coverage, most=most)
    return limited(window, np.ones(len(window)), normal, excess)


def words(findings: tuple[Finding, ...]) -> list[dict[str, int]]:
    return [
        dict(zip((feature.name for feature in each.template.features), each.codes, strict=True))
        for each in (finding.signature for finding in findings)
    ]


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(4)


@pytest.fixture
def normal(rng: Generator) -> Codes:
    return traffic(rng, 3000)


def test_one_agent(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800, AGENT=TOOL, NAMES=ITS_NAMES, QUERY=-1)
    (finding,) = found = find(attack, traffic(rng, 200), normal=normal)
    assert words(found) == [{"AGENT": TOOL}]
    assert (finding.hits, finding.samples, finding.harm) == (0, 3000, 0)
    assert finding.coverage == finding.gain == pytest.approx(1, abs=0.01)


def test_rotating_agents_with_the_same_header_names(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800, AGENT=-1, NAMES=ITS_NAMES, PATH=-1)
    assert words(find(attack, traffic(rng, 200), normal=normal)) == [{"NAMES": ITS_NAMES}]


def test_an_agent_that_visitors_have_too_needs_a_second_feature(rng: Generator, normal: Codes) -> None:
    browser = int(np.bincount(normal[:, Feature.AGENT]).argmax())
    attack = flood(rng, 1800, AGENT=browser, NAMES=ITS_NAMES, TLS=-1)
    normal[:30, Feature.NAMES] = ITS_NAMES  # a crawler of the site sends the same headers
    normal[:30, Feature.AGENT] = OTHER_TOOL
    assert words(find(attack, traffic(rng, 200), normal=normal)) == [{"AGENT": browser, "NAMES": ITS_NAMES}]


def test_post_to_one_path(rng: Generator, normal: Codes) -> None:
    normal[:60, Feature.PATH] = LOGIN
    normal[:60, Feature.METHOD] = code("GET")
    attack = flood(rng, 1800, METHOD=POST, PATH=LOGIN, SECTION=LOGIN)
    assert words(find(attack, traffic(rng, 200), normal=normal)) == [{"METHOD": POST, "PATH": LOGIN}]


def test_two_floods_at_once(rng: Generator, normal: Codes) -> None:
    first = flood(rng, 1100, AGENT=TOOL, NAMES=-1)
    second = flood(rng, 700, METHOD=POST, PATH=LOGIN, SECTION=LOGIN)
    findings = find(first, second, traffic(rng, 200), normal=normal, most_harm=0.3)
    assert words(findings) == [{"AGENT": TOOL}, {"PATH": LOGIN}], "not all newcomers, though that is one"
    assert [finding.gain for finding in findings] == pytest.approx([11 / 18, 7 / 18], abs=0.01)
    assert len(find(first, second, traffic(rng, 200), normal=normal, most=1)) == 1


def test_floods_that_overlap_gain_what_is_new(rng: Generator, normal: Codes) -> None:
    both = flood(rng, 600, AGENT=TOOL, PATH=LOGIN, SECTION=LOGIN)
    agent, path = flood(rng, 700, AGENT=TOOL), flood(rng, 500, PATH=LOGIN, SECTION=LOGIN)
    first, second = findings = find(both, agent, path, traffic(rng, 200), normal=normal)
    assert words(findings) == [{"AGENT": TOOL}, {"PATH": LOGIN}]
    assert second.coverage == pytest.approx(11 / 18, abs=0.01)
    assert second.gain == pytest.approx(5 / 18, abs=0.01)
    assert first.coverage == first.gain


def test_visitors_that_an_earlier_signature_matches_are_not_counted_again(rng: Generator) -> None:
    """A tenth of them show both; all other values come once, so that there is no better choice."""
    own = {feature.name: -1 for feature in Feature if feature not in (Feature.AGENT, Feature.PATH)}
    normal, calm = flood(rng, 3000, **own, AGENT=-1, PATH=-1), flood(rng, 500, **own, AGENT=-1, PATH=-1)
    normal[:300, Feature.AGENT], normal[:300, Feature.PATH] = TOOL, LOGIN
    agent, path = flood(rng, 900, **own, AGENT=TOOL, PATH=-1), flood(rng, 600, **own, AGENT=-1, PATH=LOGIN)
    first, second = findings = find(agent, path, calm, normal=normal, most_harm=0.2)
    assert words(findings) == [{"AGENT": TOOL}, {"PATH": LOGIN}]
    assert (first.hits, second.hits) == (300, 300)
    assert second.gain == pytest.approx(600 / 1500, abs=0.001)
    assert second.coverage == pytest.approx((600 - 0.1 * 500) / 1500, abs=0.001)


def test_harm_up_to_the_limit_is_admissible(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800, AGENT=TOOL, NAMES=-1, TLS=-1, PATH=-1, PRESENCE=-1)
    calm = traffic(rng, 200, newcomers=1)
    normal[:, Feature.STRANGER] = 1
    normal[:3, Feature.AGENT] = TOOL
    (finding,) = find(attack, calm, normal=normal)
    assert (finding.hits, finding.harm) == (3, 0.001)
    normal[3, Feature.AGENT] = TOOL
    assert find(attack, calm, normal=normal) == ()


def test_what_is_unusual_beside_the_flood_is_left_alone(rng: Generator, normal: Codes) -> None:
    """The flood explains the whole excess: a page that has become popular meanwhile is no part of it."""
    calm = traffic(rng, 500)
    calm[:300, Feature.PATH] = LOGIN
    assert words(find(flood(rng, 1500, AGENT=TOOL), calm, normal=normal)) == [{"AGENT": TOOL}]


def test_mimicry_is_told_by_its_networks_and_harms_newcomers(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800)
    calm = traffic(rng, 200)
    assert find(attack, calm, normal=normal) == ()
    (finding,) = found = find(attack, calm, normal=normal, most_harm=0.3)
    assert words(found) == [{"STRANGER": 1}]
    assert finding.hits == normal[:, Feature.STRANGER].sum()
    assert finding.harm == pytest.approx(NEWCOMERS, abs=0.03)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("excess", [0.02, 0.05, 0.2])
def test_a_normal_window_has_no_signature(seed: int, excess: float) -> None:
    rng = np.random.default_rng(seed)
    window = traffic(rng, 2000)
    assert find(window, normal=traffic(rng, 3000), excess=excess, most_harm=1) == ()


def test_absent_values_are_values(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800, AGENT=ABSENT, LANGUAGE=ABSENT, REFERER=ABSENT)
    assert words(find(attack, traffic(rng, 200), normal=normal)) == [{"AGENT": ABSENT}]
    normal[:300, [Feature.AGENT, Feature.LANGUAGE, Feature.REFERER]] = ABSENT
    assert find(attack, traffic(rng, 200), normal=normal) == ()


def test_few_requests_that_cost_much(rng: Generator, normal: Codes) -> None:
    """The weight is the origin's time: one request in ten takes nine tenths of it."""
    window = np.concatenate((flood(rng, 100, PATH=LOGIN, SECTION=-1), traffic(rng, 900)))
    weights = np.where(window[:, Feature.PATH] == LOGIN, 810.0, 10.0)
    (finding,) = found = search(window, weights, normal, 0.9, most_harm=0.001, least_coverage=0.05)
    assert words(found) == [{"PATH": LOGIN}]
    assert finding.coverage == pytest.approx(1, abs=0.01)


def test_a_simpler_signature_wins_where_it_covers_as_much(rng: Generator, normal: Codes) -> None:
    attack = flood(rng, 1800, AGENT=TOOL, NAMES=ITS_NAMES, PATH=LOGIN, METHOD=POST, TLS=7)
    (finding,) = find(attack, traffic(rng, 200), normal=normal)
    assert finding.signature.template.features == (Feature.AGENT,), "the first of equals"


def test_a_longer_signature_wins_where_it_harms_less(rng: Generator, normal: Codes) -> None:
    normal[:3, Feature.AGENT] = TOOL
    attack = flood(rng, 1800, AGENT=TOOL, PATH=LOGIN, METHOD=POST)
    normal[:40, Feature.PATH] = LOGIN
    (finding,) = found = find(attack, traffic(rng, 200), normal=normal, most_harm=0.3)
    assert finding.hits == 0
    assert len(words(found)[0]) == 2, "POST to /login or the tool at /login"


def test_a_little_flood_is_not_worth_a_signature(rng: Generator, normal: Codes) -> None:
    attack, little = flood(rng, 1700, AGENT=TOOL), flood(rng, 60, AGENT=OTHER_TOOL)
    assert words(find(attack, little, traffic(rng, 200), normal=normal)) == [{"AGENT": TOOL}]
    assert len(find(attack, little, traffic(rng, 200), normal=normal, least_coverage=0.02)) == 2


@pytest.mark.parametrize("samples", [0, 50, YOUNG - 1])
class TestYoungSite:
    """Whom a signature harms cannot be told yet."""

    def test_the_signature_is_as_particular_as_it_can_be(self, rng: Generator, samples: int) -> None:
        attack = flood(rng, 1800, AGENT=TOOL, NAMES=ITS_NAMES, LANGUAGE=ABSENT)
        findings = find(attack, traffic(rng, 200), normal=traffic(rng, samples))
        assert words(findings) == [{"AGENT": TOOL, "NAMES": ITS_NAMES}]
        assert (findings[0].hits, findings[0].samples, findings[0].harm) == (0, samples, 0)

    def test_what_all_requests_share_is_no_signature(self, rng: Generator, samples: int) -> None:
        attack = flood(rng, 1800, AGENT=-1, NAMES=-1, QUERY=-1, PATH=-1, LANGUAGE=TOOL)
        calm, normal = traffic(rng, 200), traffic(rng, samples)
        for part in (attack, calm, normal):
            part[:, [Feature.REFERER, Feature.TLS]] = ABSENT
        assert words(find(attack, calm, normal=normal)) == [{"LANGUAGE": TOOL}]

    def test_one_feature_must_be_dominant(self, rng: Generator, samples: int) -> None:
        bare = {"AGENT": -1, "NAMES": -1, "QUERY": -1, "PATH": -1, "SECTION": -1, "TLS": -1, "REFERER": -1}
        halves = [flood(rng, 900, **bare, LANGUAGE=language, PRESENCE=-1) for language in (TOOL, OTHER_TOOL)]
        assert find(*halves, traffic(rng, 200), normal=traffic(rng, samples)) == ()

    def test_strangers_are_no_signature(self, rng: Generator, samples: int) -> None:
        attack = flood(rng, 1800)
        found = find(attack, traffic(rng, 200), normal=traffic(rng, samples), most_harm=1)
        assert all("STRANGER" not in each for each in words(found))

    def test_a_normal_window_has_no_signature(self, rng: Generator, samples: int) -> None:
        assert find(traffic(rng, 2000), normal=traffic(rng, samples), excess=0.1) == ()


@pytest.mark.parametrize("most", [0, 4])
def test_nothing_to_find(rng: Generator, normal: Codes, most: int) -> None:
    nothing = empty()
    found = partial(search, most_harm=0.001, least_coverage=0.05, most=most)
    assert found(nothing, np.zeros(0), normal, 0.9) == ()
    assert found(nothing, np.zeros(0), nothing, 0.9) == ()
    attack = flood(rng, 100, AGENT=TOOL)
    assert found(attack, np.zeros(100), normal, 0.9) == ()
    assert found(attack, np.ones(100), normal, 0.0) == ()
    assert found(attack[:7], np.ones(7), normal, 1.0) == ()
    assert len(found(attack[:8], np.ones(8), normal, 1.0)) == min(most, 1)


def test_all_features_of_a_signature_must_match() -> None:
    template = next(each for each in TEMPLATES if each.features == (Feature.METHOD, Feature.PATH))
    codes = np.zeros((3, WIDTH), dtype=np.uint32)
    codes[:2, Feature.METHOD] = POST
    codes[1:, Feature.PATH] = LOGIN
    assert matches(codes, Signature(template, (POST, LOGIN))).tolist() == [False, True, False]
    assert matches(empty(), Signature(template, (POST, LOGIN))).tolist() == []
    with pytest.raises(ValueError, match="1 codes for 2 features"):
        Signature(template, (POST,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": np.zeros((2, 3), np.uint32)}, r"window has the shape \(2, 3\), not \(requests, 13\)"),
        ({"normal": np.zeros(13, np.uint32)}, "normal has the shape"),
        ({"weights": np.ones(3)}, r"weights: shape \(3,\), not \(2,\)"),
        ({"weights": np.array([1.0, np.nan])}, "finite and not negative"),
        ({"weights": np.array([1.0, -1.0])}, "finite and not negative"),
        ({"excess": 1.1}, "from 0 to 1"),
        ({"excess": float("nan")}, "from 0 to 1"),
        ({"most_harm": -0.1}, "from 0 to 1"),
        ({"least_coverage": 0.0}, "above 0, up to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    sense = {
        "window": np.zeros((2, WIDTH), np.uint32),
        "weights": np.ones(2),
        "normal": empty(),
        "excess": 0.5,
    }
    limits = {"most_harm": 0.1, "least_coverage": 0.1}
    with pytest.raises(ValueError, match=message):
        search(**{**sense, **limits, **change})  # type: ignore[arg-type]
