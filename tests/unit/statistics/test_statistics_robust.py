"""Robust spread and quantile: textbook values, exact positions, types kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.statistics.errors import ArgumentError, TooLittleDataError
from stillwatch.statistics.robust import median_absolute_deviation, quantile_higher


def test_median_absolute_deviation():
    assert median_absolute_deviation([1, 1, 2, 2, 4, 6, 9]) == 1.0
    assert median_absolute_deviation([3.0]) == 0.0
    assert median_absolute_deviation([0, 10]) == 5.0


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.integers(-50, 50))
def test_median_absolute_deviation_ignores_shift_and_order(values, shift):
    spread = median_absolute_deviation(values)
    assert median_absolute_deviation([value + shift for value in reversed(values)]) == spread


def test_position_is_exact_where_floats_are_not():
    # 0.07 * 100 is 7.000000000000001 in floats, and its ceiling 8.
    assert quantile_higher(list(range(101)), 0.07) == 7
    assert np.quantile(np.arange(101), 0.07, method="higher") == 8


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40).map(sorted), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_equals_numpy_where_floats_are_exact(values, q):
    assert quantile_higher(values, q) == np.quantile(values, q, method="higher")
    assert isinstance(quantile_higher(values, q), int)


def test_refuses_no_values_and_unsorted_ones():
    with pytest.raises(TooLittleDataError):
        quantile_higher([], 0.5)
    with pytest.raises(ArgumentError, match=r"sorted_values\[2\]=1"):
        quantile_higher([1, 3, 1], 0.5)
    with pytest.raises(ArgumentError, match=r"q=1\.5"):
        quantile_higher([1], 1.5)
