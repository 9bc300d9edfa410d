"""Log tails of weighted sums of independent variables with known laws, by Chernoff's bound.

Takes non-negative weights and the observed sum. Gives an upper bound of the log p-value, natural, at most 0, that holds for every number of terms.

For S = sum w_i X_i with cumulant K(t) = sum log E exp(t w_i X_i), log P(S >= s) <= K(t) - t s for every t >= 0 (Chernoff 1952). The bound is
smallest where K'(t) = s, which is found by bisection; stopping early only makes it larger, never wrong. Where all weights are 1 and X is Bernoulli
it is exp(-n KL(s/n || gamma)), which is below Hoeffding's exp(-2 n (s/n - gamma)^2). Cost: some 60 passes over the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stillwatch.statistics.arguments import FloatArray, open_probability
from stillwatch.statistics.errors import ArgumentError

_HALVINGS = 50


def bernoulli_sum_log_p(weights: FloatArray, probability: float, statistic: float) -> float:
    """Bound log P(sum w_i X_i >= statistic) for independent X_i that are 1 with one probability.

    Args:
        weights: `[n]`, at least 0.
        probability: of a 1, in (0, 1).
        statistic: the observed sum.

    Returns:
        Upper bound of log p, natural, at most 0; log p of all ones where the statistic is the sum of the weights.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    given = _weights(weights)
    chance = open_probability("probability", probability)
    total = math.fsum(given)
    if statistic <= chance * total:
        return 0.0
    if statistic >= total * (1.0 - 1e-12):
        return float(len(given) * math.log(chance))
    rest = math.log1p(-chance) - math.log(chance)

    def slope(t: float) -> float:
        return math.fsum(given / (1.0 + np.exp(np.clip(rest - t * given, -700.0, 700.0))))

    def cumulant(t: float) -> float:
        return math.fsum(np.logaddexp(math.log1p(-chance), math.log(chance) + t * given))

    high = 1.0 / float(given.max())
    while slope(high) < statistic and high < 1e12:
        high *= 2.0
    return _bound(slope, cumulant, high, statistic)


def exponential_sum_log_p(weights: FloatArray, statistic: float) -> float:
    """Bound log P(sum w_i X_i >= statistic) for independent exponential X_i of mean 1.

    Args:
        weights: `[n]`, at least 0.
        statistic: the observed sum.

    Returns:
        Upper bound of log p, natural, at most 0.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    given = _weights(weights)
    if statistic <= math.fsum(given):
        return 0.0

    def slope(t: float) -> float:
        return math.fsum(given / (1.0 - t * given))

    def cumulant(t: float) -> float:
        return -math.fsum(np.log1p(-t * given))

    return _bound(slope, cumulant, (1.0 - 1e-12) / float(given.max()), statistic)


def _bound(slope: Callable[[float], float], cumulant: Callable[[float], float], high: float, statistic: float) -> float:
    """Halve [0, high] towards the place where the slope is the statistic, and give the bound there."""
    low = 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if slope(middle) < statistic:
            low = middle
        else:
            high = middle
    return min(0.0, cumulant(low) - low * statistic)


def _weights(weights: FloatArray) -> FloatArray:
    given = np.asarray(weights, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all() or (given < 0.0).any():
        raise ArgumentError("weights: expected one dimension of finite numbers, at least 0")
    kept = given[given > 0.0]
    if not len(kept):
        raise ArgumentError("weights: got none above 0, expected at least one")
    return kept
