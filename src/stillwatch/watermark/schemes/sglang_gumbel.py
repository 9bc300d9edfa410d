"""SGLang's Gumbel mark with one key: `sglang-gumbel@murmur3-v1`.

Agrees bit for bit with SGLang 0.5.23, `srt/sampling/watermarking/detector.py`, key A on all positions (and with the test of key B on
all positions, which is the same function). Parameter: `context_width` 1 to 64, 4 as the engine's default.

A unit is (hash of the context, token), two words: contexts whose 32-bit hashes collide are one unit, because they share u.
Statistic: sum of -log(1 - u), Gamma(n, 1) without the key (S. Aaronson 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.gamma_tails import gamma_upper_log_p
from stillwatch.watermark import murmur
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, plain_units, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class SglangGumbel:
    """See the module."""

    context_width: int
    name: str = "sglang-gumbel@murmur3-v1"
    unit_words: int = 2
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "sum of -log(1 - u) over distinct (context, token)"
    assumptions: tuple[str, ...] = (
        "MurmurHash3 under an unknown random 64-bit key acts as independent uniform numbers",
    )

    spread: float = 1.0
    planned_excess: float = 0.1
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> SglangGumbel:
        """Make it from parameters."""
        return cls(context_width=whole(parameters, "context_width", 1, 64, 4))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"context_width": self.context_width}

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: (context hash, token)."""
        hashes = murmur.hash_contexts(contexts)
        return plain_units(hashes[:, np.newaxis], np.stack([hashes, tokens], axis=1))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give u in (0, 1) of every unit `[n]`."""
        return (murmur.hash_units(words, int(key[0])).astype(np.float64) + 0.5) / 2.0**32

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Score distinct units."""
        contexts, tokens = murmur.prepare(words)
        sums = murmur.gumbel_sums(contexts, tokens, np.ascontiguousarray(keys[:, 0]))
        return Totals(counts=np.full(len(keys), len(words), dtype=np.int64), statistics=sums)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact Gamma tail."""
        return gamma_upper_log_p(statistic, count)
