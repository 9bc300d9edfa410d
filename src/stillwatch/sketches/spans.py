"""Winnowed fingerprints of 8-word spans: they find a constant text wherever it was injected.

Takes the masked words of a text. Gives at most 12 fingerprints, ascending.

Winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003): the
smallest of every 17 consecutive 8-gram hashes is kept. Their guarantee: any constant text of at least 17 + 8 - 1 = 24
words leaves at least one fingerprint, whatever stands around it; under 8 words there is none. Of more than 12
fingerprints the 12 smallest are kept, so that two long texts keep the same ones of those they share; in a text much
longer than about 110 words the cap makes the guarantee a probability, 12 out of the number of fingerprints. Expected
density: 2 / (17 + 1) per word. Complexity: O(words).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.sketches.hashing import domain_seed, mix64
from stillwatch.sketches.kernels import inlined, kernel

GRAM_WORDS: Final = 8
WINDOW: Final = 17
MOST_SPANS: Final = 12

GRAM_SEED = np.uint64(domain_seed("span/v1"))
_BASE: Final = domain_seed("span-base/v1") | 1
GRAM_BASE = np.uint64(_BASE)
GRAM_BASE_OUT = np.uint64(pow(_BASE, GRAM_WORDS, 1 << 64))


@inlined
def write_spans(
    words: np.ndarray, count: int, grams: np.ndarray, minima: np.ndarray, out: np.ndarray, place: int
) -> int:
    """Write the fingerprints of a text's words.

    Args:
        words: uint64 [at least count].
        count: Words.
        grams: int64 [at least count], scratch memory.
        minima: int64 [at least count], scratch memory.
        out: int64, written from `place` in ascending signed order.
        place: Place of the first fingerprint.

    Returns:
        Place after the last fingerprint.
    """
    if count < GRAM_WORDS:
        return place
    rolling = np.uint64(0)
    for index in range(GRAM_WORDS - 1):
        rolling = rolling * GRAM_BASE + words[index]
    last = count - GRAM_WORDS + 1
    for index in range(last):
        rolling = rolling * GRAM_BASE + words[index + GRAM_WORDS - 1]
        if index > 0:
            rolling -= words[index - 1] * GRAM_BASE_OUT
        grams[index] = np.int64(mix64(rolling ^ GRAM_SEED, GRAM_BASE))
    if last <= WINDOW:
        return int(_keep(out, place, place, grams[:last].min()))
    # The minimum of a sliding window without branches (van Herk 1992): the grams are cut into blocks of one window; each
    # window is the end of one block, whose minima are made from the right, and the beginning of the next.
    for block in range(0, last, WINDOW):
        block_end = min(block + WINDOW, last)
        least = grams[block_end - 1]
        for index in range(block_end - 1, block - 1, -1):
            least = min(least, grams[index])
            minima[index] = least
    kept = minima[0]
    end: int = _keep(out, place, place, kept)
    least = grams[WINDOW]
    for window_end in range(WINDOW, last):
        least = grams[window_end] if window_end % WINDOW == 0 else min(least, grams[window_end])
        smallest = min(minima[window_end - WINDOW + 1], least)
        if smallest != kept:
            kept = smallest
            end = _keep(out, place, end, kept)
    return end


@kernel
def _keep(out: np.ndarray, place: int, end: int, value: int) -> int:
    """Insert a value into the ascending ones from `place`, unless it is there or too large; return their end."""
    index = end
    while index > place and out[index - 1] >= value:
        index -= 1
    if index < end and out[index] == value:
        return end
    if end - place == MOST_SPANS:
        if index == end:
            return end
        end -= 1
    for moved in range(end, index, -1):
        out[moved] = out[moved - 1]
    out[index] = value
    return end + 1
