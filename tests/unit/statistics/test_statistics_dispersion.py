"""Dispersion: published data, exact expectations by enumeration, pooling invariants, entropy identities."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from stillwatch.statistics.dispersion import (
    entropy,
    homogeneity,
    index_of_dispersion_log_p,
    jensen_shannon,
    over_dispersion_log_e,
    pearson_dispersion,
    under_dispersion_log_e,
)
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError
from stillwatch.statistics.pooling import pool_small_cells
from stillwatch.statistics.tails import chi_square_lower_log_p, chi_square_upper_log_p, poisson_upper_log_p

COUNTS = st.lists(st.integers(0, 40), min_size=2, max_size=12)
WEIGHTS = st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any)


def compositions(total: int, cells: int):
    return (counts for counts in product(range(total + 1), repeat=cells) if sum(counts) == total)


def multinomial_mass(counts, shares):
    ways = math.factorial(sum(counts)) / math.prod(math.factorial(count) for count in counts)
    return ways * math.prod(share**count for count, share in zip(counts, shares, strict=True))


def test_pearson_dispersion():
    assert pearson_dispersion([3, 5], [4.0, 4.0]) == pytest.approx(0.25)
    assert pearson_dispersion([8], [2.0]) == pytest.approx(18.0)


def test_horse_kicks_are_poisson():
    # L. von Bortkiewicz (1898): deaths by horse kick in 200 corps-years; mean 0.61, variance 0.611.
    deaths = [0] * 109 + [1] * 65 + [2] * 22 + [3] * 3 + [4]
    outcome = index_of_dispersion_log_p(deaths)
    assert outcome.index == pytest.approx(0.6109 / 0.61, abs=1e-3)
    assert outcome.degrees == 199
    assert outcome.over_log_p > math.log(0.2)
    assert outcome.under_log_p > math.log(0.2)


def test_index_uses_chi_square_near_the_centre_and_markov_beyond():
    counts = np.random.default_rng(5).poisson(20.0, 100)
    outcome = index_of_dispersion_log_p(counts)
    statistic = outcome.index * outcome.degrees
    assert outcome.over_log_p == chi_square_upper_log_p(statistic, 99)
    assert outcome.under_log_p == chi_square_lower_log_p(statistic, 99)
    burst = [5] * 99 + [60]
    far = index_of_dispersion_log_p(burst)
    assert far.over_log_p == -over_dispersion_log_e(burst)
    # The exact chance of a count that large in one of the cells is above what chi-square claims for the whole.
    exact = math.log(100) + poisson_upper_log_p(60, 5.55)
    assert chi_square_upper_log_p(far.index * 99, 99) < exact - 40.0
    assert far.over_log_p > exact


def test_counts_dealt_out_evenly_are_found_without_infinite_claims():
    outcome = index_of_dispersion_log_p([7] * 48)
    assert outcome.index == 0.0
    mass = math.lgamma(7 * 48 + 1) - 48 * math.lgamma(8) - 7 * 48 * math.log(48)
    # No test can be surer than the mass of the observation itself; the grid of 6 capacities costs log 6.
    assert mass <= outcome.under_log_p <= mass + math.log(6) + 1e-9


@pytest.mark.parametrize(("total", "cells"), [(1, 2), (6, 3), (9, 4), (0, 3)])
def test_dispersion_e_values_have_expectation_one_by_enumeration(total, cells):
    equal = [1 / cells] * cells
    under = over = 0.0
    for counts in compositions(total, cells):
        mass = multinomial_mass(counts, equal)
        under += mass * math.exp(under_dispersion_log_e(counts))
        over += mass * math.exp(over_dispersion_log_e(counts))
    assert under == pytest.approx(1.0, rel=1e-9)
    assert over == pytest.approx(1.0, rel=1e-9)


def test_over_dispersion_with_unequal_shares_has_expectation_one():
    shares = [0.7, 0.2, 0.1]
    expectation = sum(
        multinomial_mass(counts, shares) * math.exp(over_dispersion_log_e(counts, [7, 2, 1]))
        for counts in compositions(8, 3)
    )
    assert expectation == pytest.approx(1.0, rel=1e-9)
    assert over_dispersion_log_e([1, 3], [0.0, 1.0]) == math.inf
    assert over_dispersion_log_e([0, 3, 3], [0.0, 1.0, 1.0]) == over_dispersion_log_e([3, 3])


@given(COUNTS, st.randoms(use_true_random=False))
def test_order_does_not_matter(counts, random):
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert over_dispersion_log_e(shuffled) == over_dispersion_log_e(counts)
    assert under_dispersion_log_e(shuffled) == under_dispersion_log_e(counts)
    if sum(counts):
        assert index_of_dispersion_log_p(shuffled) == index_of_dispersion_log_p(counts)
        assert entropy(shuffled) == entropy(counts)


def test_homogeneity_without_pooling_is_pearsons():
    table = np.array([[30, 22, 41], [25, 33, 20]])
    expected = stats.chi2_contingency(table, correction=False)
    assert homogeneity(table) == (pytest.approx(expected.statistic, rel=1e-12), expected.dof)
    assert homogeneity([[10, 20], [20, 10]]) == (pytest.approx(20 / 3), 1)


def test_homogeneity_pools_rare_columns_and_drops_empty_ones():
    table = [[50, 30, 0, 4, 1], [40, 45, 0, 2, 3]]
    pooled = np.array([[50, 30, 5], [40, 45, 5]])
    expected = stats.chi2_contingency(pooled, correction=False)
    assert homogeneity(table, smallest_expected=4.0) == (pytest.approx(expected.statistic, rel=1e-12), 2)


TABLES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1), st.sampled_from([0.5, 3.0, 20.0]))


@given(TABLES, st.floats(0.5, 8))
def test_pooled_cells_are_large_enough_and_nothing_is_lost(drawn, smallest):
    rows, columns, seed, mean = drawn
    rng = np.random.default_rng(seed)
    counts = rng.poisson(mean * rng.gamma(1.0, 1.0, (rows, 1)) * rng.gamma(1.0, 1.0, columns)).astype(np.float64)
    pooled = pool_small_cells(counts, smallest)
    assert pooled.sum() == counts.sum()
    if min(pooled.shape) > 1:
        assert np.outer(pooled.sum(axis=1), pooled.sum(axis=0)).min() / pooled.sum() >= smallest * (1 - 1e-12)
    shuffled = counts[rng.permutation(rows)][:, rng.permutation(columns)]
    assert homogeneity(shuffled, smallest) == homogeneity(counts, smallest)


def test_lines_of_equal_total_stand_alone_where_each_is_large_enough():
    statistic, degrees = homogeneity(np.full((6, 4), 10))
    assert (statistic, degrees) == (0.0, 15)


def test_homogeneity_without_a_test():
    assert homogeneity([[5, 7]]) == (0.0, 0)
    assert homogeneity([[5], [7]]) == (0.0, 0)
    assert homogeneity([[1, 0], [0, 1]]) == (0.0, 0)
    assert homogeneity([[0, 0], [0, 0]]) == (0.0, 0)
    assert homogeneity(np.empty((0, 3))) == (0.0, 0)


def test_entropy_of_known_distributions():
    assert entropy([1, 1, 1, 1]) == pytest.approx(math.log(4), rel=1e-15)
    assert entropy([9, 0, 0]) == 0.0
    assert entropy([1, 1, 2]) == pytest.approx(1.5 * math.log(2), rel=1e-15)


@given(WEIGHTS, st.data())
def test_jensen_shannon_is_symmetric_bounded_and_equals_scipys(p, data):
    q = data.draw(st.lists(st.integers(0, 50), min_size=len(p), max_size=len(p)).filter(any))
    divergence = jensen_shannon(p, q)
    assert 0.0 <= divergence <= math.log(2)
    assert divergence == jensen_shannon(q, p)
    assert divergence == pytest.approx(distance.jensenshannon(p, q) ** 2, abs=1e-9)
    assert jensen_shannon(p, [3 * weight for weight in p]) == pytest.approx(0.0, abs=1e-15)


def test_jensen_shannon_of_apart_distributions():
    assert jensen_shannon([1, 0], [0, 5]) == math.log(2)


def test_refuses_what_is_no_count():
    with pytest.raises(TooLittleDataError):
        index_of_dispersion_log_p([0, 0])
    with pytest.raises(TooLittleDataError):
        index_of_dispersion_log_p([4])
    with pytest.raises(ArgumentError, match=r"counts\[1\]"):
        index_of_dispersion_log_p([1, 2.5])
    with pytest.raises(ArgumentError, match=r"expected\[1\]"):
        pearson_dispersion([1, 2], [1.0, 0.0])
    with pytest.raises(ArgumentError, match="dimensions"):
        homogeneity([1, 2, 3])
    with pytest.raises(ArgumentError, match="shares that are all 0"):
        over_dispersion_log_e([1, 2], [0.0, 0.0])
    with pytest.raises(TooLittleDataError):
        jensen_shannon([0, 0], [1, 1])
