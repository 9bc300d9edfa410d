"""Green lists that are drawn as permutations of the vocabulary: what the two KGW schemes share.

Takes seeds and tokens. Gives how many distinct (seed, token) there are under a key, and how many of them are green.

A list is named by its seed: by the lower 32 bits of it where the list was drawn on a CPU (see `torch_random`), by all 64 where a GPU drew it
(`torch_cuda_random`). So equal lists are counted once under each key, whichever contexts they came from. Given its seed, the list holds exactly floor(gamma V) of V tokens: tokens of one list are drawn without
replacement, which makes the count less spread than the binomial; its upper tail is conservative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark import torch_cuda_random, torch_random
from stillwatch.watermark.scheme import Keys, Tokens, Totals

Seeds: TypeAlias = NDArray[np.uint32] | NDArray[np.uint64]
"""32 bits for lists drawn on a CPU, 64 for lists drawn on a GPU."""
SEED_MODULUS = 2**64 - 1
TABLE_SIZE = 1_000_003


def green_totals(
    seeds_under: Callable[[Keys], tuple[Seeds, Tokens]], keys: Keys, vocabulary: int, head: int, threads: int = 0
) -> Totals:
    """Count distinct (seed, token) and the green ones for each key.

    Args:
        seeds_under: gives seeds and tokens `[n]` of all units that count under a key.
        keys: `[keys, key_words]`.
        vocabulary: V; tokens at or above it are not scored.
        head: tokens on a list.
        threads: that the GPU runs at once which drew the lists; 0 for lists drawn on a CPU.
    """
    counts, greens = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys))
    for index, key in enumerate(keys):
        seeds, tokens = seeds_under(key)
        kept = tokens < vocabulary
        some_seeds, some_tokens = _distinct(seeds[kept], tokens[kept])
        counts[index] = len(some_seeds)
        greens[index] = flags(some_seeds, some_tokens, vocabulary, head, threads).sum()
    return Totals(counts=counts, statistics=greens)


def _distinct(seeds: Seeds, tokens: Tokens) -> tuple[Seeds, Tokens]:
    """Give each pair of seed and token once, equal seeds together."""
    if seeds.dtype == np.uint32:
        pairs = np.unique(seeds.astype(np.uint64) << np.uint64(32) | tokens)
        return (pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32)
    both = np.unique(np.stack([seeds, tokens.astype(np.uint64)], axis=1), axis=0)
    return np.ascontiguousarray(both[:, 0]), both[:, 1].astype(np.uint32)


def flags(seeds: Seeds, tokens: Tokens, vocabulary: int, head: int, threads: int = 0) -> NDArray[np.float64]:
    """Give 1 for green and 0 for not green `[n]`, in any order of seeds."""
    order = np.argsort(seeds, kind="stable")
    result = np.empty(len(seeds))
    if threads:
        whole = seeds[order].astype(np.uint64)
        result[order] = torch_cuda_random.green_flags(whole, tokens[order], vocabulary, head, threads)
    else:
        result[order] = torch_random.green_flags(seeds[order], tokens[order], vocabulary, head)
    return result


def product_seeds(numbers: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Give key x number modulo 2^64 - 1, which both implementations hand to the generator `[n]`; the product is one of unbounded integers."""
    distinct, places = np.unique(numbers, return_inverse=True)
    seeds = np.array([key * int(number) % SEED_MODULUS for number in distinct], dtype=np.uint64)
    return seeds[places]


@lru_cache(maxsize=4)
def permutation_table(seed: int, threads: int = 0) -> NDArray[np.int64]:
    """Give torch's permutation of `TABLE_SIZE` numbers under a seed, of which a CPU reads the lower 32 bits, each plus one: int64 [TABLE_SIZE]."""
    if threads:
        return torch_cuda_random.permutation(seed, TABLE_SIZE, threads) + 1
    table: NDArray[np.int32] = torch_random.permutation_head(np.uint32(seed & 0xFFFFFFFF), TABLE_SIZE, TABLE_SIZE)
    return table.astype(np.int64) + 1
