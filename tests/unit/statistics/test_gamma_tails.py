"""Tails of sums of exponential variables, against 40-digit arithmetic and against each other."""

from __future__ import annotations

import math

import mpmath
import pytest

from stillwatch.statistics.errors import ArgumentError
from stillwatch.statistics.gamma_tails import gamma_pair_upper_log_p, gamma_upper_log_p
from stillwatch.statistics.tails import chi_square_upper_log_p


def pair_by_mpmath(statistic: float, count: int, first: float, second: float) -> float:
    """Integrate with 40 digits, over pieces that are narrow beside the peak."""
    with mpmath.workdps(40):
        a, b, s = mpmath.mpf(first), mpmath.mpf(second), mpmath.mpf(statistic)

        def integrand(y: mpmath.mpf) -> mpmath.mpf:
            density = mpmath.exp((count - 1) * mpmath.log(y) - y - mpmath.loggamma(count))
            return density * mpmath.gammainc(count, (s - b * y) / a, mpmath.inf, regularized=True)

        edges = [s / b * index / 160 for index in range(161)]
        total = mpmath.quad(integrand, edges) + mpmath.gammainc(count, s / b, mpmath.inf, regularized=True)
        return float(mpmath.log(total))


@pytest.mark.parametrize(
    ("statistic", "count", "alpha"),
    [(3.0, 1, 0.1), (8.0, 5, 0.1), (130.0, 100, 0.1), (220.0, 100, 0.3), (60.0, 40, 0.5)],
)
def test_two_scales_against_forty_digits(statistic: float, count: int, alpha: float) -> None:
    found = gamma_pair_upper_log_p(statistic, count, 1.0 - alpha, alpha)
    assert found == pytest.approx(pair_by_mpmath(statistic, count, 1.0 - alpha, alpha), abs=1e-8)


def test_the_matched_gamma_of_the_engine_is_too_small() -> None:
    """vLLM's detector puts Gamma(n / v, scale v) in the place of the sum: far out it gives p-values that are too small."""
    alpha, count = 0.1, 100
    variance = (1 - alpha) ** 2 + alpha**2
    statistic = 2.1 * count
    matched = chi_square_upper_log_p(2.0 * statistic / variance, 2.0 * count / variance)
    exact = gamma_pair_upper_log_p(statistic, count, 1.0 - alpha, alpha)
    assert exact < math.log(1e-8)
    assert matched < exact - math.log(2.0)


@pytest.mark.parametrize("count", [1, 17, 10_000, 10**8])
def test_one_scale_is_the_chi_square_tail(count: int) -> None:
    for factor in (0.5, 1.0, 1.001, 3.0):
        assert gamma_upper_log_p(factor * count, count) == pytest.approx(
            chi_square_upper_log_p(2.0 * factor * count, 2.0 * count), rel=1e-12
        )


def test_equal_scales_are_one_gamma_of_twice_the_count() -> None:
    assert gamma_pair_upper_log_p(55.0, 50, 0.5, 0.5) == gamma_upper_log_p(110.0, 100)


def test_far_tails_are_finite_and_fall() -> None:
    logs = [gamma_pair_upper_log_p(1000.0 * factor, 1000, 0.9, 0.1) for factor in (0.5, 1.0, 2.0, 10.0, 1000.0)]
    assert logs == sorted(logs, reverse=True)
    assert -1e7 < logs[-1] < -1e5
    assert gamma_pair_upper_log_p(0.0, 5, 0.9, 0.1) == gamma_pair_upper_log_p(3.0, 0, 0.9, 0.1) == 0.0


def test_arguments_are_refused() -> None:
    with pytest.raises(ArgumentError, match="second_scale"):
        gamma_pair_upper_log_p(1.0, 1, 0.9, 0.0)
    with pytest.raises(ArgumentError, match="statistic"):
        gamma_upper_log_p(math.nan, 1)
