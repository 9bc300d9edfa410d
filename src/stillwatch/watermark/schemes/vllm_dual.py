"""vLLM's Gumbel mark with two keys: `vllm-dual@philox4x32-10-v1`.

Agrees bit for bit with vLLM 0.33.0, `v1/watermarking/gumbel.py`: both keys are derived from one (`config/watermarking.py`), a coin that
nobody can repeat decides which of them marks a place, and the detector weighs the two. Parameters: `context_width` 1 to 64 (4),
`alpha`, the weight and share of key B (0.1).

Statistic: (1 - alpha) S_A + alpha S_B. Without the key it is the sum of Gamma(n, scale 1 - alpha) and Gamma(n, scale alpha), whose
tail is computed exactly here; the engine's own detector puts one matched Gamma in its place, whose p-values are too small.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.gamma_tails import gamma_pair_upper_log_p
from stillwatch.watermark import philox
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, plain_units, share, whole


def derived_key(key: int, domain: bytes) -> int:
    """Derive one of the two keys, as the engine does: the first 8 bytes of SHA-256 over domain and key, big-endian."""
    return int.from_bytes(hashlib.sha256(domain + key.to_bytes(8, "big")).digest()[:8], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmDual:
    """See the module."""

    context_width: int
    alpha: float
    name: str = "vllm-dual@philox4x32-10-v1"
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "weighted sum of -log(1 - u) of two keys over distinct (context, token)"
    assumptions: tuple[str, ...] = (
        "Philox4x32-10 under an unknown random 64-bit key acts as independent uniform numbers",
    )

    planned_excess: float = 0.1
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> VllmDual:
        """Make it from parameters."""
        return cls(context_width=whole(parameters, "context_width", 1, 64, 4), alpha=share(parameters, "alpha", 0.1))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"context_width": self.context_width, "alpha": self.alpha}

    @property
    def unit_words(self) -> int:
        """Context and token."""
        return self.context_width + 1

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return math.hypot(1.0 - self.alpha, self.alpha)

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: context and token."""
        return plain_units(contexts, np.concatenate([contexts, tokens[:, np.newaxis]], axis=1))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give u in (0, 1) of every unit under key A and key B `[n, 2]`."""
        pair = [derived_key(int(key[0]), domain) for domain in (b"key_a", b"key_b")]
        return np.stack([philox.uniforms(words, one) for one in pair], axis=1)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Score distinct units."""
        derived = [derived_key(int(key), domain) for domain in (b"key_a", b"key_b") for key in keys[:, 0]]
        first, second = philox.gumbel_sums(words, np.array(derived, dtype=np.uint64)).reshape(2, len(keys))
        return Totals(
            counts=np.full(len(keys), len(words), dtype=np.int64),
            statistics=(1.0 - self.alpha) * first + self.alpha * second,
        )

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact tail of the weighted sum."""
        return gamma_pair_upper_log_p(statistic, count, 1.0 - self.alpha, self.alpha)
