"""E-processes: evidence that may be looked at after every observation, and stopped at whenever one likes.

Takes ranks that are uniform under the null, or hits with their null rates, in the order in which they were pre-registered. Gives the natural
log of the evidence after each. Under the null the chance that it ever reaches 1/alpha is at most alpha (J. Ville, 1939).

Method: products of bets that are fair under the null and fixed before each observation, averaged over bets of different kinds (V. Vovk and
R. Wang, "E-values: Calibration, combination and applications", Annals of Statistics 49, 2021; G. Shafer, "Testing by betting", 2021). The
bet on a rank u is epsilon u^(epsilon - 1), the power calibrator; bets that also hold back a share of the capital were tried, for the case
that few observations are what is looked for, and earned about a nat. The bet on hits is that of R. Krichevsky and V. Trofimov, IEEE
Transactions on Information Theory 27 (1981). Complexity: linear, times the number of bets.

What it does not show: a process that ends below 1 is no evidence for the null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stillwatch.statistics.arguments import FloatArray, Floats, open_probability, vector
from stillwatch.statistics.errors import ArgumentError

EXPONENTS = tuple(k / 20 for k in range(1, 20))
"""Powers of the calibrators: 0.05 bets on ranks next to 0, 0.95 on ranks a little too low."""


def rank_log_e_path(ranks: Floats, exponents: Sequence[float] = EXPONENTS) -> FloatArray:
    """Return the log evidence against "each rank is uniform given those before" after each rank.

    Args:
        ranks: in [0, 1], [n], n at least 1, in the pre-registered order; low ones speak against the null.
        exponents: each in (0, 1), fixed before the data are seen.

    Returns:
        log E after each rank, natural, [n]: the mean over the exponents of the product of exponent x rank^(exponent - 1). Plus infinity
        from a rank of 0 on.

    Raises:
        TooLittleDataError: for no rank.
        ArgumentError: for an argument outside its range.
    """
    values = vector("ranks", ranks)
    if not bool(np.all((values >= 0.0) & (values <= 1.0))):
        raise ArgumentError("got a rank outside [0, 1], expected ranks as randomised_ranks gives them")
    powers = np.array([open_probability("exponents", one) for one in exponents])
    if not powers.size:
        raise ArgumentError("got no exponent, expected at least one")
    with np.errstate(divide="ignore"):
        bets = np.log(powers)[:, None] + (powers[:, None] - 1.0) * np.log(values)[None, :]
    mixed: FloatArray = np.logaddexp.reduce(np.cumsum(bets, axis=1), axis=0) - math.log(powers.size)
    return mixed


def hit_log_e_path(hits: Sequence[bool], null_rates: Floats) -> FloatArray:
    """Return the log evidence against "each trial hits with probability at most its null rate, given those before".

    Each bet is on the rate that Krichevsky and Trofimov estimate from the trials before, (hits + 1/2) / (trials + 1), or on the null rate
    where that is higher, which is no bet.

    Args:
        hits: [n], n at least 1, in the pre-registered order.
        null_rates: each in (0, 1), [n], known before the trial.

    Returns:
        log E after each trial, natural, [n].

    Raises:
        TooLittleDataError: for no trial.
        ArgumentError: for an argument outside its range or of another length.
    """
    rates = np.array([open_probability("null_rates", rate) for rate in vector("null_rates", null_rates)])
    outcomes = np.array([bool(hit) for hit in hits])
    if outcomes.size != rates.size:
        raise ArgumentError(f"got {outcomes.size} hits for {rates.size} null rates, expected one for each")
    before = np.concatenate([[0.0], np.cumsum(outcomes)[:-1]])
    bet = np.maximum(rates, (before + 0.5) / (np.arange(outcomes.size) + 1.0))
    gains = np.where(outcomes, np.log(bet) - np.log(rates), np.log1p(-bet) - np.log1p(-rates))
    path: FloatArray = np.cumsum(gains)
    return path


def ever_log_p(path: Floats) -> float:
    """Return the log of an anytime-valid p-value, 1 over the largest evidence so far (Ville), at most 0.

    Raises:
        TooLittleDataError: for no step.
        ArgumentError: for NaN.
    """
    return min(0.0, -float(vector("path", path).max())) + 0.0


def first_crossing(path: Floats, log_threshold: float) -> int | None:
    """Return after how many observations the evidence first reached the threshold, from 1; null where it never did.

    Raises:
        TooLittleDataError: for no step.
        ArgumentError: for NaN.
    """
    reached = np.flatnonzero(vector("path", path) >= log_threshold)
    return int(reached[0]) + 1 if reached.size else None
