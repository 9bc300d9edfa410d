"""torch's CPU generator, without torch: the Mersenne Twister behind `manual_seed`, `randperm` and `randint`.

Takes seeds. Gives the permutations and tables that the KGW and SynthID implementations draw from torch on a CPU.

The contract (PyTorch 2.13, `aten/src/ATen/core/MT19937RNGEngine.h` and `native/TensorFactories.cpp`): the state is filled from the
*lower 32 bits* of the seed, so two keys that give seeds equal modulo 2^32 give one list; `randperm(n)` is a forward
Fisher-Yates shuffle, step i swapping place i with place i + r mod (n - i). A CUDA generator draws other numbers, so that text marked
on a GPU with these schemes cannot be checked on a CPU by anybody.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel

STATE = 624
_SHIFT = 397


@kernel
def seeded(seed: Any) -> Any:
    """Give the state of a generator after `manual_seed`, and 0 words drawn `[624]`."""
    state = np.empty(STATE, dtype=np.uint32)
    state[0] = np.uint32(seed)
    for index in range(1, STATE):
        before = state[index - 1]
        state[index] = np.uint32(
            np.uint32(np.uint32(1812433253) * np.uint32(before ^ np.uint32(before >> np.uint32(30)))) + np.uint32(index)
        )
    return state


@inlined
def _turned(first: Any, second: Any, other: Any) -> Any:
    joined = np.uint32(np.uint32(first & np.uint32(0x80000000)) | np.uint32(second & np.uint32(0x7FFFFFFF)))
    odd = np.uint32(0x9908B0DF) if second & np.uint32(1) else np.uint32(0)
    return np.uint32(np.uint32(other ^ np.uint32(joined >> np.uint32(1))) ^ odd)


@kernel
def turn(state: Any) -> None:
    """Make the next 624 words of state."""
    for index in range(STATE - _SHIFT):
        state[index] = _turned(state[index], state[index + 1], state[index + _SHIFT])
    for index in range(STATE - _SHIFT, STATE - 1):
        state[index] = _turned(state[index], state[index + 1], state[index + _SHIFT - STATE])
    state[STATE - 1] = _turned(state[STATE - 1], state[0], state[_SHIFT - 1])


@inlined
def tempered(word: Any) -> Any:
    """Give the output of one word of state."""
    word = np.uint32(word ^ np.uint32(word >> np.uint32(11)))
    word = np.uint32(word ^ np.uint32(np.uint32(word << np.uint32(7)) & np.uint32(0x9D2C5680)))
    word = np.uint32(word ^ np.uint32(np.uint32(word << np.uint32(15)) & np.uint32(0xEFC60000)))
    return np.uint32(word ^ np.uint32(word >> np.uint32(18)))


@kernel
def draws(seed: Any, count: Any) -> Any:
    """Give the first `count` 32-bit words that a generator with this seed draws."""
    state = seeded(seed)
    result = np.empty(count, dtype=np.uint32)
    for index in range(count):
        place = index % STATE
        if place == 0:
            turn(state)
        result[index] = tempered(state[place])
    return result


@kernel
def permutation_head(seed: Any, size: Any, head: Any) -> Any:
    """Give the first `head` elements of `randperm(size)` under a seed, int32 `[head]`."""
    order = np.arange(size).astype(np.int32)
    state = seeded(seed)
    for index in range(min(head, size - 1)):
        place = index % STATE
        if place == 0:
            turn(state)
        other = index + np.int64(tempered(state[place]) % np.uint32(size - index))
        order[index], order[other] = order[other], order[index]
    return order[:head]


@kernel
def green_flags(seeds: Any, tokens: Any, size: Any, head: Any) -> Any:
    """Say for each (seed, token) whether the token is among the first `head` of `randperm(size)` under the seed, uint8 `[n]`.

    Units with equal seeds must stand together: each run of them costs one permutation.
    """
    flags = np.zeros(len(seeds), dtype=np.uint8)
    green = np.zeros(size, dtype=np.uint8)
    start = 0
    while start < len(seeds):
        stop = start + 1
        while stop < len(seeds) and seeds[stop] == seeds[start]:
            stop += 1
        chosen = permutation_head(seeds[start], size, head)
        for token in chosen:
            green[token] = 1
        for place in range(start, stop):
            if tokens[place] < size:
                flags[place] = green[tokens[place]]
        for token in chosen:
            green[token] = 0
        start = stop
    return flags


def bits(seed: int, count: int) -> NDArray[np.uint8]:
    """Give what `randint(0, 2, (count,))` draws under a seed."""
    drawn: NDArray[np.uint32] = draws(np.uint32(seed & 0xFFFFFFFF), count)
    return (drawn & np.uint32(1)).astype(np.uint8)
