"""Counter-based randomness: every choice is a pure function of keys, so that chunk size and order change nothing.

Takes 64-bit keys (seed, stream, ordinal, purpose). Gives 64-bit hashes, uniform and normal deviates.
The mixer is the finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014); O(1) per value. It does not give cryptographic strength.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Keys = NDArray[np.uint64]
Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Purpose(IntEnum):
    """What a deviate is used for: two purposes never share a deviate."""

    ACTIVITY = 1
    SESSION = 2
    HOUR = 3
    MINUTE = 4
    GAP = 5
    RHYTHM = 6
    CONTENT = 7
    ITEM = 8
    SCAFFOLD = 9
    PLACE = 10
    MIXTURE = 11
    ADDRESS = 12
    AGENT = 13
    MODEL = 14
    PARAMETER = 15
    OUTPUT = 16
    REASONING = 17
    LATENCY = 18
    STATUS = 19
    EXCHANGE = 20
    SESSION_ID = 21
    TURNS = 22
    RESPONSE = 23
    BLOCK = 24
    FORMAT = 25
    COUNT = 26
    KEY = 27
    SHIFT = 28
    STREAMING = 29
    REST = 30
    DEPTH = 31
    PASTE = 32


def _finalise(value: Keys) -> Keys:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


def as_keys(value: ArrayLike) -> Keys:
    """Give any integers as an at least one-dimensional array of 64-bit keys."""
    array = np.atleast_1d(np.asarray(value))
    return array if array.dtype == np.uint64 else array.astype(np.int64).view(np.uint64)


def mix(*parts: ArrayLike) -> Keys:
    """Hash keys into one key per row.

    Args:
        parts: integers, arrays `[n]` or scalars that broadcast.

    Returns:
        Hashes, uint64 `[n]` (at least one row).
    """
    state = as_keys(parts[0])
    for part in parts[1:]:
        state = _finalise(state * _GOLDEN + as_keys(part))
    return _finalise(state + _GOLDEN)


def unit(hashes: Keys) -> Reals:
    """Uniform deviates in [0, 1) from hashes, 53 bits."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(hashes: Keys) -> Reals:
    """Standard normal deviates from hashes, by inversion."""
    return np.asarray(ndtri(unit(hashes) + 2.0**-54), dtype=np.float64)


def below(hashes: Keys, limit: ArrayLike) -> Integers:
    """Integers in [0, limit) from hashes; the bias is below 2^-32 for limits below 2^31.

    Args:
        hashes: uint64 `[n]`.
        limit: positive integers below 2^31, `[n]` or a scalar.
    """
    high = hashes >> np.uint64(32)
    return ((high * as_keys(limit)) >> np.uint64(32)).astype(np.int64)
