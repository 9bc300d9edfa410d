"""SGLang's Gumbel mark with two keys: `sglang-dual@murmur3-v1`.

Agrees bit for bit with SGLang 0.5.23, `srt/sampling/watermarking/detector.py`: a hash of both keys and the context decides which key marks
a place. Parameters: `context_width` 1 to 64 (4), `mixing_probability` (0.5), `part`: which places are added up,
`first` (those of key A, under key A: the campaign's part) or `both` (the engine's `combined`).

A key is 16 bytes: key A, then key B. Key B, the provider's own, is tested alone on all places by `sglang-gumbel`.
Statistic: sum of -log(1 - u) over the places added up, Gamma(n, 1) without the keys; n differs from key to key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.gamma_tails import gamma_upper_log_p
from stillwatch.watermark import murmur
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SglangDual:
    """See the module."""

    context_width: int
    mixing_probability: float
    part: str
    name: str = "sglang-dual@murmur3-v1"
    unit_words: int = 2
    key_words: int = 2
    shared_words: int = 1
    statistic_name: str = "sum of -log(1 - u) over distinct (context, token) of the key's places"
    assumptions: tuple[str, ...] = (
        "MurmurHash3 under an unknown random 64-bit key acts as independent uniform numbers",
    )

    spread: float = 1.0
    planned_excess: float = 0.1
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> SglangDual:
        """Make it from parameters."""
        return cls(
            context_width=whole(parameters, "context_width", 1, 64, 4),
            mixing_probability=share(parameters, "mixing_probability", 0.5),
            part=choice(parameters, "part", ("first", "both")),
        )

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {
            "context_width": self.context_width,
            "mixing_probability": self.mixing_probability,
            "part": self.part,
        }

    @property
    def threshold(self) -> int:
        """Coins below this give the place to key A, as the engine computes it."""
        return int(self.mixing_probability * 2**32)

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: (context hash, token)."""
        hashes = murmur.hash_contexts(contexts)
        return plain_units(hashes[:, np.newaxis], np.stack([hashes, tokens], axis=1))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give u in (0, 1) of every unit under the key that marks its place `[n]`; NaN where the place is not added up."""
        first, second = int(key[0]), int(key[1])
        is_first = murmur.position_coins(np.ascontiguousarray(words[:, 0]), first, second) < self.threshold
        hashes = np.where(is_first, murmur.hash_units(words, first), murmur.hash_units(words, second))
        values = (hashes.astype(np.float64) + 0.5) / 2.0**32
        return values if self.part == "both" else np.where(is_first, values, np.nan)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Score distinct units."""
        contexts, tokens = murmur.prepare(words)
        counts, sums = murmur.split_sums(
            contexts, tokens, np.ascontiguousarray(keys), np.uint32(self.threshold), int(self.part == "both")
        )
        return Totals(counts=counts, statistics=sums)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact Gamma tail."""
        return gamma_upper_log_p(statistic, count)
