"""Max-min fairness of the records, whatever the sites' rates: nobody can have more without somebody having
less who has no more already (Bertsekas and Gallager, "Data Networks", section 6.5.2)."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.rules.sampling import ALL
from holdfast.edge.traffic.sampling import LEAST_CHANGE, allot, fair_share

BUDGETS = st.floats(1, 1e5)
RATES = st.dictionaries(st.text(max_size=4), st.one_of(st.just(0.0), st.floats(1e-3, 1e7)), max_size=30)
PRESENT = st.dictionaries(st.text(max_size=4), st.integers(1, ALL), max_size=30)


def granted(rates: dict[str, float], budget: float) -> dict[str, float]:
    """Records/s of each site by the fair share."""
    share = fair_share(rates, budget)
    return {name: min(rate, share) for name, rate in rates.items()}


@given(RATES, BUDGETS)
def test_the_budget_is_used_and_never_passed(rates: dict[str, float], budget: float) -> None:
    total = sum(granted(rates, budget).values())
    assert math.isclose(total, min(budget, sum(rates.values())), rel_tol=1e-6, abs_tol=1e-6)


@given(RATES, BUDGETS)
def test_who_has_less_than_he_asks_for_has_no_less_than_anybody(
    rates: dict[str, float], budget: float
) -> None:
    shares = granted(rates, budget)
    wanting = [shares[name] for name in rates if shares[name] < rates[name]]
    assert all(share >= other - 1e-9 * share for share in wanting for other in shares.values())


@given(RATES, BUDGETS, st.floats(1, 1e7))
def test_a_flood_takes_nothing_from_who_asks_for_less_than_an_even_share(
    rates: dict[str, float], budget: float, flood: float
) -> None:
    even = budget / (len(rates) + 1)
    after = granted({**rates, "the flood": flood}, budget)
    assert all(after[name] == rate for name, rate in rates.items() if rate <= even)


@given(RATES, PRESENT, BUDGETS)
def test_who_is_not_sampled_whole_has_his_share(
    rates: dict[str, float], present: dict[str, int], budget: float
) -> None:
    """Within what rounding and the rates in force leave; nobody else is named, and nobody gets nothing."""
    share = fair_share(rates, budget)
    rounded = 1.0
    chosen = allot(rates, present, budget)
    assert set(chosen) == {name for name, rate in rates.items() if rate > share}
    for name, number in chosen.items():
        exact = ALL * share / rates[name]
        assert 1 <= number <= ALL
        least, most = (exact - rounded) / LEAST_CHANGE, max(exact, 1) * LEAST_CHANGE
        assert least <= number <= most


@given(RATES, PRESENT, BUDGETS)
def test_what_is_in_force_stays(rates: dict[str, float], present: dict[str, int], budget: float) -> None:
    """The same rates again change nothing, so no command is sent for nothing."""
    chosen = allot(rates, present, budget)
    assert allot(rates, chosen, budget) == chosen
