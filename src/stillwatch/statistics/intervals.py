"""Intervals for a success rate and for a success count.

Takes counts. Gives (low, high).

Method: C. Clopper and E. Pearson, Biometrika 26 (1934), for an interval that covers with at least the stated confidence;
E. Wilson, JASA 22 (1927), for a short one that covers about as often as stated; and the central acceptance interval of
a binomial count by bisection of its exact tails. Assumption: independent trials of one rate. Complexity: constant, or
a logarithmic number of tails.

What it does not show: trials that hang together (exchanges of one account) carry less than their number says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from stillwatch.statistics.arguments import open_probability, probability, whole_number
from stillwatch.statistics.tails import binomial_lower_log_p, binomial_upper_log_p


def clopper_pearson(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return the exact interval for a rate: it covers with probability at least `confidence`, whatever the rate.

    Args:
        successes: in [0, trials].
        trials: at least 1.
        confidence: in (0, 1).

    Returns:
        (low, high) in [0, 1]; each side is missed with probability at most (1 - confidence) / 2.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials, low=1)
    successes = whole_number("successes", successes, high=trials)
    side = 0.5 * (1.0 - open_probability("confidence", confidence))
    failures = trials - successes
    low = float(special.betaincinv(successes, failures + 1, side)) if successes else 0.0
    # The upper end is 1 minus the lower end for failures; the complemented inverse keeps the digits of a small side.
    high = float(special.betainccinv(successes + 1, failures, side)) if failures else 1.0
    return low, high


def wilson(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval for a rate: it covers with probability near `confidence`.

    Args:
        successes: in [0, trials].
        trials: at least 1.
        confidence: in (0, 1).

    Returns:
        (low, high) in [0, 1].

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials, low=1)
    successes = whole_number("successes", successes, high=trials)
    z = -float(special.ndtri(0.5 * (1.0 - open_probability("confidence", confidence))))
    square = z * z
    failures = trials - successes
    centre = successes + 0.5 * square
    half = z * math.sqrt(successes * failures / trials + 0.25 * square)
    low = 0.0 if successes == 0 else (centre - half) / (trials + square)
    high = 1.0 if failures == 0 else (centre + half) / (trials + square)
    return low, high


def binomial_acceptance(trials: int, rate: float, error: float) -> tuple[int, int]:
    """Return the counts between which a Binomial(trials, rate) count lies with probability at least 1 - error.

    Args:
        trials: at least 0.
        rate: in [0, 1].
        error: in (0, 1), shared equally by the two sides; a calibration test uses 1e-6.

    Returns:
        (low, high), both ends accepted: P(count < low) and P(count > high) are each at most error / 2.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials)
    rate = probability("rate", rate)
    allowed = math.log(0.5 * open_probability("error", error))
    # Largest low whose lower tail P(X <= low - 1) is allowed; the tail grows with low.
    low, above = 0, trials + 1
    while above - low > 1:
        middle = (low + above) // 2
        if binomial_lower_log_p(middle - 1, trials, rate) <= allowed:
            low = middle
        else:
            above = middle
    # Smallest high whose upper tail P(X >= high + 1) is allowed; the tail falls with high.
    below, high = -1, trials
    while high - below > 1:
        middle = (below + high) // 2
        if binomial_upper_log_p(middle + 1, trials, rate) <= allowed:
            high = middle
        else:
            below = middle
    return low, high


def quantile_interval(values: Sequence[float], quantile: float, confidence: float) -> tuple[float, float]:
    """Return a distribution-free interval for a quantile, from order statistics (H. David and H. Nagaraja, 2003, 7.1).

    The number of values below the quantile is binomial, whatever the distribution; values that lie at infinity, as those of runs in which
    nothing happened, count like any other.

    Args:
        values: independent draws, at least 1, none NaN.
        quantile: in (0, 1); 0.5 for the median.
        confidence: in (0, 1).

    Returns:
        (low, high); a side is infinite where there are too few values to bound it.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    count = whole_number("values", len(values), low=1)
    error = 1.0 - open_probability("confidence", confidence)
    low, high = binomial_acceptance(count, open_probability("quantile", quantile), error)
    ordered = sorted(values)
    return ordered[low - 1] if low else -math.inf, ordered[high] if high < count else math.inf
