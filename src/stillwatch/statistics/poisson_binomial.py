"""Number of hits among trials that differ in their rates: exact tails, and an interval for how much more often than chance.

Takes hits and the null rate of each trial. Gives natural-log p-values, or (low, high).

Method: the recursion of trial after trial (R. Barlow and K. Heidtmann, IEEE Transactions on Reliability 33, 1984), in log space, so that no
tail underflows. Assumption: independent trials. Complexity: trials x hits.

What it does not show: trials that hang together carry less than their number says.
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.statistics.arguments import FloatArray, Floats, open_probability, probability, vector, whole_number

_HALVINGS = 60


def poisson_binomial_upper_log_p(hits: int, rates: Floats) -> float:
    """Return log P(X >= hits) for X the number of hits in independent trials of these rates.

    Args:
        hits: in [0, n].
        rates: each in [0, 1], [n], n at least 1.

    Returns:
        log p, natural, at most 0; minus infinity where so many hits are impossible.

    Raises:
        TooLittleDataError: for no trial.
        ArgumentError: for an argument outside its range.
    """
    chances = np.array([probability("rates", rate) for rate in vector("rates", rates)])
    hits = whole_number("hits", hits, high=chances.size)
    if hits == 0:
        return 0.0
    # counts[j] is log P(j hits so far) for j < hits; `reached` is log P(hits or more).
    counts: FloatArray = np.full(hits, -math.inf)
    counts[0] = 0.0
    reached = -math.inf
    with np.errstate(divide="ignore"):
        logs, others = np.log(chances), np.log1p(-chances)
    for hit, miss in zip(logs, others, strict=True):
        reached = float(np.logaddexp(reached, counts[-1] + hit))
        counts[1:] = np.logaddexp(counts[1:] + miss, counts[:-1] + hit)
        counts[0] += miss
    return min(0.0, reached) + 0.0


def poisson_binomial_lower_log_p(hits: int, rates: Floats) -> float:
    """Return log P(X <= hits) for X the number of hits in independent trials of these rates.

    Args:
        hits: in [0, n].
        rates: each in [0, 1], [n], n at least 1.

    Raises:
        TooLittleDataError: for no trial.
        ArgumentError: for an argument outside its range.
    """
    chances = vector("rates", rates)
    misses = chances.size - whole_number("hits", hits, high=chances.size)
    return poisson_binomial_upper_log_p(misses, 1.0 - chances)


def known_share_interval(hits: int, null_rates: Floats, confidence: float) -> tuple[float, float]:
    """Return an exact interval for the share of trials that hit for a reason, all others hitting by chance.

    A trial then hits with probability rate + share x (1 - rate); the interval holds the shares that neither tail rejects (C. Clopper and
    E. Pearson, Biometrika 26, 1934).

    Args:
        hits: in [0, n].
        null_rates: each in [0, 1), [n], n at least 1.
        confidence: in (0, 1).

    Returns:
        (low, high) in [0, 1].

    Raises:
        TooLittleDataError: for no trial.
        ArgumentError: for an argument outside its range.
    """
    rates = vector("null_rates", null_rates)
    allowed = math.log(0.5 * (1.0 - open_probability("confidence", confidence)))

    def rejected_from_below(share: float) -> bool:
        return poisson_binomial_upper_log_p(hits, rates + share * (1.0 - rates)) <= allowed

    def rejected_from_above(share: float) -> bool:
        return poisson_binomial_lower_log_p(hits, rates + share * (1.0 - rates)) <= allowed

    low = 0.0
    if rejected_from_below(0.0):
        low, above = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + above)
            low, above = (middle, above) if rejected_from_below(middle) else (low, middle)
    high = 1.0
    if rejected_from_above(1.0):
        below, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (below + high)
            below, high = (below, middle) if rejected_from_above(middle) else (middle, high)
    return low, high
