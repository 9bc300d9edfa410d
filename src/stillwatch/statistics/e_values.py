"""E-values in log space: calibration, combination, and a likelihood-ratio e-value for success counts.

Takes natural-log p-values, natural-log e-values or counts. Gives natural-log e-values: an e-value is a non-negative
statistic whose expectation under the null is at most 1, so that P(e >= 1/alpha) <= alpha (Markov).

Method: calibration, arithmetic mean and product as in V. Vovk and R. Wang, "E-values: Calibration, combination and
applications", Annals of Statistics 49 (2021); the count e-value is the mixture likelihood ratio, a test martingale
(H. Robbins 1970; G. Shafer, "Testing by betting", 2021). All sums are correctly rounded, so that order is immaterial.
Complexity: linear.

What it does not show: an e-value below 1 is no evidence for the null, and the product needs independence that a mean
does not.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special

from stillwatch.statistics.arguments import (
    FloatArray,
    Floats,
    log_p_vector,
    non_negative_vector,
    positive,
    probability,
    vector,
    whole_number,
)
from stillwatch.statistics.errors import ArgumentError
from stillwatch.statistics.incomplete import log_incomplete_beta
from stillwatch.statistics.log_mass import log_binomial_mass

_SERIES_TERMS = 20
JEFFREYS: Final = 0.5
"""Both parameters of Jeffreys' prior for a rate: it reaches rates of every order of magnitude, tiny ones included."""


def calibrate_log_p(log_p: float) -> float:
    """Turn a p-value into an e-value by the mixture calibrator (1 - p + p ln p) / (p (ln p)^2).

    The calibrator is the integral of k p^(k - 1) over k in (0, 1) (Vovk and Wang 2021, Section 2): it is admissible and
    needs no parameter. With u = -ln p it equals (exp(u) - 1 - u) / u^2, which is the form computed here.

    Args:
        log_p: natural log of a valid p-value, at most 0; minus infinity allowed.

    Returns:
        log e, natural: log(1/2) at p = 1, about -log p - 2 log(-log p) for small p, plus infinity at p = 0.

    Raises:
        ArgumentError: for NaN or a positive value.
    """
    u = -float(log_p_vector("log_p", [log_p])[0])
    if u < 1.0:
        # (exp(u) - 1 - u) / u^2 = 1/2! + u/3! + u^2/4! + ..., where the closed form would cancel.
        series = 0.0
        for order in range(_SERIES_TERMS, 1, -1):
            series = series * u + 1.0 / math.factorial(order)
        return math.log(series)
    if math.isinf(u):
        return math.inf
    return u + math.log1p(-(1.0 + u) * math.exp(-u)) - 2.0 * math.log(u)


def markov_log_p(log_e: float) -> float:
    """Turn an e-value into a p-value, min(1, 1/e): the only admissible way (Vovk and Wang 2021, Section 2).

    Args:
        log_e: natural log of an e-value.

    Returns:
        log p, natural, at most 0.

    Raises:
        ArgumentError: for NaN.
    """
    return min(0.0, -float(vector("log_e", [log_e])[0])) + 0.0


def mean_log_e(log_es: Floats, weights: Floats | None = None) -> float:
    """Combine e-values for one null by their weighted arithmetic mean: valid under any dependence.

    The arithmetic mean essentially dominates every other symmetric combination under arbitrary dependence (Vovk and
    Wang 2021, Section 3).

    Args:
        log_es: natural logs of e-values, [n], n at least 1.
        weights: non-negative, [n], not all 0, chosen without looking at the e-values; scaled to sum 1. Equal if left
            out.

    Returns:
        log e of the mean, natural.

    Raises:
        TooLittleDataError: for no e-value.
        ArgumentError: for NaN, other lengths or weights that are negative or all 0.
    """
    values = vector("log_es", log_es)
    shares = np.ones_like(values) if weights is None else non_negative_vector("weights", weights)
    if shares.size != values.size:
        raise ArgumentError(f"got {shares.size} weights for {values.size} log_es, expected one weight for each")
    total = math.fsum(shares)
    if total <= 0.0:
        raise ArgumentError("got weights that are all 0, expected at least one above 0")
    counted = shares > 0.0
    return _log_weighted_sum(values[counted], shares[counted]) - math.log(total)


def product_log_e(log_es: Floats) -> float:
    """Combine e-values for one null by their product: valid if independent, or if each is valid given those before.

    Args:
        log_es: natural logs of e-values, [n], n at least 1.

    Returns:
        log e of the product, natural. A single e-value of 0 makes it 0, whatever the others are.

    Raises:
        TooLittleDataError: for no e-value.
        ArgumentError: for NaN.
    """
    values = vector("log_es", log_es)
    if bool(np.any(np.isneginf(values))):
        return -math.inf
    return math.fsum(values)


