"""Log tails of sums of exponential variables: one scale, or two.

Takes a statistic and a count. Gives natural-log p-values, at most 0, finite for p down to 1e-100000 and beyond.

One scale: Q(n, s), the regularised upper incomplete gamma function. Two scales: for X and Y independent, each Gamma(n, 1),
P(a X + b Y >= s) = Q(n, s / b) + integral over y in (0, s / b) of the density of Y at y times Q(n, (s - b y) / a). The integrand is
log-concave (a product of log-concave functions), so it has one peak; it is integrated by Gauss-Legendre panels between the two places
at which it has fallen to e^-60 of the peak. Error relative to p: below 1e-9 (compared with 40-digit arithmetic in the tests).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stillwatch.statistics.arguments import non_negative, positive, whole_number
from stillwatch.statistics.incomplete import log_incomplete_gamma_upper
from stillwatch.statistics.log_mass import log_poisson_mass

_PANELS = 24
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NEGLIGIBLE = 60.0
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def gamma_upper_log_p(statistic: float, count: int) -> float:
    """Return log P(X >= statistic) for X ~ Gamma(count, 1), the sum of `count` exponential variables.

    Args:
        statistic: finite, at least 0.
        count: at least 0; a sum of nothing is 0.

    Returns:
        log p, natural, at most 0.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    statistic, count = non_negative("statistic", statistic), whole_number("count", count)
    if count == 0 or statistic == 0.0:
        return 0.0
    return min(0.0, log_incomplete_gamma_upper(float(count), statistic)) + 0.0


def gamma_pair_upper_log_p(statistic: float, count: int, first_scale: float, second_scale: float) -> float:
    """Return log P(a X + b Y >= statistic) for independent X, Y ~ Gamma(count, 1).

    Args:
        statistic: finite, at least 0.
        count: at least 0.
        first_scale: a, above 0.
        second_scale: b, above 0.

    Returns:
        log p, natural, at most 0.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    statistic, count = non_negative("statistic", statistic), whole_number("count", count)
    large = max(positive("first_scale", first_scale), positive("second_scale", second_scale))
    small = min(first_scale, second_scale)
    if count == 0 or statistic == 0.0:
        return 0.0
    if large == small:
        return gamma_upper_log_p(statistic / large, 2 * count)
    shape, limit = float(count), statistic / small

    def log_integrand(y: float) -> float:
        rest = max(0.0, statistic - small * y) / large
        return log_poisson_mass(shape - 1.0, y) + log_incomplete_gamma_upper(shape, rest)

    integral = _log_integral(log_integrand, limit)
    return min(0.0, float(np.logaddexp(integral, log_incomplete_gamma_upper(shape, limit)))) + 0.0


def _log_integral(log_integrand: Callable[[float], float], limit: float) -> float:
    """Integrate exp of a concave function over (0, limit); natural log."""
    low, high = limit * 1e-12, limit
    peak = _peak(log_integrand, low, high)
    floor = log_integrand(peak) - _NEGLIGIBLE
    left = low if log_integrand(low) >= floor else _crossing(log_integrand, low, peak, floor)
    right = high if log_integrand(high) >= floor else _crossing(log_integrand, high, peak, floor)
    edges = np.linspace(left, right, _PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    points = (edges[:-1, np.newaxis] + half * (1.0 + _NODES)).ravel()
    logs = np.array([log_integrand(float(point)) for point in points])
    top = float(logs.max())
    return top + math.log(float((np.exp(logs - top) * np.tile(_WEIGHTS, _PANELS)).sum()) * half)


def _peak(concave: Callable[[float], float], low: float, high: float) -> float:
    """Find about the highest point by golden sections."""
    one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_two = concave(one), concave(two)
    for _ in range(60):
        if at_one > at_two:
            high, two, at_two = two, one, at_one
            one = high - _GOLDEN * (high - low)
            at_one = concave(one)
        else:
            low, one, at_one = one, two, at_two
            two = low + _GOLDEN * (high - low)
            at_two = concave(two)
    return 0.5 * (low + high)


def _crossing(concave: Callable[[float], float], below: float, above: float, level: float) -> float:
    """Find about the place between a low and a high point at which a concave function crosses a level."""
    for _ in range(40):
        middle = 0.5 * (below + above)
        if concave(middle) < level:
            below = middle
        else:
            above = middle
    return below
