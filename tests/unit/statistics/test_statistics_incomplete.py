"""Incomplete beta and gamma functions of real parameters, by positive series and recurrences, into the far tail."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stillwatch.statistics.incomplete import (
    log_incomplete_beta,
    log_incomplete_gamma_lower,
    log_incomplete_gamma_upper,
)
from stillwatch.statistics.log_mass import deviance, log_hypergeometric_mass, log_poisson_mass, stirling_error

PARAMETERS = st.floats(-2, 4).map(lambda exponent: 10.0**exponent)


@given(PARAMETERS, PARAMETERS, st.floats(-300, 0).map(lambda exponent: 10.0**exponent))
def test_beta_equals_its_series_of_positive_terms(a, b, x):
    assume(x < min(0.9, (a + 1) / (a + b + 2)))
    # DLMF 8.17.8: x^a (1 - x)^b / (a B(a, b)) times the sum of (a + b)_n / (a + 1)_n x^n.
    total = term = 1.0
    order = 0
    while term > 1e-18 * total:
        term *= (a + b + order) / (a + 1 + order) * x
        total += term
        order += 1
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    expected = a * math.log(x) + b * math.log1p(-x) - math.log(a) - log_beta + math.log(total)
    got = log_incomplete_beta(a, b, x, 1.0 - x)
    # The naive log-gamma terms of the expectation lose digits in proportion to the parameters.
    assert got == pytest.approx(expected, rel=1e-11, abs=1e-14 * (1e3 + (a + b) * math.log(1e4 + a + b)))


@given(PARAMETERS, st.floats(-20, 6).map(lambda exponent: 10.0**exponent))
def test_gamma_functions_obey_their_recurrences(a, x):
    # DLMF 8.8.5 and 8.8.6: P(a + 1) = P(a) - m and Q(a + 1) = Q(a) + m, with m = x^a exp(-x) / Gamma(a + 1).
    mass = log_poisson_mass(a, x)
    lower, lower_next = log_incomplete_gamma_lower(a, x), log_incomplete_gamma_lower(a + 1, x)
    upper, upper_next = log_incomplete_gamma_upper(a, x), log_incomplete_gamma_upper(a + 1, x)
    assert math.exp(lower_next - lower) + math.exp(mass - lower) == pytest.approx(1.0, rel=1e-9)
    assert math.exp(upper - upper_next) + math.exp(mass - upper_next) == pytest.approx(1.0, rel=1e-9)


@given(st.floats(1e-3, 1e6))
def test_stirling_error_lies_between_robbins_bounds(x):
    # H. Robbins (1955): 1 / (12 x + 1) < error < 1 / (12 x); stated for whole numbers, true for all x of at least 1.
    if x >= 1:
        assert 1 / (12 * x + 1) - 1e-12 <= stirling_error(x) <= 1 / (12 * x) + 1e-12
    # Gamma(x + 2) = (x + 1) Gamma(x + 1) ties neighbours together, over the switch to the series as well.
    step = math.log(x + 1) - (x + 1.5) * math.log(x + 1) + (x + 0.5) * math.log(x) + 1.0
    assert stirling_error(x + 1) - stirling_error(x) == pytest.approx(step, abs=1e-14 * max(1.0, x * math.log(x + 2)))


@given(st.floats(1e-3, 1e9), st.floats(-0.9, 9))
def test_deviance_is_not_negative_and_equals_its_definition(mean, change):
    x = mean * (1 + change)
    assert deviance(x, mean) >= 0.0
    expected = mean * ((1 + change) * math.log1p(change) - change)
    assert deviance(x, mean) == pytest.approx(expected, rel=1e-6, abs=1e-14 * mean)


def test_deviance_keeps_its_digits_near_the_mean():
    # With d = (x - mean) / mean the deviance is mean d^2 / 2 (1 - d / 3 + ...).
    assert deviance(1e9 + 1.0, 1e9) == pytest.approx(0.5e-9 * (1 - 1e-9 / 3), rel=1e-12)
    assert deviance(5.0, 5.0) == 0.0


def test_certain_draws_have_mass_one():
    assert log_hypergeometric_mass(0, 9, 4, 0) == 0.0
    assert log_hypergeometric_mass(4, 9, 4, 9) == 0.0
    assert log_poisson_mass(0.0, 2.5) == -2.5


@pytest.mark.parametrize("x", [1e-300, 1e-16, 1e-8, 0.3])
@pytest.mark.parametrize("a", [1e-3, 0.01, 2.0])
def test_beta_of_one_is_a_power_however_small_x_is(a, x):
    # I_x(a, 1) = x^a and I_(1 - x)(1, a) = 1 - x^a, also where 1 - x has lost the digits of x.
    assert log_incomplete_beta(a, 1.0, x, 1.0 - x) == pytest.approx(a * math.log(x), rel=1e-12)
    power = x**a
    complement = math.log1p(-power) if power < 0.5 else math.log(-math.expm1(a * math.log(x)))
    assert log_incomplete_beta(1.0, a, 1.0 - x, x) == pytest.approx(complement, rel=1e-12, abs=1e-200)
