"""Log tail probabilities: exact, and finite for p down to 1e-100000 and beyond.

Takes scalar counts or statistics. Gives natural-log p-values, at most 0; minus infinity only where the event is
impossible under the null.

Method: binomial and Poisson tails are incomplete beta and gamma functions (DLMF 8.17.5, 8.4.10), the hypergeometric
tail is its boundary mass times a sum of ratios of neighbouring masses, the normal tail is scipy's `log_ndtr`.
Complexity: constant near the centre; in the far tail at most of the order of the standard deviation.

What it does not show: discrete tails are conservative (the rejection rate at level alpha is at most alpha), and an
exact tail is only as true as the independence and the rate that the null hypothesis states.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from stillwatch.statistics.arguments import FloatArray, non_negative, positive, probability, real_number, whole_number
from stillwatch.statistics.incomplete import (
    log_incomplete_beta,
    log_incomplete_gamma_lower,
    log_incomplete_gamma_upper,
)
from stillwatch.statistics.log_mass import log_hypergeometric_mass

_PRECISION = 1e-17


def binomial_upper_log_p(successes: int, trials: int, rate: float) -> float:
    """Return log P(X >= successes) for X ~ Binomial(trials, rate).

    Args:
        successes: in [0, trials].
        trials: at least 0.
        rate: success probability under the null, in [0, 1].

    Returns:
        log p, natural, at most 0; valid for H0 "rate is at most `rate`" too, as the tail grows with the rate.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials)
    successes = whole_number("successes", successes, high=trials)
    rate = probability("rate", rate)
    if successes == 0:
        return 0.0
    return _log_p(log_incomplete_beta(successes, trials - successes + 1, rate, 1.0 - rate))


def binomial_lower_log_p(successes: int, trials: int, rate: float) -> float:
    """Return log P(X <= successes) for X ~ Binomial(trials, rate).

    Args:
        successes: in [0, trials].
        trials: at least 0.
        rate: success probability under the null, in [0, 1].

    Returns:
        log p, natural, at most 0; valid for H0 "rate is at least `rate`" too.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials)
    successes = whole_number("successes", successes, high=trials)
    rate = probability("rate", rate)
    if successes == trials:
        return 0.0
    return _log_p(log_incomplete_beta(trials - successes, successes + 1, 1.0 - rate, rate))


def poisson_upper_log_p(count: int, mean: float) -> float:
    """Return log P(X >= count) for X ~ Poisson(mean).

    Args:
        count: at least 0.
        mean: expected count under the null, finite, at least 0.

    Returns:
        log p, natural, at most 0.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    count = whole_number("count", count)
    mean = non_negative("mean", mean)
    return 0.0 if count == 0 else _log_p(log_incomplete_gamma_lower(count, mean))


def poisson_lower_log_p(count: int, mean: float) -> float:
    """Return log P(X <= count) for X ~ Poisson(mean).

    Args:
        count: at least 0.
        mean: expected count under the null, finite, at least 0.

    Returns:
        log p, natural, at most 0, finite.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    count = whole_number("count", count)
    mean = non_negative("mean", mean)
    return _log_p(log_incomplete_gamma_upper(count + 1, mean))


def hypergeometric_upper_log_p(hits: int, population: int, marked: int, drawn: int) -> float:
    """Return log P(X >= hits) where `drawn` of `population` are taken without replacement and `marked` bear the mark.

    Args:
        hits: marked ones among the drawn, in [0, min(marked, drawn)].
        population: at least 0.
        marked: in [0, population].
        drawn: in [0, population].

    Returns:
        log p, natural, at most 0, finite: the one-sided Fisher exact test.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    hits, population, marked, drawn = _hypergeometric_arguments(hits, population, marked, drawn)
    if hits <= max(0, drawn + marked - population):
        return 0.0
    return _hypergeometric_upper(hits, population, marked, drawn)


