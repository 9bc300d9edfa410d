"""Our own green list, with independent lists for every key: `green-bernoulli@v1`.

A token is green after a context if its 32-bit hash under the key, the same as in `sglang-gumbel`, lies below gamma times 2^32: each
(context, token) for itself, with probability gamma, independently of all other keys, contexts and tokens. No list has to be
drawn, so thousands of keys are tested at the cost of one hash. Parameters: `context_width` 1 to 64 (2), `gamma` (0.25).

Statistic: number of distinct green (context, token); Binomial(n, gamma) without the key, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.tails import binomial_upper_log_p
from stillwatch.watermark import murmur
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, plain_units, share, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class GreenBernoulli:
    """See the module."""

    context_width: int
    gamma: float
    name: str = "green-bernoulli@v1"
    unit_words: int = 2
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "distinct green (context, token)"
    assumptions: tuple[str, ...] = (
        "MurmurHash3 under an unknown random 64-bit key acts as independent uniform numbers",
    )

    planned_excess: float = 0.03
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> GreenBernoulli:
        """Make it from parameters."""
        return cls(context_width=whole(parameters, "context_width", 1, 64, 2), gamma=share(parameters, "gamma", 0.25))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"context_width": self.context_width, "gamma": self.gamma}

    @property
    def threshold(self) -> int:
        """Hashes below this are green."""
        return max(1, round(self.gamma * 2**32))

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return math.sqrt(self.gamma * (1.0 - self.gamma))

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: (context hash, token)."""
        hashes = murmur.hash_contexts(contexts)
        return plain_units(hashes[:, np.newaxis], np.stack([hashes, tokens], axis=1))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give 1 for green and 0 for not green `[n]`."""
        return (murmur.hash_units(words, int(key[0])) < np.uint32(self.threshold)).astype(np.float64)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count distinct green units."""
        contexts, tokens = murmur.prepare(words)
        green = murmur.green_counts(contexts, tokens, np.ascontiguousarray(keys[:, 0]), np.uint32(self.threshold))
        return Totals(counts=np.full(len(keys), len(words), dtype=np.int64), statistics=green.astype(np.float64))

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact binomial tail."""
        return binomial_upper_log_p(int(statistic), count, self.threshold / 2**32)
