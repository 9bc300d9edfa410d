"""Green lists that are drawn as permutations of the vocabulary: what the two KGW schemes share.

Takes seeds and tokens. Gives how many distinct (seed, token) there are under a key, and how many of them are green.

A list is named by the lower 32 bits of its seed (see `torch_random`), so equal lists are counted once under each key, whichever
contexts they came from. Given its seed, the list holds exactly floor(gamma V) of V tokens: tokens of one list are drawn without
replacement, which makes the count less spread than the binomial; its upper tail is conservative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark import torch_random
from stillwatch.watermark.scheme import Keys, Tokens, Totals

SEED_MODULUS = 2**64 - 1
TABLE_SIZE = 1_000_003


def green_totals(
    seeds_under: Callable[[Keys], tuple[NDArray[np.uint32], Tokens]], keys: Keys, vocabulary: int, head: int
) -> Totals:
    """Count distinct (seed, token) and the green ones for each key.

    Args:
        seeds_under: gives seeds and tokens `[n]` of all units that count under a key.
        keys: `[keys, key_words]`.
        vocabulary: V; tokens at or above it are not scored.
        head: tokens on a list.
    """
    counts, greens = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys))
    for index, key in enumerate(keys):
        seeds, tokens = seeds_under(key)
        kept = tokens < vocabulary
        pairs = np.unique(seeds[kept].astype(np.uint64) << np.uint64(32) | tokens[kept])
        counts[index] = len(pairs)
        greens[index] = flags(
            (pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32), vocabulary, head
        ).sum()
    return Totals(counts=counts, statistics=greens)


def flags(seeds: NDArray[np.uint32], tokens: Tokens, vocabulary: int, head: int) -> NDArray[np.float64]:
    """Give 1 for green and 0 for not green `[n]`, in any order of seeds."""
    order = np.argsort(seeds, kind="stable")
    result = np.empty(len(seeds))
    result[order] = torch_random.green_flags(seeds[order], tokens[order], vocabulary, head)
    return result


def product_seeds(numbers: NDArray[np.uint64], key: int) -> NDArray[np.uint32]:
    """Give the lower 32 bits of key x number modulo 2^64 - 1, which both implementations hand to the generator `[n]`.

    The product is one of unbounded integers. Modulo 2^64 - 1 its upper 64 bits are added to its lower ones.
    """
    distinct, places = np.unique(numbers, return_inverse=True)
    seeds = np.array([key * int(number) % SEED_MODULUS & 0xFFFFFFFF for number in distinct], dtype=np.uint32)
    return seeds[places]


@lru_cache(maxsize=4)
def permutation_table(seed: int) -> NDArray[np.int64]:
    """Give torch's permutation of `TABLE_SIZE` numbers under a seed of 32 bits, each plus one: int64 [TABLE_SIZE]."""
    table: NDArray[np.int32] = torch_random.permutation_head(np.uint32(seed), TABLE_SIZE, TABLE_SIZE)
    return table.astype(np.int64) + 1
