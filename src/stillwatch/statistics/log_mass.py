"""Log probability masses that stay exact for counts up to 1e9 and masses down to 1e-100000 and beyond.

Takes real arguments, so that the same functions carry the incomplete beta and gamma functions. Gives natural logs.

Method: the saddle-point expansion of C. Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000). Each
mass is split into a deviance, which is near 0 where the mass is large, and the error of Stirling's formula, which is
small; the naive sum of log-gamma terms loses as many digits as n has. Constant cost.
"""

from __future__ import annotations

import math

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_STIRLING_FROM = 15.0
"""From here five terms of Stirling's series are exact to double precision; below, log-gamma itself loses no digits."""


def stirling_error(x: float) -> float:
    """Return log Gamma(x + 1) minus Stirling's approximation of it.

    Args:
        x: number above 0.

    Returns:
        The error, above 0, about 1 / (12 x) for large x.
    """
    if x < _STIRLING_FROM:
        return math.lgamma(x + 1.0) - (x + 0.5) * math.log(x) + x - _HALF_LOG_TWO_PI
    square = x * x
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / x


def deviance(x: float, mean: float) -> float:
    """Return x log(x / mean) + mean - x without cancellation where x is near the mean.

    Args:
        x: number above 0.
        mean: number above 0.

    Returns:
        The deviance, at least 0, in nats.
    """
    difference = x - mean
    if abs(difference) >= 0.1 * (x + mean):
        # Split logs, because the ratio itself under- or overflows where one of the two is extreme.
        return x * (math.log(x) - math.log(mean)) + mean - x
    ratio = difference / (x + mean)
    total = difference * ratio
    term = 2.0 * x * ratio
    square = ratio * ratio
    order = 1
    while True:
        term *= square
        order += 2
        following = total + term / order
        if following == total:
            return total
        total = following


def log_binomial_mass(successes: float, failures: float, rate: float, other_rate: float) -> float:
    """Return log of Gamma(n + 1) / (Gamma(s + 1) Gamma(f + 1)) rate^s other_rate^f with n = s + f.

    Args:
        successes: s, real, at least 0.
        failures: f, real, at least 0.
        rate: in (0, 1].
        other_rate: 1 - rate, passed apart because it holds digits that 1 - rate would lose.

    Returns:
        Natural log of the mass.
    """
    if successes == 0.0:
        return failures * _log_rate(other_rate, rate) if failures else 0.0
    if failures == 0.0:
        return successes * _log_rate(rate, other_rate)
    trials = successes + failures
    correction = stirling_error(trials) - stirling_error(successes) - stirling_error(failures)
    misfit = deviance(successes, trials * rate) + deviance(failures, trials * other_rate)
    scale = 0.5 * (math.log(trials) - math.log(successes) - math.log(failures)) - _HALF_LOG_TWO_PI
    return correction - misfit + scale


def log_poisson_mass(count: float, mean: float) -> float:
    """Return log of mean^count exp(-mean) / Gamma(count + 1).

    Args:
        count: real, at least 0.
        mean: above 0.

    Returns:
        Natural log of the mass.
    """
    if count == 0.0:
        return -mean
    return -stirling_error(count) - deviance(count, mean) - 0.5 * math.log(count) - _HALF_LOG_TWO_PI


def log_hypergeometric_mass(hits: int, population: int, marked: int, drawn: int) -> float:
    """Return log of C(marked, hits) C(population - marked, drawn - hits) / C(population, drawn).

    Args:
        hits: within the support.
        population: at least 1.
        marked: in [0, population].
        drawn: in [0, population].

    Returns:
        Natural log of the mass; at most 0.
    """
    if drawn in {0, population}:
        return 0.0
    # The three binomial masses share one rate, which cancels; it is chosen so that each stays large.
    rate = drawn / population
    other_rate = (population - drawn) / population
    unmarked_hits = drawn - hits
    return (
        log_binomial_mass(hits, marked - hits, rate, other_rate)
        + log_binomial_mass(unmarked_hits, population - marked - unmarked_hits, rate, other_rate)
        - log_binomial_mass(drawn, population - drawn, rate, other_rate)
    )


def _log_rate(rate: float, other_rate: float) -> float:
    return math.log1p(-other_rate) if other_rate < 0.5 else math.log(rate)
