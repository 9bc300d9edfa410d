"""vLLM's Gumbel mark with one key: `vllm-gumbel@philox4x32-10-v1`.

Agrees bit for bit with vLLM 0.33.0, `v1/watermarking/prfs/philox.py`. Parameter: `context_width` 1 to 64, 4 as the engine's default.

A unit is the context and the token, since the context is absorbed under the key. The engine's detector pads the first contexts of
a text and counts each context once; here the first tokens are left out and each (context, token) is counted once.
Statistic: sum of -log(1 - u), Gamma(n, 1) without the key. u has 24 bits; the mean of -log(1 - u) is 1 within 1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.gamma_tails import gamma_upper_log_p
from stillwatch.watermark import philox
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, plain_units, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmGumbel:
    """See the module."""

    context_width: int
    name: str = "vllm-gumbel@philox4x32-10-v1"
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "sum of -log(1 - u) over distinct (context, token)"
    assumptions: tuple[str, ...] = (
        "Philox4x32-10 under an unknown random 64-bit key acts as independent uniform numbers",
    )

    spread: float = 1.0
    planned_excess: float = 0.1
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> VllmGumbel:
        """Make it from parameters."""
        return cls(context_width=whole(parameters, "context_width", 1, 64, 4))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"context_width": self.context_width}

    @property
    def unit_words(self) -> int:
        """Context and token."""
        return self.context_width + 1

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: context and token."""
        return plain_units(contexts, np.concatenate([contexts, tokens[:, np.newaxis]], axis=1))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give u in (0, 1) of every unit `[n]`."""
        return philox.uniforms(words, int(key[0]))

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Score distinct units."""
        sums = philox.gumbel_sums(words, np.ascontiguousarray(keys[:, 0]))
        return Totals(counts=np.full(len(keys), len(words), dtype=np.int64), statistics=sums)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact Gamma tail."""
        return gamma_upper_log_p(statistic, count)
