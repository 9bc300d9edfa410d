"""torch's CPU generator, without torch: the Mersenne Twister behind `manual_seed`, `randperm` and `randint`.

Takes seeds. Gives the permutations and tables that the KGW and SynthID implementations draw from torch on a CPU.

The contract (PyTorch 2.13, `aten/src/ATen/core/MT19937RNGEngine.h` and `native/TensorFactories.cpp`): the state is filled from the
*lower 32 bits* of the seed, so two keys that give seeds equal modulo 2^32 give one list; `randperm(n)` is a forward
Fisher-Yates shuffle, step i swapping place i with place i + r mod (n - i). A CUDA generator draws
other numbers by another algorithm: `torch_cuda_random`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel

STATE = 624
_SHIFT = 397
FOLLOWED = 32
"""Tokens of one list that are followed one by one; for more of them all swaps are done."""


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


@inlined
def _places(state: Any, inverses: Any, places: Any, first: Any, size: Any) -> None:
    """Write the places that steps `first` on swap with, from the words of state: i + word mod (size - i), the remainder by a reciprocal.

    The quotient of two 32-bit numbers is one too small at most in double precision, which one subtraction mends.
    """
    for index in range(len(places)):
        word = tempered(state[index])
        left = np.uint32(size - first - index)
        rest = np.uint32(word - np.uint32(np.uint32(np.int64(np.float64(word) * inverses[index])) * left))
        places[index] = np.uint32(first + index) + (np.uint32(rest - left) if rest >= left else rest)


@kernel
def swapped_places(seed: Any, size: Any, inverses: Any, places: Any) -> None:
    """Write the place that each of the first steps of `randperm(size)` swaps with, uint32 [head]; inverses are 1 / (size - i), float64 [head]."""
    state = seeded(seed)
    for start in range(0, len(places), STATE):
        turn(state)
        _places(state, inverses[start : start + STATE], places[start : start + STATE], start, size)


@inlined
def _holds(places: Any, place: Any) -> Any:
    """Say whether a place is among some; all are looked at, sixteen at once."""
    found = np.uint32(0)
    for index in range(len(places)):
        found += np.uint32(places[index] == place)
    return found > 0


@kernel
def _is_green(places: Any, token: Any) -> Any:
    """Say whether a token is among the first elements of the permutation, by following it alone through the swaps.

    It stands at its own number until a step takes it to the front, where it stays, or until the step of its own place moves it on.
    """
    head = len(places)
    start, place = np.int64(0), np.int64(token)
    while True:
        if _holds(places[start : min(place, head)], np.uint32(place)):
            return True
        if place >= head:
            return False
        start = place + 1
        place = np.int64(places[place])
        if place < start:
            return True


@kernel
def _mark_green(places: Any, order: Any, green: Any, flag: Any) -> None:
    """Do all swaps in `order`, which holds 0 to size - 1, write the flag of the green tokens, and undo the swaps."""
    for index in range(len(places)):
        other = places[index]
        order[index], order[other] = order[other], order[index]
        green[order[index]] = flag
    for index in range(len(places) - 1, -1, -1):
        other = places[index]
        order[index], order[other] = order[other], order[index]


@kernel
def green_flags(seeds: Any, tokens: Any, size: Any, head: Any) -> Any:
    """Say for each (seed, token) whether the token is among the first `head` of `randperm(size)` under the seed, uint8 `[n]`.

    Units with equal seeds must stand together: each run of them costs `head` draws of the generator, and long runs the swaps as well.
    """
    flags = np.zeros(len(seeds), dtype=np.uint8)
    green, order = np.zeros(size, dtype=np.uint8), np.arange(size).astype(np.uint32)
    places = np.empty(min(head, size - 1), dtype=np.uint32)
    inverses = 1.0 / (size - np.arange(len(places)))
    start = 0
    while start < len(seeds):
        stop = start + 1
        while stop < len(seeds) and seeds[stop] == seeds[start]:
            stop += 1
        swapped_places(seeds[start], size, inverses, places)
        if stop - start <= FOLLOWED:
            for place in range(start, stop):
                if tokens[place] < size:
                    flags[place] = np.uint8(_is_green(places, tokens[place]))
        else:
            _mark_green(places, order, green, np.uint8(1))
            for place in range(start, stop):
                if tokens[place] < size:
                    flags[place] = green[tokens[place]]
            _mark_green(places, order, green, np.uint8(0))
        start = stop
    return flags


def bits(seed: int, count: int) -> NDArray[np.uint8]:
    """Give what `randint(0, 2, (count,))` draws under a seed."""
    drawn: NDArray[np.uint32] = draws(np.uint32(seed & 0xFFFFFFFF), count)
    return (drawn & np.uint32(1)).astype(np.uint8)
