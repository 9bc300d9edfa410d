"""MurmurHash3 over 32-bit words, as SGLang's marks use it: NumPy reference and compiled kernels.

Takes context hashes, tokens and keys. Gives hashes, Gumbel sums and green counts.

The contract (SGLang 0.5.23, `srt/sampling/watermarking/detector.py`): the hash of words w1..wn begins at 0, mixes each word,
and is finished with the length in bytes. Context hash = hash of the h tokens. Token hash = hash of (low word of the key, high
word, context hash, token), and u = (hash + 1/2) / 2^32. Not a cryptographic function: who sees many tokens may find the key.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel, log_product

LANES = 64
ROWS = 30
"""Factors multiplied before one logarithm: 30 of at least 2^-33 stay above the smallest normal double."""
BLOCK = LANES * ROWS

_FIRST = np.uint32(0xCC9E2D51)
_SECOND = np.uint32(0x1B873593)
_ADD = np.uint32(0xE6546B64)
_FINISH_ONE = np.uint32(0x85EBCA6B)
_FINISH_TWO = np.uint32(0xC2B2AE35)
_SCALE = 2.0**-32

# --- reference ------------------------------------------------------------------------------------------------------


def hash_words(columns: list[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """Hash rows that are given by their columns, each `[n]`."""
    state = np.zeros_like(columns[0])
    for column in columns:
        value = column * _FIRST
        value = (value << np.uint32(15) | value >> np.uint32(17)) * _SECOND
        state = state ^ value
        state = (state << np.uint32(13) | state >> np.uint32(19)) * np.uint32(5) + _ADD
    state = state ^ np.uint32(4 * len(columns))
    state = (state ^ state >> np.uint32(16)) * _FINISH_ONE
    state = (state ^ state >> np.uint32(13)) * _FINISH_TWO
    return state ^ state >> np.uint32(16)


def hash_contexts(contexts: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Hash rows of tokens `[n, h]` to `[n]`; the same under every key. Compiled, for corpora; `hash_words` is the reference."""
    result: NDArray[np.uint32] = _hash_rows(np.ascontiguousarray(contexts))
    return result


def hash_units(words: NDArray[np.uint32], key: int) -> NDArray[np.uint32]:
    """Hash (context hash, token) rows `[n, 2]` under a 64-bit key."""
    low = np.full(len(words), key & 0xFFFFFFFF, dtype=np.uint32)
    high = np.full(len(words), key >> 32, dtype=np.uint32)
    return hash_words([low, high, words[:, 0], words[:, 1]])


def position_coins(contexts: NDArray[np.uint32], first: int, second: int) -> NDArray[np.uint32]:
    """Hash context hashes `[n]` under two keys: what decides which of the two marks a place."""
    parts = (first & 0xFFFFFFFF, first >> 32, second & 0xFFFFFFFF, second >> 32)
    return hash_words([*(np.full(len(contexts), part, dtype=np.uint32) for part in parts), contexts])


# --- kernels --------------------------------------------------------------------------------------------------------


@inlined
def prepared(word: Any) -> Any:
    """Do the part of mixing that reads the word alone: once a token, not once a key."""
    value = np.uint32(np.uint32(word) * np.uint32(0xCC9E2D51))
    value = np.uint32(np.uint32(value << np.uint32(15)) | np.uint32(value >> np.uint32(17)))
    return np.uint32(value * np.uint32(0x1B873593))


@inlined
def mixed(state: Any, ready: Any) -> Any:
    """Mix a prepared word into the state."""
    state = np.uint32(state ^ ready)
    state = np.uint32(np.uint32(state << np.uint32(13)) | np.uint32(state >> np.uint32(19)))
    return np.uint32(np.uint32(state * np.uint32(5)) + np.uint32(0xE6546B64))


