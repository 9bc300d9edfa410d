"""SynthID as shipped: `synthid-shipped@v1`.

Agrees bit for bit with transformers 5.24.0 (`SynthIDTextWatermarkLogitsProcessor`) and synthid-text 0.2.1 with a table of 65,536 entries.
Parameters: `ngram_len` (5), `depth`, the number of layers (30), `sampling_table_seed` (0), `device_threads`, the threads that the GPU which marked runs
at once (270,336 for an H100; 0, the default, for text marked on a CPU): a GPU draws another table.

A g-value is looked up by the lower 16 bits of a hash whose lower 16 bits depend on the lower 16 bits of the hash of the n-gram alone. So
there are 65,536 different units at all; every layer of every key is one table, shifted; keys equal modulo 65,536 are one key. No claim
about a corpus or among many keys can be made: a detector of ours answers `Inconclusive` then.

A key is 8 bytes for each layer. Statistic: number of g-values of 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.tails import binomial_upper_log_p
from stillwatch.watermark import linear_congruential, torch_cuda_random, torch_random
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, device_threads, whole
from stillwatch.watermark.windows import fingerprints

TABLE_SIZE = 65_536


@lru_cache(maxsize=8)
def _table(seed: int, threads: int) -> NDArray[np.uint8]:
    """Give the table of g-values that a seed draws, on a CPU or on a GPU that runs so many threads at once."""
    return torch_cuda_random.bits(seed, TABLE_SIZE, threads) if threads else torch_random.bits(seed, TABLE_SIZE)


@lru_cache(maxsize=8)
def _shifts(seed: int, threads: int) -> NDArray[np.complex128]:
    """Give the transform of the g-values by unit plus key, modulo 65,536."""
    places = linear_congruential.layered(np.arange(TABLE_SIZE, dtype=np.uint64), np.zeros(1, dtype=np.uint64))[:, 0]
    return np.fft.rfft(_table(seed, threads)[places % np.uint64(TABLE_SIZE)].astype(np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthIdShipped:
    """See the module."""

    ngram_len: int
    depth: int
    sampling_table_seed: int
    device_threads: int
    name: str = "synthid-shipped@v1"
    unit_words: int = 1
    shared_words: int = 0
    statistic_name: str = "g-values of 1 over distinct 16-bit hashes and layers"
    assumptions: tuple[str, ...] = ("the shifts of one table of 65,536 g-values act as independent fair coins",)
    distinct_units: int = TABLE_SIZE

    decoys: int = 99

    @classmethod
    def of(cls, parameters: Parameters) -> SynthIdShipped:
        """Make it from parameters."""
        return cls(
            ngram_len=whole(parameters, "ngram_len", 2, 64, 5),
            depth=whole(parameters, "depth", 1, 64, 30),
            sampling_table_seed=whole(parameters, "sampling_table_seed", 0, 2**63 - 1, 0),
            device_threads=device_threads(parameters),
        )

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {
            "ngram_len": self.ngram_len,
            "depth": self.depth,
            "sampling_table_seed": self.sampling_table_seed,
            "device_threads": self.device_threads,
        }

    @property
    def context_width(self) -> int:
        """All tokens of the n-gram but the scored one."""
        return self.ngram_len - 1

    @property
    def key_words(self) -> int:
        """One for each layer."""
        return self.depth

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return 0.5 * math.sqrt(self.depth)

    @property
    def planned_excess(self) -> float:
        """Mean excess of one unit: a hundredth of each layer."""
        return 0.01 * self.depth

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units: the lower 16 bits of the n-gram's hash from the start of 1 that the libraries use."""
        hashes = linear_congruential.hash_rows(np.concatenate([contexts, tokens[:, np.newaxis]], axis=1))
        offset = linear_congruential.start_offset(1, self.ngram_len)
        words = ((hashes + np.uint64(offset)) & np.uint64(TABLE_SIZE - 1)).astype(np.uint32)[:, np.newaxis]
        return Units(words=words, contexts=fingerprints(contexts), groups=words[:, 0].astype(np.uint64))

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give the g-values of every unit and layer `[n, depth]`."""
        indices = linear_congruential.layered(words[:, 0].astype(np.uint64), key) % np.uint64(TABLE_SIZE)
        values: NDArray[np.float64] = _table(self.sampling_table_seed, self.device_threads)[indices].astype(np.float64)
        return values

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count g-values of 1 over distinct units and all layers.

        A layer's key shifts the table, so what the units score under each of the 65,536 shifts is one circular correlation, which costs the same for any
        number of keys. Its values are whole numbers up to 65,536, and its error is below 1e-9, so rounding makes it exact.
        """
        present = np.bincount(words[:, 0], minlength=TABLE_SIZE).astype(np.float64)
        scores = np.fft.irfft(
            np.conj(np.fft.rfft(present)) * _shifts(self.sampling_table_seed, self.device_threads), TABLE_SIZE
        )
        sums = np.rint(scores)[keys % np.uint64(TABLE_SIZE)].sum(axis=1)
        return Totals(counts=np.full(len(keys), len(words), dtype=np.int64), statistics=sums)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the binomial tail with the table's own mean; see the module on how little it means."""
        return binomial_upper_log_p(
            int(statistic), count * self.depth, float(_table(self.sampling_table_seed, self.device_threads).mean())
        )
