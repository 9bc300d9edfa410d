"""torch's CUDA generator, without torch and without a GPU: the permutations and bits that KGW and SynthID draw when they mark on a GPU.

Takes seeds. Gives `randperm` and `randint(0, 2)` as a CUDA generator draws them.

The contract (PyTorch 2.11, `aten/src/ATen/native/cuda/Randperm.cu`, `Randperm.cuh` and `DistributionTemplates.h`): `randperm(n)` gives each number a
random key and sorts by the lower bits of the keys; numbers with equal keys are shuffled once more. The key is drawn by Philox4x32-10 under all 64 bits of the
seed, the counter being the thread that draws and how often it drew before. A thread draws one value where the card runs at least n threads at once and then
the list is the same on every such card; beyond that, and so for KGW's table of 1,000,003 numbers, it depends on the card: `threads` is the number of
multiprocessors times threads of each, a multiple of 256 (H100 and H200: 132 x 2,048 = 270,336; A100: 221,184).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel

BLOCK = 256
"""Threads of a block."""
FOLLOWED = 64
"""Tokens of one list whose keys are ranked one by one; for more of them all keys are sorted."""
_WORD = 0xFFFFFFFF
_AT_ONCE = 2
"""Values of 64 bits that a thread takes from one application of Philox."""


def sorted_bits(size: int) -> int:
    """Give how many lower bits of the keys `randperm` sorts by: so many that with 90 % no two keys are equal."""
    return min(64, math.ceil(math.log2(size - (6.0 * size * size + 1.0) / (math.log(0.9) * 12.0))))


def drawing_threads(size: int, threads: int) -> int:
    """Give how many threads draw `size` values on a card that runs `threads` at once."""
    return BLOCK * min(-(-size // BLOCK), threads // BLOCK)


@inlined
def _philox(draw: Any, thread: Any, seed: Any) -> tuple[Any, Any, Any, Any]:
    """Apply Philox4x32-10 to the counter (draw, 0, thread, 0) under a seed; four words of 32 bits in 64-bit lanes."""
    mask = np.uint64(_WORD)
    c0, c1, c2, c3 = np.uint64(draw), np.uint64(0), np.uint64(thread), np.uint64(0)
    first, second = np.uint64(seed & mask), np.uint64(seed >> np.uint64(32))
    for _ in range(10):
        one, two = np.uint64(c0 * np.uint64(0xD2511F53)), np.uint64(c2 * np.uint64(0xCD9E8D57))
        c0, c1 = np.uint64((two >> np.uint64(32)) ^ c1 ^ first), np.uint64(two & mask)
        c2, c3 = np.uint64((one >> np.uint64(32)) ^ c3 ^ second), np.uint64(one & mask)
        first, second = (first + np.uint64(0x9E3779B9)) & mask, (second + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


@inlined
def _key(high: Any, low: Any, narrow: Any, mask: Any) -> Any:
    """Give the sorted bits of a drawn number: modulo 2^32 - 1 where keys are narrow, and modulo 2^64 - 1 else."""
    drawn = np.uint64(high << np.uint64(32) | low)
    if narrow:
        folded = np.uint64(high + low)
        folded = np.uint64((folded >> np.uint64(32)) + (folded & np.uint64(_WORD)))
        drawn = np.uint64(0) if folded == np.uint64(_WORD) else folded
    elif drawn == np.uint64(0xFFFFFFFFFFFFFFFF):
        drawn = np.uint64(0)
    return np.uint64(drawn & mask)


@kernel
def sort_keys(seed: Any, keys: Any, bits: Any, threads: Any) -> None:
    """Write the keys that `randperm` sorts by, cut to their lower bits.

    Args:
        seed: uint64.
        keys: written, uint64 [size].
        bits: as `sorted_bits` gives them.
        threads: as `drawing_threads` gives them.
    """
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    narrow = bits <= 32
    turns = (len(keys) - 1) // (_AT_ONCE * threads) + 1
    for turn in range(turns):
        # A thread draws for its own place, and for the one that lies as many places further on as there are threads.
        start = turn * _AT_ONCE * threads
        own, other = keys[start : start + threads], keys[start + threads : start + 2 * threads]
        for thread in range(len(own)):
            words = _philox(turn, thread, seed)
            own[thread] = _key(words[0], words[1], narrow, mask)
        for thread in range(len(other)):
            words = _philox(turn, thread, seed)
            other[thread] = _key(words[2], words[3], narrow, mask)


@inlined
def _word(words: Any, which: Any) -> Any:
    """Give one of four words."""
    if which < 2:
        return words[0] if which == 0 else words[1]
    return words[2] if which == 2 else words[3]


@kernel
def _shuffle_equal(keys: Any, order: Any, seed: Any, offset: Any) -> None:
    """Shuffle numbers whose sorted keys are equal, as the thread of the first of them does."""
    start = 0
    while start < len(keys):
        stop = start + 1
        while stop < len(keys) and keys[stop] == keys[start]:
            stop += 1
        for step in range(stop - start - 1):
            index = stop - start - 1 - step
            word = _word(_philox(offset + step // 4, start, seed), step % 4)
            other = np.int64(word % np.uint64(index + 1))
            order[start + index], order[start + other] = order[start + other], order[start + index]
        start = stop


def permutation(seed: int, size: int, threads: int) -> NDArray[np.int64]:
    """Give `randperm(size)` under a seed of 64 bits on a card that runs `threads` at once, int64 [size]."""
    bits, drawing = sorted_bits(size), drawing_threads(size, threads)
    keys = np.empty(size, dtype=np.uint64)
    sort_keys(np.uint64(seed), keys, bits, drawing)
    order = np.argsort(keys, kind="stable")
    # The shuffle of equal keys begins where the drawing of keys ended: one draw for each turn of a thread.
    _shuffle_equal(keys[order], order, np.uint64(seed), (size - 1) // (_AT_ONCE * drawing) + 1)
    return order


@kernel
def _green(keys: Any, tokens: Any, head: Any, flags: Any) -> None:
    """Write 1 for tokens whose key is among the `head` least, 0 for others, and 2 where only the shuffle of equal keys decides."""
    ranked = np.sort(keys) if len(tokens) > FOLLOWED else keys[:0]
    for place in range(len(tokens)):
        flags[place] = 0
        if tokens[place] < len(keys):
            own = keys[tokens[place]]
            if len(tokens) > FOLLOWED:
                below, through = np.searchsorted(ranked, own), np.searchsorted(ranked, own, side="right")
            else:
                below, through = np.int64((keys < own).sum()), np.int64((keys <= own).sum())
            if below < head:
                flags[place] = 1 if through <= head else 2


def green_flags(
    seeds: NDArray[np.uint64], tokens: NDArray[np.uint32], size: int, head: int, threads: int
) -> NDArray[np.uint8]:
    """Say for each (seed, token) whether the token is among the first `head` of `randperm(size)` under the seed, uint8 [n].

    Units with equal seeds must stand together: each run of them costs `size` evaluations of Philox.
    """
    flags, keys = np.zeros(len(seeds), dtype=np.uint8), np.empty(size, dtype=np.uint64)
    width, drawing = sorted_bits(size), drawing_threads(size, threads)
    starts = np.flatnonzero(np.diff(seeds, prepend=~seeds[:1])).tolist()
    for start, stop in zip(starts, [*starts[1:], len(seeds)], strict=True):
        sort_keys(seeds[start], keys, width, drawing)
        _green(keys, tokens[start:stop], head, flags[start:stop])
        if (flags[start:stop] == 2).any():
            first = permutation(int(seeds[start]), size, threads)[:head]
            flags[start:stop] = np.isin(tokens[start:stop], first)
    return flags


def bits(seed: int, count: int, threads: int) -> NDArray[np.uint8]:
    """Give what `randint(0, 2, (count,))` draws under a seed."""
    drawn: NDArray[np.uint8] = _bits(np.uint64(seed), count, drawing_threads(count, threads))
    return drawn


@kernel
def _bits(seed: Any, count: Any, threads: Any) -> Any:
    """Draw single bits: each application of Philox gives a thread four values, `threads` places apart."""
    result = np.empty(count, dtype=np.uint8)
    for place in range(count):
        turn, rest = place // (4 * threads), place % (4 * threads)
        word = _word(_philox(turn, rest % threads, seed), rest // threads)
        result[place] = np.uint8(word & np.uint64(1))
    return result
