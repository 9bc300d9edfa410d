"""The linear congruential hash of SynthID, modulo 2^64: NumPy reference and compiled kernels.

Takes tokens and keys. Gives hashes of n-grams and g-values.

The contract (transformers 5.24.0 and synthid-text 0.2.1, `accumulate_hash`): h becomes (h + datum) x 6364136223846793005 + 1. The
hash of an n-gram from any start is the hash from 0 plus start x multiplier^n, so the part that reads the tokens is the same
under every key and is computed once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel

MULTIPLIER = 6_364_136_223_846_793_005
SHIFT = 64 // 12
ROUNDS = 12
BLOCK = 2_048


def hash_rows(rows: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Hash rows of tokens `[n, m]` from a start of 0 `[n]`."""
    state = np.zeros(len(rows), dtype=np.uint64)
    for index in range(rows.shape[1]):
        state = (state + rows[:, index]) * np.uint64(MULTIPLIER) + np.uint64(1)
    return state


def start_offset(start: int, length: int) -> int:
    """Give what a start other than 0 adds to the hash of a row of this length."""
    return start * pow(MULTIPLIER, length, 2**64) % 2**64


def split(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Give 64-bit values as two words each, the upper first `[n, 2]`."""
    return np.stack([(hashes >> np.uint64(32)).astype(np.uint32), hashes.astype(np.uint32)], axis=1)


def joined(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Undo `split` `[n]`."""
    return words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]


def layered(hashes: NDArray[np.uint64], layers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Absorb each layer's key into each hash `[n, depth]`."""
    return (hashes[:, np.newaxis] + layers) * np.uint64(MULTIPLIER) + np.uint64(1)


def fixed_bits(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Give the g-values of the repaired hash: twelve more rounds, each shifted right as a signed number, then bit 30."""
    state = keys.astype(np.int64)
    one, factor = np.int64(1), np.int64(MULTIPLIER)
    for _ in range(ROUNDS):
        state = ((state + one) * factor + one) >> np.int64(SHIFT)
    return ((state >> np.int64(30)) % np.int64(2)).astype(np.float64)


@kernel
def fixed_sums(hashes: Any, offsets: Any, layers: Any) -> Any:
    """Count the g-values of 1 over all units and layers, for each key; offsets `[k]`, layers `[k, depth]`.

    Absorbing the layer's key and the first of the twelve rounds are linear until that round shifts, so the units are multiplied for both once; and of the last round
    one bit is read, so it is not shifted at all. Eleven multiplications a layer are left.
    """
    factor = np.uint64(MULTIPLIER)
    square = np.uint64(factor * factor)
    ahead = np.empty(len(hashes), dtype=np.uint64)
    for place in range(len(hashes)):
        ahead[place] = hashes[place] * square
    sums = np.zeros(len(offsets), dtype=np.int64)
    for start in range(0, len(hashes), BLOCK):
        some = ahead[start : start + BLOCK]
        for index in range(len(offsets)):
            for layer in range(layers.shape[1]):
                added = np.uint64(offsets[index] + layers[index, layer])
                constant = np.uint64(added * square + np.uint64(2) * factor + np.uint64(1))
                sums[index] += _fixed_ones(some, constant)
    return sums


@inlined
def _next(state: Any) -> Any:
    return np.int64(state * np.int64(MULTIPLIER) + np.int64(MULTIPLIER + 1))


@inlined
def _fixed_ones(ahead: Any, constant: Any) -> Any:
    """Count the g-values of 1 of one layer over up to `BLOCK` units, two of them in turn, since a product waits for the one before it."""
    half = len(ahead) // 2
    first, second = ahead[:half], ahead[half:]
    one = other = np.int64(0)
    for place in range(half):
        state = np.int64(first[place] + constant) >> np.int64(SHIFT)
        beside = np.int64(second[place] + constant) >> np.int64(SHIFT)
        for _ in range(ROUNDS - 2):
            state, beside = _next(state) >> np.int64(SHIFT), _next(beside) >> np.int64(SHIFT)
        # Bit 30 after the shift is bit 35 before it; it is added where it stands.
        one += _next(state) & np.int64(1 << 35)
        other += _next(beside) & np.int64(1 << 35)
    if len(ahead) % 2:
        state = np.int64(ahead[-1] + constant) >> np.int64(SHIFT)
        for _ in range(ROUNDS - 2):
            state = _next(state) >> np.int64(SHIFT)
        one += _next(state) & np.int64(1 << 35)
    return (one + other) >> np.int64(35)
