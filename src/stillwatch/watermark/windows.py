"""Windows of tokens, and 64-bit fingerprints of rows.

Takes tokens. Gives views of n consecutive ones, and a fingerprint of each row by which equal rows are found.

Two different rows share a fingerprint with probability 2^-64. De-duplication drops one of the two in that case, by a rule that
knows no key: the p-value stays valid and one token of 10^9 is lost. Equal rows always share it, so none is counted twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel


def windows(tokens: NDArray[np.uint32], width: int, count: int) -> NDArray[np.uint32]:
    """Give the first `count` windows of `width` tokens as rows `[count, width]`; a view where width is above 0."""
    if width == 0:
        return np.empty((count, 0), dtype=np.uint32)
    return np.lib.stride_tricks.sliding_window_view(tokens, width)[:count]


def fingerprints(rows: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Give a 64-bit fingerprint of every row `[n]`; rows of two words or fewer have one each, so nothing is merged."""
    count, width = rows.shape
    if width == 0:
        return np.zeros(count, dtype=np.uint64)
    if width <= 2:
        packed = rows[:, 0].astype(np.uint64)
        return packed << np.uint64(32) | rows[:, 1] if width == 2 else packed
    result: NDArray[np.uint64] = _fingerprints(rows)
    return result


@inlined
def scrambled(value: Any) -> Any:
    """Mix 64 bits so that every bit of the input changes half of the output (Stafford's variant 13, a bijection)."""
    value = np.uint64((value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
    value = np.uint64((value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB))
    return np.uint64(value ^ (value >> np.uint64(31)))


@kernel
def _fingerprints(rows: Any) -> Any:
    count, width = rows.shape
    result = np.empty(count, dtype=np.uint64)
    for place in range(count):
        state = np.uint64(0x6A09E667F3BCC909) ^ np.uint64(width)
        for index in range(width):
            state = scrambled(np.uint64(state + np.uint64(rows[place, index]) * np.uint64(0x9E3779B97F4A7C15)))
        result[place] = state
    return result


@kernel
def scramble(values: Any) -> Any:
    """Scramble many 64-bit values: neighbours end far apart, so that the top bits can choose a partition."""
    result = np.empty(len(values), dtype=np.uint64)
    for place in range(len(values)):
        result[place] = scrambled(values[place])
    return result
