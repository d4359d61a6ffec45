"""Whatever traffic comes: the caps hold, same input gives same state, what is saved is what was."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.shield.baseline import CLIENT_SHARE, NETWORK_SHARE, SAMPLES, Baseline
from holdfast.shield.features import WIDTH, Feature
from holdfast.shield.harm import upper_bound
from holdfast.shield.rhythm import HEADROOM, QUIET, Rhythm
from holdfast.shield.sample import Sample

START = 1_700_000_000.0
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def batches(draw: st.DrawFn) -> list[list[Sample]]:
    """A few windows of a few clients each, seconds to days apart."""
    at, found = START, []
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.floats(0, 200_000))
        values = [tuple(draw(TEXT) for _ in range(WIDTH - 1)) for _ in range(draw(st.integers(1, 3)))]
        window = []
        for index in range(draw(st.integers(0, 60))):
            client = draw(st.sampled_from(["a", "b", "c"]))
            row, status = values[index % len(values)], draw(st.sampled_from([0, 200, 404, 503]))
            origin_ms = draw(st.floats(0, 1e6))
            window.append(Sample(at, "1", client, row, draw(st.floats(0.5, 100)), status, origin_ms))
        found.append(window)
    return found


def learned(windows: list[list[Sample]], seed: int = 0) -> Baseline:
    baseline, rng = Baseline.new(START), np.random.default_rng(seed)
    for window in windows:
        baseline.learn(window, rng)
    return baseline


@settings(max_examples=40)
@given(batches())
def test_same_input_same_state_and_saved_whole(windows: list[list[Sample]]) -> None:
    baseline = learned(windows)
    document = baseline.document()
    assert learned(windows).document() == document
    again = Baseline.from_document(json.loads(json.dumps(document)))
    assert again.document() == document
    for window in windows:
        assert np.array_equal(again.encode(window), baseline.encode(window))


@settings(max_examples=40)
@given(batches(), st.integers(1, 60))
def test_shares_hold_and_the_books_agree(windows: list[list[Sample]], times: int) -> None:
    baseline = learned([window * times for window in windows])
    clients = Counter(baseline._clean.clients.tolist())
    networks = Counter(baseline.codes[:, Feature.NETWORK].tolist())
    assert baseline._clean._of_client == clients
    assert baseline._clean._of_network == networks
    assert max(clients.values(), default=0) <= SAMPLES * CLIENT_SHARE
    assert max(networks.values(), default=0) <= SAMPLES * NETWORK_SHARE
    assert 0 <= baseline.newcomers <= 1
    assert 0 <= baseline.errors <= 1
    assert 0 <= baseline.origin_ms(0.5) <= baseline.origin_ms(0.95)


Span = tuple[float, float, float, bool]
SPANS: st.SearchStrategy[list[Span]] = st.lists(
    st.tuples(st.floats(0, 7200), st.floats(0, 1e6), st.floats(0.1, 100), st.booleans()), max_size=60
)


def rhythm_of(spans: list[Span], warm: bool) -> Rhythm:
    rhythm, at = Rhythm(), START
    for _ in range(75 if warm else 0):
        rhythm.learn(at, 300, 60)
        at += 60
    for passed, requests, seconds, exclude in spans:
        at += passed
        rhythm.learn(at, requests, seconds, exclude)
    return rhythm


@given(SPANS, st.booleans())
def test_a_rhythm_is_saved_whole_and_its_bound_is_above_its_mean(spans: list[Span], warm: bool) -> None:
    rhythm = rhythm_of(spans, warm)
    document: dict[str, Any] = json.loads(json.dumps(rhythm.to_document()))
    assert Rhythm.from_document(document).to_document() == document
    for hour in range(0, 168, 7):
        for seconds in (0.25, 1.0, 60.0):
            expected = rhythm.expected(START + 3600 * hour, seconds)
            assert 0 <= expected.mean < expected.upper
            if rhythm.is_warm:
                assert expected.mean <= max(QUIET, HEADROOM * rhythm.level) * (1 + 1e-9)


@given(SPANS, st.booleans())
def test_no_rhythm_is_learned_from_excluded_spans(spans: list[Span], warm: bool) -> None:
    attacked = rhythm_of([(passed, requests, seconds, True) for passed, requests, seconds, _ in spans], warm)
    silent = rhythm_of([(passed, 0.0, seconds, True) for passed, _, seconds, _ in spans], warm)
    assert attacked.to_document() == silent.to_document()


@given(st.integers(0, 5000), st.integers(0, 5000), st.floats(0.5, 0.999))
def test_the_bound_of_harm_is_above_what_was_seen(hits: int, more: int, confidence: float) -> None:
    samples = hits + more
    bound = upper_bound(hits, samples, confidence)
    assert (hits / samples if samples else 0) < bound <= 1 or more == 0
    assert upper_bound(hits, samples + 1, confidence) <= bound
    assert upper_bound(hits + 1, samples + 1, confidence) >= bound