def hypergeometric_lower_log_p(hits: int, population: int, marked: int, drawn: int) -> float:
    """Return log P(X <= hits) where `drawn` of `population` are taken without replacement and `marked` bear the mark.

    Args:
        hits: marked ones among the drawn, in [max(0, drawn + marked - population), min(marked, drawn)].
        population: at least 0.
        marked: in [0, population].
        drawn: in [0, population].

    Returns:
        log p, natural, at most 0; minus infinity where so few hits are impossible.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    hits, population, marked, drawn = _hypergeometric_arguments(hits, population, marked, drawn)
    if hits < drawn + marked - population:
        return -math.inf
    # Few marked ones among the drawn are many unmarked ones.
    unmarked = population - marked
    if drawn - hits <= max(0, drawn + unmarked - population):
        return 0.0
    return _hypergeometric_upper(drawn - hits, population, unmarked, drawn)


def normal_upper_log_p(z: float) -> float:
    """Return log P(Z >= z) for a standard normal Z.

    Args:
        z: finite number, in standard deviations.

    Returns:
        log p, natural, below 0.

    Raises:
        ArgumentError: for NaN or infinity.
    """
    return _log_p(float(special.log_ndtr(-real_number("z", z))))


def chi_square_upper_log_p(statistic: float, degrees: float) -> float:
    """Return log P(X >= statistic) for a chi-square X.

    Args:
        statistic: finite, at least 0.
        degrees: degrees of freedom, finite, above 0; need not be whole.

    Returns:
        log p, natural, at most 0, finite.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    half = 0.5 * non_negative("statistic", statistic)
    return _log_p(log_incomplete_gamma_upper(0.5 * positive("degrees", degrees), half))


def chi_square_lower_log_p(statistic: float, degrees: float) -> float:
    """Return log P(X <= statistic) for a chi-square X.

    Args:
        statistic: finite, at least 0.
        degrees: degrees of freedom, finite, above 0; need not be whole.

    Returns:
        log p, natural, at most 0; minus infinity for a statistic of 0.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    half = 0.5 * non_negative("statistic", statistic)
    return _log_p(log_incomplete_gamma_lower(0.5 * positive("degrees", degrees), half))


def _log_p(value: float) -> float:
    """Return at most 0 and never -0.0, which rounding in the last digit could give."""
    return min(0.0, value) + 0.0


def _hypergeometric_arguments(hits: int, population: int, marked: int, drawn: int) -> tuple[int, int, int, int]:
    population = whole_number("population", population)
    marked = whole_number("marked", marked, high=population)
    drawn = whole_number("drawn", drawn, high=population)
    return whole_number("hits", hits, high=min(marked, drawn)), population, marked, drawn


def _hypergeometric_upper(hits: int, population: int, marked: int, drawn: int) -> float:
    unmarked_left = population - marked - drawn
    mode = (drawn + 1) * (marked + 1) // (population + 2)
    if hits > mode:

        def upward(step: FloatArray) -> FloatArray:
            x = hits + step
            return (marked - x) * (drawn - x) / ((x + 1.0) * (unmarked_left + x + 1.0))

        mass = log_hypergeometric_mass(hits, population, marked, drawn)
        return _log_p(mass + _log_ratio_series(upward, min(marked, drawn) - hits))
    below = hits - 1

    def downward(step: FloatArray) -> FloatArray:
        x = below - step
        return x * (unmarked_left + x) / ((marked - x + 1.0) * (drawn - x + 1.0))

    mass = log_hypergeometric_mass(below, population, marked, drawn)
    # At or below the mode the lower part is far from 1, so that the complement keeps its digits.
    return _log_p(math.log1p(-math.exp(mass + _log_ratio_series(downward, below - max(0, -unmarked_left)))))


def _log_ratio_series(ratio: Callable[[FloatArray], FloatArray], terms: int) -> float:
    """Return log(1 + r0 + r0 r1 + ...) over at most `terms` falling ratios, stopping where nothing is added any more."""
    total = last = 1.0
    start, size = 0, 64
    while start < terms and last > _PRECISION * total:
        stop = min(terms, start + size)
        products = last * np.cumprod(ratio(np.arange(start, stop, dtype=np.float64)))
        total += float(products.sum())
        last = float(products[-1])
        start, size = stop, min(2 * size, 65_536)
    return math.log(total)
