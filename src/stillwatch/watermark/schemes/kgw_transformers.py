"""KGW's green list as in transformers: `kgw-transformers@v1`.

Agrees bit for bit with transformers 5.24.0, `WatermarkLogitsProcessor` on a CPU, and with 5.17.0 on a GPU, whose lists are
other ones. Parameters: `vocabulary` V, `greenlist_ratio` (0.25), `seeding_scheme` `lefthash` or `selfhash`, `context_width` (1), `device_threads`, the
threads that the GPU which marked runs at once (270,336 for an H100; 0, the default, for text marked on a CPU; see `torch_cuda_random`). A list of a GPU
costs V draws, where one of a CPU costs gamma V.

`lefthash` seeds with key times the last token, whatever the width: a unit is (last token, token), and width is ignored as there. After
token 0 every key has the same list, so those places are not counted. `selfhash` seeds with the least of key x table[t] x table[last] over
the last h tokens, *the scored token included*, in 64-bit arithmetic that wraps.

A key is 8 bytes. Statistic: distinct green (seed, token) under the key, at most Binomial(n, floor(gamma V) / V).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.tails import binomial_upper_log_p
from stillwatch.watermark import green_lists
from stillwatch.watermark.scheme import (
    Keys,
    Parameters,
    Tokens,
    Totals,
    Units,
    Words,
    choice,
    device_threads,
    plain_units,
    share,
    whole,
)
from stillwatch.watermark.windows import fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class KgwTransformers:
    """See the module."""

    vocabulary: int
    greenlist_ratio: float
    seeding_scheme: str
    width: int
    device_threads: int
    name: str = "kgw-transformers@v1"
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "distinct green (seed, token)"
    assumptions: tuple[str, ...] = (
        "the lists that torch's generator draws under an unknown random 64-bit key act as random lists",
        "tokens of one list are drawn without replacement, which makes the binomial tail conservative",
    )

    planned_excess: float = 0.03
    decoys: int = 99

    @classmethod
    def of(cls, parameters: Parameters) -> KgwTransformers:
        """Make it from parameters."""
        return cls(
            vocabulary=whole(parameters, "vocabulary", 2, 2**24),
            greenlist_ratio=share(parameters, "greenlist_ratio", 0.25),
            seeding_scheme=choice(parameters, "seeding_scheme", ("lefthash", "selfhash")),
            width=whole(parameters, "context_width", 1, 64, 1),
            device_threads=device_threads(parameters),
        )

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {
            "vocabulary": self.vocabulary,
            "greenlist_ratio": self.greenlist_ratio,
            "seeding_scheme": self.seeding_scheme,
            "context_width": self.width,
            "device_threads": self.device_threads,
        }

    @property
    def context_width(self) -> int:
        """Tokens before the scored one that matter: one for lefthash, and one less than the width for selfhash."""
        return 1 if self.seeding_scheme == "lefthash" else self.width - 1

    @property
    def unit_words(self) -> int:
        """Context and token."""
        return self.context_width + 1

    @property
    def head(self) -> int:
        """Tokens on a list."""
        return int(self.vocabulary * self.greenlist_ratio)

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return math.sqrt(self.greenlist_ratio * (1.0 - self.greenlist_ratio))

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: context and token."""
        words = np.concatenate([contexts, tokens[:, np.newaxis]], axis=1)
        if self.seeding_scheme == "lefthash":
            return plain_units(contexts, words)
        # The scored token is part of the seed, and alone decides which seeds may be equal.
        return Units(words=words, contexts=fingerprints(words), groups=tokens.astype(np.uint64))

    def seeds(self, words: Words, key: Keys) -> green_lists.Seeds:
        """Give every unit's seed under a key, or its lower 32 bits where the lists were drawn on a CPU `[n]`."""
        if self.seeding_scheme == "lefthash":
            seeds = green_lists.product_seeds(words[:, 0].astype(np.uint64), int(key[0]))
        else:
            table = green_lists.permutation_table(int(key[0]), self.device_threads)
            first = table[words.astype(np.int64) % green_lists.TABLE_SIZE]
            # torch multiplies in wrapping 64-bit arithmetic and takes the least as signed numbers.
            products = np.array(key[0], dtype=np.uint64).astype(np.int64) * first * first[:, -1:]
            least = products.min(axis=1)
            seeds = np.where(least < 0, least.astype(np.uint64) - np.uint64(1), least.astype(np.uint64))
        return seeds if self.device_threads else seeds.astype(np.uint32)

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give 1 for green and 0 for not green `[n]`."""
        tokens = np.ascontiguousarray(words[:, -1])
        return green_lists.flags(self.seeds(words, key), tokens, self.vocabulary, self.head, self.device_threads)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count distinct green (seed, token)."""
        if self.seeding_scheme == "lefthash":
            words = words[words[:, 0] != 0]  # after token 0 the list is the same under every key
        tokens = np.ascontiguousarray(words[:, -1])
        return green_lists.green_totals(
            lambda key: (self.seeds(words, key), tokens), keys, self.vocabulary, self.head, self.device_threads
        )

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the binomial tail, which is at least that of the count."""
        return binomial_upper_log_p(int(statistic), count, self.head / self.vocabulary)
