"""Word 3-shingles of texts, as the 64-bit hashes that the near-duplicate sketch is made of.

Takes texts. Gives one hash per shingle of masked words, text after text: the same values, from the same masked words and the same
polynomial, that `near_duplicate.minhash` reads. These hashes are public functions of the words: whoever has one can look for
its words in a dictionary. They are kept inside and never exported; what is exported is a keyed digest of them.
Complexity: O(bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.sketches.kernels import kernel
from stillwatch.sketches.near_duplicate import _FIRST, _SECOND, SHINGLE_WORDS
from stillwatch.sketches.normalise import CHARACTERS, Characters, fold_text, make_scratch
from stillwatch.sketches.shape import masked_words
from stillwatch.sketches.text_column import text_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Shingles:
    """The shingles of several texts."""

    values: np.ndarray
    """uint64 [shingles], text after text, in the order of the words; repeats are kept."""
    offsets: np.ndarray
    """int64 [texts + 1]; text i has `values[offsets[i]:offsets[i + 1]]`."""

    def of(self, text: int) -> frozenset[int]:
        """Return the distinct shingles of one text.

        Args:
            text: its place.
        """
        return frozenset(int(value) for value in self.values[self.offsets[text] : self.offsets[text + 1]])


@kernel
def _shingles(
    data: np.ndarray,
    offsets: np.ndarray,
    valid: np.ndarray,
    characters: Characters,
    values: np.ndarray,
    ends: np.ndarray,
) -> None:
    """Write the shingles of every text; none for a null or a text under three masked words."""
    scratch = make_scratch()
    place = 0
    for row in range(valid.shape[0]):
        if valid[row]:
            folded_bytes, runs, specials = fold_text(data, offsets[row], offsets[row + 1], characters, scratch)
            count = masked_words(folded_bytes, runs, specials, scratch)
            words = scratch.words
            for index in range(count - SHINGLE_WORDS + 1):
                values[place] = words[index] * _FIRST + words[index + 1] * _SECOND + words[index + 2]
                place += 1
        ends[row] = place


def shingles(texts: pa.Array) -> Shingles:
    """Return the shingles of texts.

    Args:
        texts: String array [n] in any layout.

    Returns:
        Their shingles; none for a null or a text under three masked words.

    Raises:
        ExchangeColumnError: for an array that is not text.
    """
    column = text_array(texts, name="texts")
    # A masked word takes at least one byte and, but for ideographs, a separator: never more words than bytes.
    values = np.empty(max(1, int(column.offsets[-1] - column.offsets[0])), dtype=np.uint64)
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    _shingles(column.data, column.offsets, column.valid, CHARACTERS, values, offsets[1:])
    return Shingles(values=values[: offsets[-1]].copy(), offsets=offsets)
