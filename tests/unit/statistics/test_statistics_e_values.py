"""E-values: expectation at most 1 by exact enumeration, calibrator against its integral, identities of combination."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from stillwatch.statistics.e_values import (
    bernoulli_log_e,
    bernoulli_lower_log_e,
    calibrate_log_p,
    markov_log_p,
    mean_log_e,
    minimum_log_e,
    product_log_e,
)
from stillwatch.statistics.tails import binomial_upper_log_p

LOG_ES = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30)
RATES = st.floats(1e-6, 1 - 1e-6)


@pytest.mark.parametrize("p", [1e-12, 1e-4, 0.01, 0.2, 0.36, 0.37, 0.9])
def test_calibrator_equals_its_closed_form(p):
    closed = (1 - p + p * math.log(p)) / (p * math.log(p) ** 2)
    assert math.exp(calibrate_log_p(math.log(p))) == pytest.approx(closed, rel=1e-10)


@pytest.mark.parametrize("upper", [0.5, 1.0, 3.0, 60.0])
def test_calibrator_integrates_to_at_most_one(upper):
    # With u = -ln p the integral of f(p) dp from p = exp(-U) to 1 is 1 - (1 - exp(-U)) / U, which tends to 1.
    value, _ = integrate.quad(lambda u: math.exp(calibrate_log_p(-u) - u), 0.0, upper, limit=200)
    assert value == pytest.approx(1.0 - (1.0 - math.exp(-upper)) / upper, rel=1e-9)


def test_calibrator_at_the_ends():
    assert calibrate_log_p(0.0) == pytest.approx(math.log(0.5), abs=1e-15)
    assert calibrate_log_p(-1e-12) == pytest.approx(math.log(0.5) + 1e-12 / 3, abs=1e-15)
    assert calibrate_log_p(-1e6) == pytest.approx(1e6 - 2 * math.log(1e6), abs=1e-9)
    assert calibrate_log_p(-1e300) == pytest.approx(1e300)
    assert calibrate_log_p(-math.inf) == math.inf


@given(st.floats(-1e5, 0), st.floats(-1e5, 0))
def test_calibrator_falls_with_p(one, other):
    low, high = sorted((one, other))
    assert calibrate_log_p(low) >= calibrate_log_p(high) - 1e-12 * max(1.0, abs(low))


def test_calibrator_is_smooth_where_the_method_changes():
    assert calibrate_log_p(-1.0 + 1e-13) == pytest.approx(calibrate_log_p(-1.0 - 1e-13), abs=1e-12)


@given(st.floats(-1e5, 0))
def test_calibration_never_gains(log_p):
    # e -> p -> e loses: 1 / e of a calibrated p is never below p.
    assert markov_log_p(calibrate_log_p(log_p)) >= log_p - 1e-9


@given(LOG_ES)
def test_mean_lies_between_least_and_largest_and_ignores_order(log_es):
    mean = mean_log_e(log_es)
    assert min(log_es) - 1e-9 <= mean <= max(log_es) + 1e-9
    assert mean == mean_log_e(log_es[::-1])
    assert minimum_log_e(log_es) == min(log_es)


@given(LOG_ES, st.data())
def test_weighted_mean_with_whole_weights_is_the_mean_of_repeats(log_es, data):
    weights = data.draw(st.lists(st.integers(0, 4), min_size=len(log_es), max_size=len(log_es)).filter(any))
    repeated = [log_e for log_e, weight in zip(log_es, weights, strict=True) for _ in range(weight)]
    assert mean_log_e(log_es, weights) == pytest.approx(mean_log_e(repeated), abs=1e-9)
    assert mean_log_e(log_es, [10 * weight for weight in weights]) == pytest.approx(
        mean_log_e(log_es, weights), abs=1e-9
    )


def test_mean_of_plain_numbers():
    assert mean_log_e(np.log([1.0, 3.0, 8.0])) == pytest.approx(math.log(4.0), abs=1e-15)
    assert mean_log_e([-math.inf, math.log(6.0)]) == pytest.approx(math.log(3.0), abs=1e-15)
    assert mean_log_e([-math.inf, -math.inf]) == -math.inf
    assert mean_log_e([math.inf, 0.0]) == math.inf
    assert mean_log_e([math.inf, 0.0], weights=[0.0, 1.0]) == 0.0


@given(LOG_ES)
def test_product_adds_logs_and_ignores_order(log_es):
    assert product_log_e(log_es) == product_log_e(sorted(log_es))
    assert product_log_e(log_es) == pytest.approx(float(sum(map(Fraction, log_es))), rel=1e-12, abs=1e-9)


def test_an_e_value_of_zero_is_never_outweighed():
    assert product_log_e([-math.inf, math.inf]) == -math.inf
    assert product_log_e([2.0, math.inf]) == math.inf


@pytest.mark.parametrize("null_rate", [1e-5, 0.03, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("true_share", [0.0, 0.4, 1.0])
def test_bernoulli_expectation_is_at_most_one_by_enumeration(null_rate, true_share):
    trials, rate = 40, null_rate * true_share
    masses = [math.comb(trials, s) * rate**s * (1 - rate) ** (trials - s) for s in range(trials + 1)]
    expectation = math.fsum(m * math.exp(bernoulli_log_e(s, trials, null_rate)) for s, m in enumerate(masses) if m)
    assert expectation <= 1.0 + 1e-11
    if true_share == 1.0:
        assert expectation == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("null_rate", [1e-5, 0.2, 0.8])
def test_bernoulli_lower_expectation_is_at_most_one_by_enumeration(null_rate):
    trials = 40
    for rate in (null_rate, 0.5 * (1 + null_rate), 1.0):
        masses = [math.comb(trials, s) * rate**s * (1 - rate) ** (trials - s) for s in range(trials + 1)]
        terms = (m * math.exp(bernoulli_lower_log_e(s, trials, null_rate)) for s, m in enumerate(masses) if m)
        assert math.fsum(terms) <= 1.0 + 1e-11


@given(st.integers(0, 3_000), st.integers(0, 3_000), RATES, st.floats(0.05, 20), st.floats(0.05, 20))
def test_bernoulli_is_a_martingale_at_the_null_rate(successes, failures, null_rate, a, b):
    trials = successes + failures

    def log_e(s: int, n: int) -> float:
        return bernoulli_log_e(s, n, null_rate, prior_successes=a, prior_failures=b)

    now, after_success, after_failure = (
        log_e(successes, trials),
        log_e(successes + 1, trials + 1),
        log_e(successes, trials + 1),
    )
    expected = null_rate * math.exp(after_success - now) + (1 - null_rate) * math.exp(after_failure - now)
    assert expected == pytest.approx(1.0, rel=1e-7)
    # The betting fraction never points the wrong way: a success never lowers it below what a failure gives.
    assert after_success >= after_failure - 1e-9


def test_bernoulli_under_trials_that_depend_on_the_past():
    # The adversary chooses each success probability (0 or the null rate) from the path so far.
    null_rate, length = 0.25, 9
    expectation = Fraction(0)
    for path in product((0, 1), repeat=length):
        mass = Fraction(1)
        for index, outcome in enumerate(path):
            rate = Fraction(0) if sum(path[:index]) > index / 3 else Fraction(1, 4)
            mass *= rate if outcome else 1 - rate
        expectation += mass * Fraction(math.exp(bernoulli_log_e(sum(path), length, null_rate)))
    assert expectation <= 1 + Fraction(1, 10**11)


def test_bernoulli_equals_numerical_integration():
    successes, trials, null_rate = 12, 40, 0.15

    def prior(rate: float) -> float:
        return 1.0 / math.sqrt(rate * (1.0 - rate))

    def ratio(rate: float) -> float:
        return (rate / null_rate) ** successes * ((1 - rate) / (1 - null_rate)) ** (trials - successes)

    numerator, _ = integrate.quad(lambda rate: prior(rate) * ratio(rate), null_rate, 1.0)
    # The integral of the arcsine density from r to 1 is pi - 2 asin(sqrt(r)).
    denominator = math.pi - 2.0 * math.asin(math.sqrt(null_rate))
    expected = math.log(numerator / denominator)
    assert bernoulli_log_e(successes, trials, null_rate) == pytest.approx(expected, rel=1e-7)


@given(st.integers(0, 2_000), st.integers(0, 2_000), RATES)
def test_lower_mirrors_upper(successes, failures, rate):
    # A power of two keeps 1 - rate exact, so that the mirror image is exact as well.
    rate = max(1.0, round(rate * 2**20)) / 2**21
    trials = successes + failures
    mirrored = bernoulli_log_e(failures, trials, 1.0 - rate)
    assert bernoulli_lower_log_e(successes, trials, rate) == pytest.approx(mirrored, rel=1e-12, abs=1e-12)


@given(st.integers(1, 5_000), RATES)
def test_bernoulli_evidence_never_beats_the_exact_p_value(trials, null_rate):
    # For every count the e-value is at most 1 / P(X >= count) by Markov, as it grows with the count.
    successes = min(trials, math.ceil(trials * null_rate) + trials // 3)
    assert bernoulli_log_e(successes, trials, null_rate) <= -binomial_upper_log_p(successes, trials, null_rate) + 1e-7


def test_bernoulli_at_the_ends():
    assert bernoulli_log_e(0, 0, 0.3) == 0.0
    assert bernoulli_log_e(5, 5, 1.0) == 0.0
    assert bernoulli_log_e(1, 5, 0.0) == math.inf
    # Jeffreys' prior: the integral of (1 - r)^1 is B(1/2, 3/2) / B(1/2, 1/2) = 1/2.
    assert bernoulli_log_e(0, 1, 0.0) == pytest.approx(math.log(0.5))
    assert bernoulli_lower_log_e(1, 1, 0.0) == 0.0
    assert bernoulli_lower_log_e(0, 1, 1.0) == math.inf
    assert bernoulli_log_e(10**9, 10**9, 1e-3) == pytest.approx(1e9 * math.log(1e3), rel=1e-8)
    assert bernoulli_log_e(0, 10**9, 1e-17) < 0.0


def test_bernoulli_grows_at_the_rate_of_the_divergence():
    null_rate, rate, trials = 0.01, 0.05, 200_000
    divergence = rate * math.log(rate / null_rate) + (1 - rate) * math.log((1 - rate) / (1 - null_rate))
    log_e = bernoulli_log_e(int(rate * trials), trials, null_rate)
    # The mixture costs half a log of the trials and a constant (B. Clarke and A. Barron 1990).
    assert trials * divergence - 0.5 * math.log(trials) - 5.0 < log_e < trials * divergence
