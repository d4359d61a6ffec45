"""A busy site learns, too: more calm samples come than may wait."""

from __future__ import annotations

import pytest

from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import SiteBrain
from holdfast.shield.phase import Phase
from holdfast.shield.reservoir import SAMPLES
from tests.unit.shield.traffic import START, Site, visitor


@pytest.mark.parametrize("rate", [20.0, 100.0, 400.0])
def test_clean_samples_are_learned_at_any_rate(rate: float) -> None:
    site = Site(SiteBrain("site", Baseline.new(START)), capacity=10_000)
    site.run(240, ("visitors", rate, visitor))
    assert site.brain.phase is Phase.CALM
    assert site.brain.baseline.clean_samples > SAMPLES / 2
