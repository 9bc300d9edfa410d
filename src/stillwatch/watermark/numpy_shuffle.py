"""NumPy's shuffle of a mask, compiled: several times as fast as `Generator.shuffle`, which moves each element through a buffer.

Takes the 64-bit words that NumPy's own generator draws. Gives how many tokens fall on the part of a shuffled mask that was set.

The contract (NumPy 2.4, `numpy/random/_generator.pyx` and `src/distributions/distributions.c`): for i from n - 1 down to 1, element i is swapped with
one of 0 to i. Its place is a 32-bit number under the least mask of ones that covers i, drawn again while it is above i. Of each 64-bit word the lower
half is used first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stillwatch.watermark.kernels import kernel


def words_for(size: int) -> int:
    """Give the 64-bit words after which a shuffle of so many elements has ended, but for a chance below 1e-9.

    Place i takes (mask + 1) / (i + 1) draws on average, and their number is geometric, with a variance of at most 2.
    """
    draws = sum(
        (1 << bits) * math.log(min(size, 1 << bits) / (1 << bits - 1)) for bits in range(1, (size - 1).bit_length() + 1)
    )
    return math.ceil((draws + 7.0 * math.sqrt(2.0 * size)) / 2.0) + 64


@kernel
def green_count(drawn: Any, tokens: Any, size: Any, head: Any) -> Any:
    """Count the tokens on the list that a shuffle gives.

    Args:
        drawn: words of the generator, uint64 [k].
        tokens: below `size`, uint32 [n].
        size: elements of the mask, 2 to 2^32.
        head: elements that are set, the first ones before the shuffle.

    Returns:
        0 to n; -1 where the words ran out.
    """
    mask = np.zeros(size, dtype=np.uint8)
    mask[:head] = 1
    place = np.uint64(size - 1)
    cover = np.uint64(1)
    while cover < place:
        cover = np.uint64(cover << np.uint64(1)) | np.uint64(1)
    for word in drawn:
        for half in range(2):
            # A number that is too large swaps a place with itself: a branch on it would be foreseen half of the time.
            number = np.uint64(word >> np.uint64(32 * half)) & cover
            fits = number <= place
            other = number if fits else place
            mask[place], mask[other] = mask[other], mask[place]
            place -= np.uint64(fits)
            if place <= cover >> np.uint64(1):
                if place == 0:
                    return _count(mask, tokens)
                cover >>= np.uint64(1)
    return np.int64(-1)


@kernel
def _count(mask: Any, tokens: Any) -> Any:
    total = np.int64(0)
    for token in tokens:
        total += np.int64(mask[token])
    return total
