"""SynthID with the repaired hash: `synthid-fixed@v1`.

Agrees bit for bit with the repository of synthid-text at 32197c3 (2025-06-13; in no release, and not in transformers), `get_gvals` and
`compute_ngram_keys`. Parameters: `ngram_len` (5), `depth`, the number of layers (30).

The start of the hash is derived from all layer keys, and twelve more rounds choose the bit. The part of the hash that reads the tokens is
the same under every key; a unit is its 64 bits. A key is 8 bytes for each layer.
Statistic: number of g-values of 1; Binomial(n x depth, 1/2) without the key.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.tails import binomial_upper_log_p
from stillwatch.watermark import linear_congruential
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, plain_units, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthIdFixed:
    """See the module."""

    ngram_len: int
    depth: int
    name: str = "synthid-fixed@v1"
    unit_words: int = 2
    shared_words: int = 0
    statistic_name: str = "g-values of 1 over distinct n-grams and layers"
    assumptions: tuple[str, ...] = ("the repaired hash under unknown random layer keys acts as independent fair coins",)

    decoys: int = 99

    @classmethod
    def of(cls, parameters: Parameters) -> SynthIdFixed:
        """Make it from parameters."""
        return cls(ngram_len=whole(parameters, "ngram_len", 2, 64, 5), depth=whole(parameters, "depth", 1, 64, 30))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"ngram_len": self.ngram_len, "depth": self.depth}

    @property
    def context_width(self) -> int:
        """All tokens of the n-gram but the scored one."""
        return self.ngram_len - 1

    @property
    def key_words(self) -> int:
        """One for each layer."""
        return self.depth

    def start(self, key: Keys) -> int:
        """Derive the start of the hash from the layer keys: their SHA-256, big-endian, modulo 2^63 - 1."""
        digest = hashlib.sha256(np.ascontiguousarray(key, dtype="<u8").tobytes()).digest()
        return int.from_bytes(digest, "big") % (2**63 - 1)

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return 0.5 * math.sqrt(self.depth)

    @property
    def planned_excess(self) -> float:
        """Mean excess of one unit: a hundredth of each layer."""
        return 0.01 * self.depth

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: the hash of the n-gram from a start of 0."""
        hashes = linear_congruential.hash_rows(np.concatenate([contexts, tokens[:, np.newaxis]], axis=1))
        return plain_units(contexts, linear_congruential.split(hashes))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give the g-values of every unit and layer `[n, depth]`."""
        offset = np.uint64(linear_congruential.start_offset(self.start(key), self.ngram_len))
        return linear_congruential.fixed_bits(
            linear_congruential.layered(linear_congruential.joined(words) + offset, key)
        )

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count g-values of 1 over distinct units and all layers."""
        offsets = [linear_congruential.start_offset(self.start(key), self.ngram_len) for key in keys]
        sums = linear_congruential.fixed_sums(
            linear_congruential.joined(words), np.array(offsets, dtype=np.uint64), np.ascontiguousarray(keys)
        )
        return Totals(counts=np.full(len(keys), len(words), dtype=np.int64), statistics=sums.astype(np.float64))

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the binomial tail."""
        return binomial_upper_log_p(int(statistic), count * self.depth, 0.5)
