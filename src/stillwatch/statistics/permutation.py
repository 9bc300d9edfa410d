"""Permutation and Monte-Carlo p-values that are valid at every number of rounds.

Takes the observed statistic and a function that draws it once under the null. Gives a natural-log p-value.

Method: with a fixed number of rounds, (1 + k) / (1 + B) (A. Davison and D. Hinkley, "Bootstrap Methods and their
Application", 1997, Section 4.2; B. Phipson and G. Smyth 2010 on why never k / B); with early stopping, J. Besag and P. Clifford,
"Sequential Monte Carlo p-values", Biometrika 78 (1991). Assumption: under the null the observed and the drawn statistics are
exchangeable. Ties count against the observed one; a statistic should therefore be computed from integers, so that equal
arrangements give equal floats. Complexity: one draw a round.

What it does not show: the p-value cannot fall below 1 / (1 + rounds).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stillwatch.statistics.arguments import real_number, whole_number


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialPermutation:
    """Outcome of a permutation test that stops early where there is nothing to find."""

    log_p: float
    """Natural log of the p-value, at most 0."""
    rounds: int
    """Draws made."""
    exceedances: int
    """Draws at or above the observed statistic."""


def permutation_log_p(
    observed: float, draw: Callable[[np.random.Generator], float], rounds: int, rng: np.random.Generator
) -> float:
    """Return the log of (1 + k) / (1 + rounds), k being the draws at or above the observed statistic.

    Args:
        observed: finite statistic; larger speaks against the null.
        draw: draws the statistic once under the null from the generator it is given.
        rounds: at least 1.
        rng: generator; its seed belongs in the claim.

    Returns:
        log p, natural, in [-log(1 + rounds), 0].

    Raises:
        ArgumentError: for NaN or infinity, observed or drawn, or for no rounds.
    """
    observed = real_number("observed", observed)
    rounds = whole_number("rounds", rounds, low=1)
    exceedances = sum(_reaches(observed, draw, rng) for _ in range(rounds))
    return math.log1p(exceedances) - math.log1p(rounds) + 0.0


def sequential_permutation(
    observed: float,
    draw: Callable[[np.random.Generator], float],
    *,
    exceedances: int,
    rounds: int,
    rng: np.random.Generator,
) -> SequentialPermutation:
    """Draw until `exceedances` draws are at or above the observed statistic, or `rounds` draws are made.

    The p-value is exceedances / draws where it stopped early and (1 + k) / (1 + rounds) otherwise (Besag and Clifford
    1991, Section 2): valid, and as sharp as the full test where it matters.

    Args:
        observed: finite statistic; larger speaks against the null.
        draw: draws the statistic once under the null from the generator it is given.
        exceedances: at least 1, at most `rounds`; 10 or more keeps the relative error of the p-value small.
        rounds: largest number of draws, at least 1.
        rng: generator; its seed belongs in the claim.

    Returns:
        The p-value with the draws that it rests on.

    Raises:
        ArgumentError: for NaN or infinity, observed or drawn, or a number out of range.
    """
    observed = real_number("observed", observed)
    rounds = whole_number("rounds", rounds, low=1)
    exceedances = whole_number("exceedances", exceedances, low=1, high=rounds)
    reached = 0
    for made in range(1, rounds + 1):
        reached += _reaches(observed, draw, rng)
        if reached == exceedances:
            return SequentialPermutation(log_p=math.log(reached / made), rounds=made, exceedances=reached)
    log_p = math.log1p(reached) - math.log1p(rounds) + 0.0
    return SequentialPermutation(log_p=log_p, rounds=rounds, exceedances=reached)


def _reaches(observed: float, draw: Callable[[np.random.Generator], float], rng: np.random.Generator) -> bool:
    return real_number("statistic drawn under the null", draw(rng)) >= observed
