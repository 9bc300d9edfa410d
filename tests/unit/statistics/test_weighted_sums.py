"""Bounds of weighted sums: never below the exact tail, close to it, and below Hoeffding's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.statistics.errors import ArgumentError
from stillwatch.statistics.weighted_sums import bernoulli_sum_log_p, exponential_sum_log_p


@given(count=st.integers(1, 200), hits=st.integers(0, 200), chance=st.floats(0.05, 0.9))
def test_equal_weights_give_chernoffs_bound_of_the_binomial(count: int, hits: int, chance: float) -> None:
    hits = min(hits, count)
    bound = bernoulli_sum_log_p(np.ones(count), chance, float(hits))
    exact = float(stats.binom.logsf(hits - 1, count, chance))
    share = hits / count
    if share <= chance:
        assert bound == 0.0
        return
    other = 0.0 if share == 1.0 else (1 - share) * math.log((1 - share) / (1 - chance))
    assert bound == pytest.approx(-count * (share * math.log(share / chance) + other), rel=1e-6, abs=1e-9)
    assert bound >= exact - 1e-9
    assert bound <= -2 * count * (share - chance) ** 2 + 1e-9  # Hoeffding


@given(count=st.integers(1, 300), more=st.floats(1.01, 4.0))
def test_equal_weights_give_chernoffs_bound_of_the_gamma_law(count: int, more: float) -> None:
    bound = exponential_sum_log_p(np.full(count, 0.5), 0.5 * count * more)
    assert bound == pytest.approx(-count * (more - 1 - math.log(more)), rel=1e-6, abs=1e-9)
    assert bound >= float(stats.gamma.logsf(count * more, count)) - 1e-9


def test_unequal_weights_reject_no_more_often_than_they_say() -> None:
    rng = np.random.default_rng(5)
    weights = rng.dirichlet(np.full(8, 0.4), size=60).ravel()
    runs = 4_000
    green = (rng.random((runs, len(weights))) < 0.25) @ weights
    waits = rng.exponential(size=(runs, len(weights))) @ weights
    for level in (0.1, 0.01):
        for sums, tail in (
            (green, lambda value: bernoulli_sum_log_p(weights, 0.25, value)),
            (waits, lambda value: exponential_sum_log_p(weights, value)),
        ):
            cut = np.quantile(sums, 1 - level)
            # At the sums' own quantile the bound is above the level, within the factor that Chernoff's bound costs there.
            assert math.log(level) < tail(float(cut)) < math.log(level) / 4


def test_all_ones_have_their_own_probability() -> None:
    assert bernoulli_sum_log_p(np.array([0.5, 0.25]), 0.25, 0.75) == pytest.approx(2 * math.log(0.25))


@pytest.mark.parametrize("weights", [np.array([]), np.array([0.0]), np.array([-1.0]), np.array([math.nan])])
def test_weights_out_of_range_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="weights"):
        bernoulli_sum_log_p(weights, 0.25, 1.0)
    with pytest.raises(ArgumentError, match="weights"):
        exponential_sum_log_p(weights, 1.0)