def minimum_log_e(log_es: Floats) -> float:
    """Combine e-values for several nulls into one for their union, by the smallest: valid under any dependence.

    Whichever of the nulls is true, the smallest e-value is at most the e-value of that null, whose expectation is at
    most 1 (the intersection-union argument). Large only if every explanation is rejected.

    Args:
        log_es: natural logs of e-values, one for each null, [n], n at least 1.

    Returns:
        log e, natural.

    Raises:
        TooLittleDataError: for no e-value.
        ArgumentError: for NaN.
    """
    return float(vector("log_es", log_es).min())


def bernoulli_log_e(
    successes: int,
    trials: int,
    null_rate: float,
    *,
    prior_successes: float = JEFFREYS,
    prior_failures: float = JEFFREYS,
) -> float:
    """E-value for H0: each trial succeeds with probability at most `null_rate`, given all trials before it.

    The likelihood ratio of rate r against `null_rate`, averaged over r by a Beta prior cut to (null_rate, 1]. For every
    such r one trial multiplies the ratio by 1 + (x - null_rate)(r - null_rate) / (null_rate (1 - null_rate)) on average,
    with x the true conditional probability; that is at most 1 for x <= null_rate. Hence a test supermartingale: valid at
    any stopping time and for trials of differing, dependent success probabilities.

    Args:
        successes: in [0, trials].
        trials: at least 0.
        null_rate: largest success probability under H0, in [0, 1].
        prior_successes: first Beta parameter, above 0; fixed before the data are seen.
        prior_failures: second Beta parameter, above 0; fixed before the data are seen.

    Returns:
        log e, natural; 0 for no trials or a null rate of 1, plus infinity for a success that H0 calls impossible.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials)
    successes = whole_number("successes", successes, high=trials)
    null_rate = probability("null_rate", null_rate)
    prior = positive("prior_successes", prior_successes), positive("prior_failures", prior_failures)
    return _truncated_mixture_log_e(successes, trials - successes, null_rate, 1.0 - null_rate, prior)


def bernoulli_lower_log_e(
    successes: int,
    trials: int,
    null_rate: float,
    *,
    prior_successes: float = JEFFREYS,
    prior_failures: float = JEFFREYS,
) -> float:
    """E-value for H0: each trial succeeds with probability at least `null_rate`, given all trials before it.

    The mirror image of `bernoulli_log_e`: the prior is cut to [0, null_rate).

    Args:
        successes: in [0, trials].
        trials: at least 0.
        null_rate: smallest success probability under H0, in [0, 1].
        prior_successes: first Beta parameter, above 0; fixed before the data are seen.
        prior_failures: second Beta parameter, above 0; fixed before the data are seen.

    Returns:
        log e, natural; 0 for no trials or a null rate of 0, plus infinity for a failure that H0 calls impossible.

    Raises:
        ArgumentError: for an argument outside its range.
    """
    trials = whole_number("trials", trials)
    successes = whole_number("successes", successes, high=trials)
    null_rate = probability("null_rate", null_rate)
    prior = positive("prior_failures", prior_failures), positive("prior_successes", prior_successes)
    return _truncated_mixture_log_e(trials - successes, successes, 1.0 - null_rate, null_rate, prior)


def _truncated_mixture_log_e(
    successes: int, failures: int, null: float, other: float, prior: tuple[float, float]
) -> float:
    """Log of the integral of r^s (1 - r)^f over the cut prior, divided by null^s other^f; `other` is 1 - null."""
    a, b = prior
    if successes + failures == 0 or other <= 0.0:
        return 0.0
    if null <= 0.0:
        return math.inf if successes else float(special.betaln(a, b + failures) - special.betaln(a, b))
    after_a, after_b = a + successes, b + failures
    # log B(a', b') - s log null - f log other, written through a binomial mass so that no digits cancel.
    ratio = (
        math.log(after_a + after_b)
        - math.log(after_a)
        - math.log(after_b)
        - log_binomial_mass(after_a, after_b, null, other)
        + a * math.log(null)
        + b * math.log(other)
    )
    posterior = ratio + log_incomplete_beta(after_b, after_a, other, null)
    return posterior - float(special.betaln(a, b)) - log_incomplete_beta(b, a, other, null)


def _log_weighted_sum(values: FloatArray, shares: FloatArray) -> float:
    """Log of the sum of shares times exp(values); the largest is taken out, so that nothing overflows."""
    largest = float(values.max())
    if math.isinf(largest):
        return largest
    return largest + math.log(math.fsum(shares * np.exp(values - largest)))
