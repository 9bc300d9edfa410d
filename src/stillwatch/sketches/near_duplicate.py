"""MinHash of word 3-shingles, and the band keys by which near-duplicates meet.

Takes the masked words of a text. Gives a signature of 64 (or 128) bins, and 16 keys of 4 bins each.

The signature is made by one-permutation hashing: one hash per shingle chooses a bin, and each bin keeps its smallest
value (Li, Owen and Zhang, "One permutation hashing", NIPS 2012). Short texts leave bins empty; these are densified by
hashing the shingles again in further rounds, where a value of an earlier round always counts as smaller, and bins that
are empty even then get an own pass each (Dahlgaard, Knudsen and Thorup, "Fast similarity sketching", FOCS 2017). Copying
from other bins instead (Shrivastava, "Optimal densification for fast and accurate minwise hashing", ICML 2017) is as
fast, but ties the bins of a short prompt to each other, which widens the spread of the band collisions.

Assumption: the shingle hash behaves as a random function; then each bin of two texts is equal with probability the
Jaccard similarity J of their shingle sets, and the bins are (nearly) independent. With 16 bands of 4 rows, two texts
share a band with probability 1 - (1 - J^4)^16: 0.99 at J = 0.7, 0.12 at J = 0.3. Complexity: expected
O(words + bins log bins). It shows shared wording, not shared origin: public templates collide as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.sketches.errors import SketchError
from stillwatch.sketches.hashing import domain_seed, hash_span, mix64
from stillwatch.sketches.kernels import inlined, kernel
from stillwatch.sketches.normalise import CHARACTERS, Characters, fold_text, make_scratch
from stillwatch.sketches.shape import masked_words
from stillwatch.sketches.text_column import text_array

BINS: Final = 64
BANDS: Final = 16
ROWS: Final = BINS // BANDS
SHINGLE_WORDS: Final = 3
ROUNDS: Final = 16
"""Rounds in which a shingle's hash chooses the bin; bins empty after them get a pass of their own."""

SHINGLE_SEED = np.uint64(domain_seed("shingle/v1"))
BAND_SEED = np.uint64(domain_seed("band/v1"))
ROUND_SEEDS = np.array([domain_seed(f"shingle-round/v1/{number}") for number in range(ROUNDS)], dtype=np.uint64)
BIN_SEEDS = np.array([domain_seed(f"shingle-bin/v1/{number}") for number in range(128)], dtype=np.uint64)
# Odd multipliers of the polynomial over the three words of a shingle.
_FIRST = np.uint64(domain_seed("shingle-first/v1") | 1)
_SECOND = np.uint64(domain_seed("shingle-second/v1") | 1)

_VALUE_BITS: Final = 57
_VALUE_MASK = np.uint64((1 << _VALUE_BITS) - 1)
_ROUND_SHIFT = np.uint64(_VALUE_BITS)
_EMPTY = np.uint64((1 << 64) - 1)


@inlined
def minhash(words: np.ndarray, count: int, bins: int, shingles: np.ndarray, signature: np.ndarray) -> None:
    """Write the signature of the 3-shingles of a text's words.

    Args:
        words: uint64 [at least count].
        count: Words, 3 or more.
        bins: 64 or 128.
        shingles: uint64 [at least count], scratch memory.
        signature: uint64 [bins], written.
    """
    shift = np.uint64(58 if bins == 64 else 57)
    for place in range(bins):
        signature[place] = _EMPTY
    last = count - SHINGLE_WORDS + 1
    for index in range(last):
        shingles[index] = words[index] * _FIRST + words[index + 1] * _SECOND + words[index + 2]
    first_empty = 0
    for number in range(ROUNDS):
        seed = ROUND_SEEDS[number]
        mark = np.uint64(number) << _ROUND_SHIFT
        for index in range(last):
            value = mix64(shingles[index] ^ seed, SHINGLE_SEED)
            place = value >> shift
            signature[place] = min(signature[place], mark | (value & _VALUE_MASK))
        while first_empty < bins and signature[first_empty] != _EMPTY:
            first_empty += 1
        if first_empty == bins:
            return
    mark = np.uint64(ROUNDS) << _ROUND_SHIFT
    for place in range(first_empty, bins):
        if signature[place] == _EMPTY:
            for index in range(last):
                value = mix64(shingles[index] ^ BIN_SEEDS[place], SHINGLE_SEED)
                signature[place] = min(signature[place], mark | (value & _VALUE_MASK))


@inlined
def write_bands(signature: np.ndarray, out: np.ndarray, place: int) -> int:
    """Write the band keys of a signature.

    Args:
        signature: uint64 [64].
        out: int64, written from `place`.
        place: Place of the first key.

    Returns:
        Place after the last key.
    """
    values = signature.view(np.uint8)
    for band in range(BANDS):
        key = hash_span(values, 8 * ROWS * band, 8 * ROWS, BAND_SEED ^ np.uint64(band))
        out[place + band] = np.int64(key)
    return place + BANDS


@kernel
def _signatures(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, bins: int, characters: Characters, out: np.ndarray
) -> None:
    """Write one signature per text; all ones where there are fewer than three words."""
    scratch = make_scratch()
    shingles = np.empty(scratch.words.shape[0], dtype=np.uint64)
    for row in range(out.shape[0]):
        out[row] = _EMPTY
        if not valid[row]:
            continue
        folded_bytes, runs, specials = fold_text(data, offsets[row], offsets[row + 1], characters, scratch)
        count = masked_words(folded_bytes, runs, specials, scratch)
        if count >= SHINGLE_WORDS:
            minhash(scratch.words, count, bins, shingles, out[row])


def signatures(texts: pa.Array, *, bins: int = BINS) -> np.ndarray:
    """Return the MinHash signatures of texts.

    Args:
        texts: String array [n].
        bins: 64 or 128.

    Returns:
        uint64 [n, bins]; a row of all ones for a null or a text under three masked words.

    Raises:
        SketchError: for another number of bins.
    """
    if bins not in (64, 128):
        raise SketchError(f"signature: got {bins} bins, expected 64 or 128")
    column = text_array(texts, name="texts")
    out = np.empty((len(texts), bins), dtype=np.uint64)
    _signatures(column.data, column.offsets, column.valid, bins, CHARACTERS, out)
    return out


def band_keys(signature: np.ndarray) -> list[int]:
    """Return the 16 band keys of one signature, as the `bands` column holds them.

    Args:
        signature: uint64 [64].
    """
    out = np.empty(BANDS, dtype=np.int64)
    write_bands(np.ascontiguousarray(signature), out, 0)
    return [int(key) for key in out]


def estimate_jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """Return the estimated Jaccard similarity of two texts' shingle sets, in [0, 1].

    Args:
        left: uint64 [bins].
        right: uint64 [bins].
    """
    return float(np.mean(left == right))
