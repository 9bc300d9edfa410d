"""Ranks and the law of their sum: by definition, by symmetry, by exact fractions, by simulation, and against the saddle point."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.statistics import rank_uniform
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError
from stillwatch.statistics.rank_uniform import (
    critical_sum,
    randomised_rank,
    randomised_ranks,
    sum_lower_log_p,
    tilted_certificate,
    uniform_sum_lower_log_p,
    uniform_sum_two_sided_log_p,
    uniformity_log_p,
)


def irwin_hall(total: Fraction, count: int) -> Fraction:
    """The formula in fractions, as it stands in the paper."""
    terms = ((-1) ** j * math.comb(count, j) * (total - j) ** count for j in range(math.floor(total) + 1))
    return sum(terms, Fraction(0)) / math.factorial(count)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24])
@pytest.mark.parametrize("share", [Fraction(1, 64), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(63, 64)])
def test_the_tail_is_that_of_the_formula_in_fractions(count: int, share: Fraction):
    expected = irwin_hall(share * count, count)
    assert sum_lower_log_p(float(share * count), count) == pytest.approx(math.log(expected), rel=1e-6, abs=1e-9)


def test_the_saddle_point_meets_the_exact_tail():
    for share in (0.002, 0.05, 0.2, 0.4, 0.48, 0.4999, 0.52, 0.7, 0.99):
        exact = sum_lower_log_p(share * 2_000, 2_000)
        assert rank_uniform._saddle_point(share * 2_000, 2_000) == pytest.approx(exact, abs=1e-4)
    assert sum_lower_log_p(0.3 * 50_000, 50_000) < -10_000
    assert sum_lower_log_p(50_000.0, 50_000) == 0.0


def test_the_certificate_finds_the_same_tail_by_simulation():
    rng = np.random.default_rng(3)
    for scale in (1.0, 0.9, 0.6, 0.2):
        ranks = rng.random(150) * scale
        found = tilted_certificate(ranks, 3_000, rng)
        assert found.relative_error < 0.1
        assert found.log_p == pytest.approx(uniform_sum_lower_log_p(ranks), abs=6 * found.relative_error)


def test_the_critical_sum_is_where_the_level_is_reached():
    for count in (1, 30, 500):
        critical = critical_sum(count, math.log(0.01))
        assert sum_lower_log_p(critical, count) <= math.log(0.01) < sum_lower_log_p(critical + 1e-6 * count, count)


@given(st.lists(st.floats(1e-3, 1), min_size=1, max_size=30))
def test_the_two_tails_mirror_each_other(ranks: list[float]):
    mirrored = [1.0 - rank for rank in ranks]
    assert uniform_sum_two_sided_log_p(ranks) == pytest.approx(uniform_sum_two_sided_log_p(mirrored), abs=1e-5)
    assert uniform_sum_lower_log_p(ranks) <= 0.0


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=8),
    st.integers(0, 6),
    st.floats(0, 1, exclude_max=True),
)
def test_a_rank_reads_order_only(others: list[int], score: int, draw: float):
    rank = randomised_rank(score, others, draw)
    assert 0.0 <= rank <= 1.0
    assert rank == randomised_rank(3.0 * score + 1, [3.0 * other + 1 for other in others[::-1]], draw)
    assert randomised_rank(score + 1, others, draw) <= rank


def test_a_rank_by_hand():
    assert randomised_rank(2.0, [1.0, 3.0, 2.0, 0.0], 0.5) == pytest.approx((1 + 0.5 * 2) / 5)
    assert randomised_rank(9.0, [1.0] * 4, 0.0) == 0.0
    assert randomised_rank(0.0, [1.0] * 4, 0.999) > 0.99


def test_ranks_are_uniform_with_ties_and_with_differing_numbers_of_others():
    rng = np.random.default_rng(12)
    scores = rng.integers(0, 3, 4_000).astype(float)
    others = [rng.integers(0, 3, 1 + index % 5).astype(float) for index in range(4_000)]
    assert stats.kstest(randomised_ranks(scores, others, rng), "uniform").pvalue > 1e-6


def test_uniformity_sees_a_shift_and_another_shape():
    rng = np.random.default_rng(4)
    assert uniformity_log_p(rng.random(300)) > math.log(1e-4)
    assert uniformity_log_p(rng.random(300) * 0.8) < math.log(1e-4)
    assert uniformity_log_p(0.3 + 0.4 * rng.random(300)) < math.log(1e-4)  # its sum is as it should be


def test_arguments_are_refused():
    with pytest.raises(TooLittleDataError, match="got 0 values in ranks, expected at least 1"):
        uniform_sum_lower_log_p([])
    with pytest.raises(ArgumentError, match=r"got 1.5 at ranks\[1\], expected a number in \[0, 1\]"):
        uniform_sum_lower_log_p([0.5, 1.5])
    with pytest.raises(ArgumentError, match="got 1 lists of others for 2 scores"):
        randomised_ranks([1.0, 2.0], [[1.0]], np.random.default_rng(1))
    with pytest.raises(TooLittleDataError, match="got 0 values in others"):
        randomised_rank(1.0, [], 0.5)
    with pytest.raises(ArgumentError, match=r"got a sum of 3\.0 for 2 ranks"):
        sum_lower_log_p(3.0, 2)
    with pytest.raises(ArgumentError, match="expected below log"):
        critical_sum(10, 0.0)
