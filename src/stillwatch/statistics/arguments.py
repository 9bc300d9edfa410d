"""Checks of arguments: takes a name and a value, gives the value in its plain type, or refuses it by name and range."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, SupportsFloat, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.errors import ArgumentError, TooLittleDataError

Floats: TypeAlias = Sequence[float] | NDArray[Any]
"""One-dimensional numbers, as a sequence or an array."""

FloatArray: TypeAlias = NDArray[np.float64]
"""What the functions give back."""


def whole_number(name: str, value: SupportsIndex, low: int = 0, high: int | None = None) -> int:
    """Return an integer in [low, high].

    Raises:
        ArgumentError: for a value that is not an integer or lies outside.
    """
    allowed = f"at least {low}" if high is None else f"in [{low}, {high}]"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ArgumentError(
            f"got {name} of type {type(value).__name__}, expected an integer {allowed}; pass a count"
        ) from error
    if number < low or (high is not None and number > high):
        raise ArgumentError(f"got {name}={number}, expected an integer {allowed}")
    return number


def real_number(name: str, value: SupportsFloat) -> float:
    """Return a finite float.

    Raises:
        ArgumentError: for NaN or infinity.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ArgumentError(f"got {name}={number}, expected a finite number")
    return number


def probability(name: str, value: SupportsFloat) -> float:
    """Return a float in [0, 1].

    Raises:
        ArgumentError: for anything outside, NaN included.
    """
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ArgumentError(f"got {name}={number}, expected a number in [0, 1]; pass a fraction, not a percentage")
    return number


def open_probability(name: str, value: SupportsFloat) -> float:
    """Return a float in (0, 1).

    Raises:
        ArgumentError: for anything outside, NaN included.
    """
    number = float(value)
    if not 0.0 < number < 1.0:
        raise ArgumentError(f"got {name}={number}, expected a number in (0, 1); pass a fraction, not a percentage")
    return number


def non_negative(name: str, value: SupportsFloat) -> float:
    """Return a finite float of at least 0.

    Raises:
        ArgumentError: for anything else.
    """
    number = float(value)
    if not 0.0 <= number < math.inf:
        raise ArgumentError(f"got {name}={number}, expected a finite number of at least 0")
    return number


def positive(name: str, value: SupportsFloat) -> float:
    """Return a finite float above 0.

    Raises:
        ArgumentError: for anything else.
    """
    number = float(value)
    if not 0.0 < number < math.inf:
        raise ArgumentError(f"got {name}={number}, expected a finite number above 0")
    return number


def vector(name: str, values: Floats, least: int = 1) -> FloatArray:
    """Return a new one-dimensional float64 array without NaN.

    Raises:
        TooLittleDataError: for fewer than `least` values.
        ArgumentError: for another shape or a NaN; the message gives the first position.
    """
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1:
        raise ArgumentError(f"got {name} of {array.ndim} dimensions, expected one dimension")
    if array.size < least:
        raise TooLittleDataError(f"got {array.size} values in {name}, expected at least {least}; state Inconclusive")
    missing = np.flatnonzero(np.isnan(array))
    if missing.size:
        raise ArgumentError(f"got NaN at {name}[{missing[0]}], expected a number; leave missing values out")
    return array


def finite_vector(name: str, values: Floats, least: int = 1) -> FloatArray:
    """Return a new one-dimensional float64 array of finite numbers.

    Raises:
        TooLittleDataError: for fewer than `least` values.
        ArgumentError: for another shape, NaN or infinity; the message gives the first position.
    """
    array = vector(name, values, least)
    infinite = np.flatnonzero(np.isinf(array))
    if infinite.size:
        raise ArgumentError(f"got {array[infinite[0]]} at {name}[{infinite[0]}], expected a finite number")
    return array


def non_negative_vector(name: str, values: Floats, least: int = 1) -> FloatArray:
    """Return a new one-dimensional float64 array of finite numbers of at least 0.

    Raises:
        TooLittleDataError: for fewer than `least` values.
        ArgumentError: for another shape, NaN, infinity or a negative number; the message gives the first position.
    """
    array = finite_vector(name, values, least)
    negative = np.flatnonzero(array < 0.0)
    if negative.size:
        raise ArgumentError(f"got {array[negative[0]]} at {name}[{negative[0]}], expected a number of at least 0")
    return array


def count_vector(name: str, values: Floats, least: int = 1) -> FloatArray:
    """Return counts as a new one-dimensional float64 array (exact up to 2**53).

    Raises:
        TooLittleDataError: for fewer than `least` values.
        ArgumentError: for another shape or anything but whole numbers of at least 0; the message gives the position.
    """
    array = non_negative_vector(name, values, least)
    broken = np.flatnonzero(array != np.floor(array))
    if broken.size:
        raise ArgumentError(f"got {array[broken[0]]} at {name}[{broken[0]}], expected a whole number")
    return array


def log_p_vector(name: str, values: Floats) -> FloatArray:
    """Return log p-values, each at most 0 (minus infinity allowed).

    Raises:
        TooLittleDataError: for no value.
        ArgumentError: for another shape, NaN or a positive value; the message gives the first position.
    """
    array = vector(name, values)
    above = np.flatnonzero(array > 0.0)
    if above.size:
        raise ArgumentError(
            f"got {array[above[0]]} at {name}[{above[0]}], expected at most 0; pass natural logs of p-values"
        )
    return array
