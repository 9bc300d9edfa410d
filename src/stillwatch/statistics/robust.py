"""Robust location and spread that are the same on every machine.

Takes numbers. Gives a spread, or one of the numbers themselves.

Method: median absolute deviation (F. Hampel 1974), breakdown point one half; the "higher" sample quantile, whose position
is computed in exact decimal arithmetic, so that 0.07 of 100 steps is step 7 and not 7.000000000000001. Complexity: a
sort; constant for the quantile of sorted values.

What it does not show: with more than half of the values equal the deviation is 0, which is no proof of no spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

import numpy as np

from stillwatch.statistics.arguments import Floats, finite_vector, probability
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError

Number = TypeVar("Number", int, float)


def median_absolute_deviation(values: Floats) -> float:
    """Return the median of the distances from the median.

    Args:
        values: finite, [n], n at least 1.

    Returns:
        Spread in the unit of the values, at least 0, not scaled; times 1.4826 it estimates a normal standard deviation.

    Raises:
        TooLittleDataError: for no value.
        ArgumentError: for NaN or infinity.
    """
    array = finite_vector("values", values)
    return float(np.median(np.abs(array - np.median(array))))


def quantile_higher(sorted_values: Sequence[Number], q: float) -> Number:
    """Return the value at position ceil(q (n - 1)) of ascending values: always one of them, never an average.

    Args:
        sorted_values: ascending, [n], n at least 1.
        q: in [0, 1], read as the decimal number that it prints as.

    Returns:
        One of the values, in its own type.

    Raises:
        TooLittleDataError: for no value.
        ArgumentError: for q outside [0, 1] or values that do not ascend.
    """
    position = quantile_position(len(sorted_values), q)
    for index, (earlier, later) in enumerate(pairwise(sorted_values), start=1):
        if not earlier <= later:
            raise ArgumentError(
                f"got sorted_values[{index}]={later} after {earlier}, expected ascending values; sort them first"
            )
    return sorted_values[position]


def quantile_position(n: int, q: float) -> int:
    """Return ceil(q (n - 1)), the position of `quantile_higher` among n ascending values.

    Args:
        n: Number of values, at least 1.
        q: in [0, 1], read as the decimal number that it prints as.

    Raises:
        TooLittleDataError: for no value.
        ArgumentError: for q outside [0, 1].
    """
    share = Fraction(repr(probability("q", q)))
    if n == 0:
        raise TooLittleDataError("got 0 values in sorted_values, expected at least 1; state Inconclusive")
    return math.ceil(share * (n - 1))
