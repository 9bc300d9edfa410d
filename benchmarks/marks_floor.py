"""The least that a scheme's function costs on one core: its rounds alone, compiled the same way, on words that never leave the first-level cache.

Nothing is read, keyed, laid out or summed, so a detector that evaluates the function for every unit and key cannot be faster without another processor or
another instruction set. `benchmarks.marks_speed` puts these figures beside those of the schemes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from stillwatch.watermark import numpy_shuffle, torch_random
from stillwatch.watermark.linear_congruential import MULTIPLIER, ROUNDS
from stillwatch.watermark.murmur import finished, mixed

LANES = 192
REPEATS = 200
_kernel: Any = njit(nogil=True, error_model="numpy")


@_kernel
def philox_rounds(words: Any, found: Any, repeats: Any) -> None:
    """Apply nine rounds, which is half of what a unit needs, to two groups of lanes in turn, uint64 [4 * LANES].

    Of the twenty rounds of context and token, the products of three do not depend on the key, or are not read by the output: 35.5 multiplications
    are left of 40, and two times nine rounds have 36.
    """
    half = LANES // 2
    first, second, low, upper = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57), np.uint64(0xFFFFFFFF), np.uint64(32)
    for repeat in range(repeats):
        for lane in range(half):
            at = lane + half
            a0, a1, a2, a3 = words[lane], words[LANES + lane], words[2 * LANES + lane], words[3 * LANES + lane]
            b0, b1, b2, b3 = words[at], words[LANES + at], words[2 * LANES + at], words[3 * LANES + at]
            for step in range(9):
                key = np.uint64(repeat + step)
                a, b = (a0 & low) * first, (b0 & low) * first
                c, d = (a2 & low) * second, (b2 & low) * second
                a0, a1, a2, a3 = (c >> upper) ^ a1 ^ key, c, (a >> upper) ^ a3 ^ key, a
                b0, b1, b2, b3 = (d >> upper) ^ b1 ^ key, d, (b >> upper) ^ b3 ^ key, b
            found[lane], found[LANES + lane], found[2 * LANES + lane], found[3 * LANES + lane] = a0, a1, a2, a3
            found[at], found[LANES + at], found[2 * LANES + at], found[3 * LANES + at] = b0, b1, b2, b3


@_kernel
def murmur_rounds(words: Any, repeats: Any) -> None:
    """Mix two words and finish the hash on each lane, uint32 [LANES]."""
    for _ in range(repeats):
        for lane in range(len(words)):
            words[lane] = finished(mixed(mixed(words[lane], np.uint32(7)), np.uint32(9)))


@_kernel
def synthid_rounds(words: Any, repeats: Any) -> Any:
    """Apply the eleven multiplications of a layer to two groups of lanes in turn, int64 [n]."""
    half = len(words) // 2
    first, second, total = words[:half], words[half:], np.int64(0)
    for repeat in range(repeats):
        for lane in range(half):
            a, b = first[lane] + repeat, second[lane] + repeat
            for _ in range(ROUNDS - 1):
                a = np.int64(a * np.int64(MULTIPLIER) + np.int64(1)) >> np.int64(5)
                b = np.int64(b * np.int64(MULTIPLIER) + np.int64(1)) >> np.int64(5)
            total += a ^ b
    return total


@_kernel
def twister_draws(seed: Any, count: Any) -> Any:
    """Seed torch's generator and draw, as each list of KGW needs."""
    total = np.uint32(0)
    state = torch_random.seeded(seed)
    for start in range(0, count, torch_random.STATE):
        torch_random.turn(state)
        for index in range(min(torch_random.STATE, count - start)):
            total ^= torch_random.tempered(state[index])
    return total


def floors(vocabulary: int, depth: int = 30, share: float = 0.25) -> dict[str, float]:
    """Measure token-keys a second for the function of each scheme alone.

    Args:
        vocabulary: V, of the schemes that draw lists.
        depth: layers of SynthID.
        share: of the vocabulary on a list of KGW.

    Returns:
        By the scheme's name without its version; for `unigram` with all V tokens scored, for KGW with one token a list.
    """
    rng = np.random.default_rng(1)
    wide, narrow = (
        rng.integers(0, 2**62, size=4 * LANES, dtype=np.uint64),
        rng.integers(0, 2**32, size=LANES, dtype=np.uint32),
    )
    signed = rng.integers(0, 2**62, size=2_048)
    each = REPEATS * LANES
    philox = each / 2.0 / _best(lambda: philox_rounds(wide, np.empty_like(wide), REPEATS))
    murmur = each / _best(lambda: murmur_rounds(narrow, REPEATS))
    twister = 1.0 / _best(lambda: twister_draws(np.uint32(5), int(vocabulary * share)))
    shuffled = vocabulary / _best(lambda: np.random.PCG64(5).random_raw(numpy_shuffle.words_for(vocabulary)))
    return {
        "vllm-gumbel": philox, "vllm-dual": philox / 2.0, "sglang-gumbel": murmur, "green-bernoulli": murmur, "unigram": shuffled,
        "synthid-fixed": len(signed) * REPEATS / depth / _best(lambda: synthid_rounds(signed, REPEATS)), "kgw-transformers": twister,
    }  # fmt: skip


def _best(run: Callable[[], Any], rounds: int = 15) -> float:
    """Give the least seconds of some rounds, after one that compiles."""
    run()
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)
