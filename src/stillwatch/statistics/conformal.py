"""Conformal p-values and e-values: how strange is a score among reference scores?

Takes a score and reference scores, larger meaning stranger. Gives natural-log p- or e-values.

Method: V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World" (2005), for the p-value; V. Vovk,
"Conformal e-prediction" (2025), and Y. Balinsky and A. Balinsky (2024) for the e-value. Assumption: under the null the score and
the reference scores are exchangeable; nothing else. Complexity: linear, or a sort for many scores.

What it does not show: the p-value cannot fall below 1 / (n + 1); p-values that share one reference set are dependent,
but positively so (S. Bates and others, "Testing for outliers with conformal p-values", Annals of Statistics 51,
2023), so that Benjamini-Hochberg holds for continuous scores. Campaigns hidden in the reference set cost power.
"""

from __future__ import annotations

import bisect
import math

import numpy as np

from stillwatch.statistics.arguments import (
    FloatArray,
    Floats,
    finite_vector,
    non_negative,
    non_negative_vector,
    real_number,
)


def conformal_log_p(score: float, reference_scores: Floats) -> float:
    """Return the log of (1 + number of reference scores at or above the score) / (n + 1).

    Args:
        score: finite; larger means stranger.
        reference_scores: finite, [n], n at least 1. Ties count against the score.

    Returns:
        log p, natural, in [-log(n + 1), 0].

    Raises:
        TooLittleDataError: for no reference score.
        ArgumentError: for NaN or infinity.
    """
    return float(conformal_log_ps([real_number("score", score)], reference_scores)[0])


def conformal_log_ps(scores: Floats, reference_scores: Floats) -> FloatArray:
    """Return `conformal_log_p` of every score against the same reference.

    Args:
        scores: finite, [m], m at least 1; larger means stranger.
        reference_scores: finite, [n], n at least 1. Ties count against the score.

    Returns:
        log p, natural, [m], each in [-log(n + 1), 0].

    Raises:
        TooLittleDataError: for no score or no reference score.
        ArgumentError: for NaN or infinity.
    """
    tested = finite_vector("scores", scores)
    reference = np.sort(finite_vector("reference_scores", reference_scores))
    at_or_above = reference.size - np.searchsorted(reference, tested, side="left")
    log_ps: FloatArray = np.log((1.0 + at_or_above) / (reference.size + 1.0))
    return log_ps


def conformal_log_e(score: float, reference_scores: Floats) -> float:
    """Return the log of (n + 1) x score / (score + sum of the reference scores).

    Under exchangeability the n + 1 values that arise by letting each score in turn be the tested one have mean 1, and the
    tested one is equally likely to be any of them.

    Args:
        score: finite, at least 0; larger means stranger.
        reference_scores: finite, at least 0, [n], n at least 1.

    Returns:
        log e, natural, at most log(n + 1); minus infinity for a score of 0, and 0 where every score is 0.

    Raises:
        TooLittleDataError: for no reference score.
        ArgumentError: for NaN, infinity or a negative score.
    """
    tested = non_negative("score", score)
    reference = non_negative_vector("reference_scores", reference_scores)
    largest = max(tested, float(reference.max()))
    if largest == 0.0:
        return 0.0
    if tested == 0.0:
        return -math.inf
    # Scores are taken relative to the largest, so that their sum cannot overflow.
    share = math.fsum([*(reference / largest), tested / largest])
    return math.log(reference.size + 1.0) + math.log(tested) - math.log(largest) - math.log(share)


def sequential_ranks(values: Floats, rng: np.random.Generator) -> FloatArray:
    """Return each value's randomised rank among itself and those before it: independent and uniform if the values are exchangeable.

    Args:
        values: finite, [n].
        rng: settles ties.

    Returns:
        In (0, 1], [n]; small where a value lies below those before it.
    """
    numbers = finite_vector("values", values)
    draws = 1.0 - rng.random(numbers.size)  # in (0, 1]
    before: list[float] = []
    ranks = np.empty(numbers.size)
    for place, (value, draw) in enumerate(zip(numbers.tolist(), draws.tolist(), strict=True)):
        lower, upto = bisect.bisect_left(before, value), bisect.bisect_right(before, value)
        ranks[place] = (lower + draw * (upto - lower + 1)) / (place + 1)
        before.insert(lower, value)
    return ranks
