"""KGW's green list as published: `kgw-published@v1`.

Agrees bit for bit with the authors' repository (github.com/jwkirchenbauer/lm-watermarking at 5b0e207, `alternative_prf_schemes.py` and
`extended_watermark_processor.py`) on a CPU. Parameters: `vocabulary` V, `gamma` (0.25), `seeding`: `additive` (`simple_1` and `lefthash`
there, with `context_width` 1), `minhash`, or `selfhash` (the anchored minhash of algorithm 3, 4 tokens with the scored one),
`context_width` (1; 4 for the others).

Unlike transformers, `additive` reads the sum of all tokens of the context, and the table behind the minhash is the same under every key.
A key is 8 bytes. Statistic and null as in `kgw-transformers`. J. Kirchenbauer and others, 2301.10226 and 2306.04634.
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
    plain_units,
    share,
    whole,
)
from stillwatch.watermark.windows import fingerprints

_TABLE_SEED = 2_971_215_073


@dataclass(frozen=True, slots=True, kw_only=True)
class KgwPublished:
    """See the module."""

    vocabulary: int
    gamma: float
    seeding: str
    width: int
    name: str = "kgw-published@v1"
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
    def of(cls, parameters: Parameters) -> KgwPublished:
        """Make it from parameters."""
        seeding = choice(parameters, "seeding", ("additive", "minhash", "selfhash"))
        return cls(
            vocabulary=whole(parameters, "vocabulary", 2, 2**24),
            gamma=share(parameters, "gamma", 0.25),
            seeding=seeding,
            width=whole(parameters, "context_width", 1, 64, 1 if seeding == "additive" else 4),
        )

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {
            "vocabulary": self.vocabulary,
            "gamma": self.gamma,
            "seeding": self.seeding,
            "context_width": self.width,
        }

    @property
    def context_width(self) -> int:
        """Tokens before the scored one that matter."""
        return self.width - 1 if self.seeding == "selfhash" else self.width

    @property
    def unit_words(self) -> int:
        """Two for a sum and a token, else context and token."""
        return 2 if self.seeding == "additive" else self.context_width + 1

    @property
    def head(self) -> int:
        """Tokens on a list."""
        return int(self.vocabulary * self.gamma)

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return math.sqrt(self.gamma * (1.0 - self.gamma))

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: sum of the context and token, or context and token."""
        if self.seeding == "additive":
            sums = contexts.sum(axis=1, dtype=np.uint64).astype(np.uint32)
            return plain_units(sums[:, np.newaxis], np.stack([sums, tokens], axis=1))
        words = np.concatenate([contexts, tokens[:, np.newaxis]], axis=1)
        # Equal seeds come from other contexts too, but always with the scored token itself.
        contexts_or_all = contexts if self.seeding == "minhash" else words
        return Units(words=words, contexts=fingerprints(contexts_or_all), groups=tokens.astype(np.uint64))

    def seeds(self, words: Words, key: Keys) -> NDArray[np.uint32]:
        """Give the lower 32 bits of every unit's seed under a key `[n]`."""
        table, factor = green_lists.permutation_table(_TABLE_SEED), np.array(key[0], dtype=np.uint64).astype(np.int64)
        if self.seeding == "additive":
            return green_lists.product_seeds(words[:, 0].astype(np.uint64), int(key[0])).astype(np.uint32)
        if self.seeding == "minhash":
            least = table[factor * words[:, :-1].astype(np.int64) % green_lists.TABLE_SIZE].min(axis=1)
        else:
            hashed = table[words.astype(np.int64) % green_lists.TABLE_SIZE]
            least = (factor * hashed * hashed[:, -1:]).min(axis=1)
        moduli = np.where(least < 0, least.astype(np.uint64) - np.uint64(1), least.astype(np.uint64))
        seeds: NDArray[np.uint32] = moduli.astype(np.uint32)
        return seeds

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give 1 for green and 0 for not green `[n]`."""
        return green_lists.flags(self.seeds(words, key), np.ascontiguousarray(words[:, -1]), self.vocabulary, self.head)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count distinct green (seed, token)."""
        if self.seeding == "additive":
            words = words[words[:, 0] != 0]  # with sum 0 the list is the same under every key
        tokens = np.ascontiguousarray(words[:, -1])
        return green_lists.green_totals(lambda key: (self.seeds(words, key), tokens), keys, self.vocabulary, self.head)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the binomial tail, which is at least that of the count."""
        return binomial_upper_log_p(int(statistic), count, self.head / self.vocabulary)
