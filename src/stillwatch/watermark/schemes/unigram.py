"""Unigram, one green list for all contexts: `unigram@v1`.

Agrees bit for bit with the authors' repository (github.com/XuandongZhao/Unigram-Watermark at 3667ec1, `gptwm.py`) and MarkLLM 0.1.5: the list
is NumPy's shuffle of a mask under a seed of 32 bits, taken from SHA-256 of the key. Parameters: `vocabulary` V, `fraction` (0.5).

A unit is a token. The list holds exactly G of V tokens, so the number of green ones among the n distinct tokens of a corpus is
hypergeometric without the key, exactly. A corpus has few distinct tokens: this mark shows less than its z-score pretends.
X. Zhao and others, 2306.17439.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.tails import hypergeometric_upper_log_p
from stillwatch.watermark import numpy_shuffle
from stillwatch.watermark.scheme import Keys, Parameters, Tokens, Totals, Units, Words, share, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Unigram:
    """See the module."""

    vocabulary: int
    fraction: float
    name: str = "unigram@v1"
    context_width: int = 0
    unit_words: int = 1
    key_words: int = 1
    shared_words: int = 0
    statistic_name: str = "distinct green tokens"
    assumptions: tuple[str, ...] = ("the list is a random one: its seed of 32 bits comes from an unknown random key",)

    planned_excess: float = 0.03
    decoys: int = 999

    @classmethod
    def of(cls, parameters: Parameters) -> Unigram:
        """Make it from parameters."""
        return cls(vocabulary=whole(parameters, "vocabulary", 2, 2**24), fraction=share(parameters, "fraction", 0.5))

    @property
    def parameters(self) -> Parameters:
        """All parameters."""
        return {"vocabulary": self.vocabulary, "fraction": self.fraction}

    @property
    def head(self) -> int:
        """Tokens on the list."""
        return int(self.fraction * self.vocabulary)

    def green(self, key: int) -> NDArray[np.bool_]:
        """Give the list under a key as a mask `[vocabulary]`."""
        mask = np.arange(self.vocabulary) < self.head
        np.random.default_rng(self.seed(key)).shuffle(mask)
        return mask

    def seed(self, key: int) -> int:
        """Derive the generator's seed, 32 bits, from a key."""
        return int.from_bytes(hashlib.sha256(key.to_bytes(8, "little")).digest()[:4], "little")

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part without the key."""
        return math.sqrt(self.fraction * (1.0 - self.fraction))

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:  # noqa: ARG002  # no context is read
        """Make units: the token."""
        prints = tokens.astype(np.uint64)
        return Units(words=tokens[:, np.newaxis], contexts=prints, groups=prints)

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give 1 for green and 0 for not green `[n]`; tokens outside the vocabulary are not green."""
        inside = words[:, 0] < self.vocabulary
        return np.where(inside, self.green(int(key[0]))[np.where(inside, words[:, 0], 0)], 0.0)

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Count distinct green tokens."""
        tokens = words[words[:, 0] < self.vocabulary, 0]
        greens = np.zeros(len(keys))
        for index, key in enumerate(keys):
            seed = self.seed(int(key[0]))
            drawn = np.random.default_rng(seed).bit_generator.random_raw(numpy_shuffle.words_for(self.vocabulary))
            greens[index] = numpy_shuffle.green_count(drawn, tokens, self.vocabulary, self.head)
            if greens[index] < 0:
                greens[index] = self.green(int(key[0]))[tokens].sum()
        return Totals(counts=np.full(len(keys), len(tokens), dtype=np.int64), statistics=greens)

    def log_p(self, count: int, statistic: float) -> float:
        """Give the log of the exact hypergeometric tail."""
        return hypergeometric_upper_log_p(int(statistic), self.vocabulary, self.head, count)