@inlined
def finished(state: Any) -> Any:
    """Finish a hash; the length was already xored in."""
    state = np.uint32(np.uint32(state ^ np.uint32(state >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    state = np.uint32(np.uint32(state ^ np.uint32(state >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(state ^ np.uint32(state >> np.uint32(16)))


@inlined
def key_state(key: Any) -> Any:
    """Give the state after both words of a key."""
    state = mixed(np.uint32(0), prepared(np.uint32(key & np.uint64(0xFFFFFFFF))))
    return mixed(state, prepared(np.uint32(key >> np.uint64(32))))


@kernel
def _hash_rows(rows: Any) -> Any:
    count, width = rows.shape
    hashes = np.empty(count, dtype=np.uint32)
    for place in range(count):
        state = np.uint32(0)
        for index in range(width):
            state = mixed(state, prepared(rows[place, index]))
        hashes[place] = finished(np.uint32(state ^ np.uint32(4 * width)))
    return hashes


@kernel
def prepare(words: Any) -> tuple[Any, Any]:
    """Prepare both words of every unit `[n, 2]`."""
    count = len(words)
    contexts, tokens = np.empty(count, dtype=np.uint32), np.empty(count, dtype=np.uint32)
    for place in range(count):
        contexts[place], tokens[place] = prepared(words[place, 0]), prepared(words[place, 1])
    return contexts, tokens


@kernel
def gumbel_sums(contexts: Any, tokens: Any, keys: Any) -> Any:
    """Sum -log(1 - u) over prepared units for each key `[k]`.

    Units are taken in blocks that stay in the first-level cache while the keys stream over them; factors are multiplied in
    lanes and the logarithm is taken once for all of them.
    """
    count = len(contexts)
    sums = np.zeros(len(keys))
    lanes = np.empty(LANES)
    for start in range(0, count, BLOCK):
        stop = min(count, start + BLOCK)
        for index in range(len(keys)):
            state = key_state(keys[index])
            lanes[:] = 1.0
            for row in range(start, stop, LANES):
                # Parts of the arrays, not places in them: for all that the compiler knows a place is negative, and then no vector is read.
                _multiply(contexts[row : row + LANES], tokens[row : row + LANES], lanes, state)
            sums[index] -= log_product(lanes)
    return sums


@inlined
def _multiply(contexts: Any, tokens: Any, lanes: Any, state: Any) -> None:
    """Multiply 1 - u of up to `LANES` units into the lanes."""
    for lane in range(len(contexts)):
        mix = mixed(mixed(state, contexts[lane]), tokens[lane])
        hashed = finished(np.uint32(mix ^ np.uint32(16)))
        lanes[lane] *= (np.float64(np.uint32(~hashed)) + 0.5) * _SCALE


@kernel
def split_sums(contexts: Any, tokens: Any, keys: Any, threshold: Any, side: Any) -> tuple[Any, Any]:
    """Sum -log(1 - u) under the first key over the places that the two keys' coin gives to it, for each pair of keys `[k, 2]`.

    With side 1 the places that it gives to the second key are added, under the second key. No place is skipped: a factor of 1 adds nothing, and costs
    less than a branch that no processor can foresee.
    """
    count = len(contexts)
    counts, sums = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys))
    lanes = np.empty(LANES)
    both = side == 1
    for start in range(0, count, BLOCK):
        stop = min(count, start + BLOCK)
        for index in range(len(keys)):
            first, second = key_state(keys[index, 0]), key_state(keys[index, 1])
            coin_state = mixed(first, prepared(np.uint32(keys[index, 1] & np.uint64(0xFFFFFFFF))))
            coin_state = mixed(coin_state, prepared(np.uint32(keys[index, 1] >> np.uint64(32))))
            lanes[:] = 1.0
            counted = np.int64(0)
            for row in range(start, stop, LANES):
                some, others = contexts[row : row + LANES], tokens[row : row + LANES]
                counted += _split_row(some, others, lanes, first, second, coin_state, threshold, both)
            counts[index] += counted
            sums[index] -= log_product(lanes)
    return counts, sums


@inlined
def _split_row(
    contexts: Any, tokens: Any, lanes: Any, first: Any, second: Any, coin_state: Any, threshold: Any, both: Any
) -> Any:
    """Multiply the factors of up to `LANES` places into the lanes, and count the places added up."""
    counted = np.uint32(0)
    for lane in range(len(contexts)):
        coin = finished(np.uint32(mixed(coin_state, contexts[lane]) ^ np.uint32(20)))
        mine = coin < threshold
        state = first if mine else second
        hashed = finished(np.uint32(mixed(mixed(state, contexts[lane]), tokens[lane]) ^ np.uint32(16)))
        added = mine or both
        lanes[lane] *= (np.float64(np.uint32(~hashed)) + 0.5) * _SCALE if added else 1.0
        counted += np.uint32(added)
    return np.int64(counted)


@kernel
def green_counts(contexts: Any, tokens: Any, keys: Any, threshold: Any) -> Any:
    """Count the prepared units whose hash lies below a 32-bit threshold, for each key `[k]`."""
    count = len(contexts)
    counts = np.zeros(len(keys), dtype=np.int64)
    for start in range(0, count, BLOCK):
        some, others = contexts[start : start + BLOCK], tokens[start : start + BLOCK]
        for index in range(len(keys)):
            state = key_state(keys[index])
            green = np.uint32(0)
            for place in range(len(some)):
                mix = mixed(mixed(state, some[place]), others[place])
                green += np.uint32(finished(np.uint32(mix ^ np.uint32(16))) < threshold)
            counts[index] += np.int64(green)
    return counts
