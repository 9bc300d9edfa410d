"""Intervals against published tables and against the tails that define them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.statistics.intervals import binomial_acceptance, clopper_pearson, wilson
from stillwatch.statistics.tails import binomial_lower_log_p, binomial_upper_log_p

# R. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), Table I.
PUBLISHED = [
    (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
    (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
    (0, 20, (0.0000, 0.1684), (0.0000, 0.1611)),
    (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
]


@pytest.mark.parametrize(("successes", "trials", "exact", "score"), PUBLISHED)
def test_intervals_equal_the_published_table(successes, trials, exact, score):
    assert clopper_pearson(successes, trials, 0.95) == pytest.approx(exact, abs=5e-5)
    assert wilson(successes, trials, 0.95) == pytest.approx(score, abs=5e-5)


@given(st.integers(1, 3_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.99, 1 - 1e-6]))
def test_clopper_pearson_ends_have_the_stated_tails(trials, share, confidence):
    successes = int(trials * share)
    low, high = clopper_pearson(successes, trials, confidence)
    side = math.log(0.5 * (1 - confidence))
    if successes:
        assert binomial_upper_log_p(successes, trials, low) == pytest.approx(side, rel=1e-6)
    else:
        assert low == 0.0
    if successes < trials:
        assert binomial_lower_log_p(successes, trials, high) == pytest.approx(side, rel=1e-6)
    else:
        assert high == 1.0


@given(st.integers(1, 3_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_ends_solve_the_score_equation(trials, share, confidence):
    successes = int(trials * share)
    low, high = wilson(successes, trials, confidence)
    observed = successes / trials
    assert 0.0 <= low <= observed <= high <= 1.0
    mirrored = wilson(trials - successes, trials, confidence)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)
    if 0 < successes < trials:
        scores = [(observed - end) ** 2 * trials / (end * (1 - end)) for end in (low, high)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-6)


@given(st.integers(0, 20_000), st.floats(0, 1), st.sampled_from([0.1, 1e-3, 1e-6, 1e-12]))
def test_acceptance_is_the_narrowest_with_each_tail_allowed(trials, rate, error):
    low, high = binomial_acceptance(trials, rate, error)
    allowed = math.log(error / 2)
    assert 0 <= low <= high <= trials
    if low > 0:
        assert binomial_lower_log_p(low - 1, trials, rate) <= allowed
    if high < trials:
        assert binomial_upper_log_p(high + 1, trials, rate) <= allowed
    if low < trials:
        assert binomial_lower_log_p(low, trials, rate) > allowed
    if high > 0:
        assert binomial_upper_log_p(high, trials, rate) > allowed


def test_acceptance_of_a_fair_coin():
    # 20 tosses at 5 %: P(X <= 5) = 0.0207 and P(X <= 4) = 0.0059, the textbook region 6 to 14.
    assert binomial_acceptance(20, 0.5, 0.05) == (6, 14)
    masses = [Fraction(math.comb(20, k), 2**20) for k in range(6, 15)]
    assert sum(masses) >= Fraction(95, 100)


def test_acceptance_at_the_ends():
    assert binomial_acceptance(50, 0.0, 1e-6) == (0, 0)
    assert binomial_acceptance(50, 1.0, 1e-6) == (50, 50)
    assert binomial_acceptance(0, 0.3, 1e-6) == (0, 0)
