"""Near copies of licensed sets: MinHash bands of the licensed rows, and how many of a row's bands meet one of them.

Two texts whose word 3-shingles have Jaccard similarity J share a band with probability J^4, so with 16 bands and a bar of 8 a copy with J = 0.95
is found with probability 0.999, one with 0.9 with 0.94, one with 0.7 with 0.02, and one with 0.5 with 2e-6 (see `sketches.near_duplicate`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from stillwatch.sketches.prompt_sketch import sketch_prompts
from stillwatch.sketches.text_column import TextColumn, text_array

FEWEST_BANDS = 8
"""Of 16."""
SHORTEST = 80
"""Bytes of a text; shorter ones are everybody's."""


class NearCopies:
    """An index of licensed rows."""

    def __init__(self) -> None:
        """Begin empty."""
        self._row_of: dict[int, int] = {}
        self._sets: list[tuple[str, str]] = []
        self._set_of_row: list[int] = []

    @property
    def rows(self) -> int:
        """Rows that are indexed."""
        return len(self._set_of_row)

    def add(self, texts: Sequence[str], licence: str, name: str) -> None:
        """Add rows of a licensed set.

        Args:
            texts: one for each row.
            licence: what the set says of itself; empty where it says nothing.
            name: of the set.
        """
        if (licence, name) not in self._sets:
            self._sets.append((licence, name))
        place = self._sets.index((licence, name))
        for bands in _bands(texts):
            if bands:
                self._set_of_row.append(place)
                for band in bands:
                    self._row_of.setdefault(band, len(self._set_of_row) - 1)

    def find(self, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Give licence and name of the set for each text that is a near copy of one of its rows."""
        for bands in _bands(texts):
            met = Counter(self._row_of[band] for band in bands if band in self._row_of)
            if met:
                row, count = met.most_common(1)[0]
                if count >= FEWEST_BANDS:
                    yield self._sets[self._set_of_row[row]]


def _bands(texts: Sequence[str]) -> Iterator[list[int]]:
    """Give the band keys of each text; none for a short one."""
    column = text_array(pa.array(texts, pa.large_string()), name="text")
    empty: TextColumn = text_array(pa.nulls(len(texts)), name="system_prompt")
    found = sketch_prompts(column, empty)
    for row, text in enumerate(texts):
        keys = found.bands[found.band_offsets[row] : found.band_offsets[row + 1]].tolist()
        yield keys if len(text) >= SHORTEST else []
