"""UnitStore: the distinct units of a corpus, however large, in bounded memory.

Takes units of text after text, in any order, and other stores. Gives each distinct unit once, in parts that share no seed.

Units wait in memory until they fill it; then they are dealt out to 256 files by their group, whose top bits after scrambling choose
the file, so equal units meet in one file. Each part is sorted by fingerprint at the end. Memory: the budget, or 1/256 of the units if that
is more. Order of adding and merging changes nothing but the order of units within a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.scheme import Units, Words
from stillwatch.watermark.windows import fingerprints, scramble

PARTS = 256
DEFAULT_MEMORY = 1 << 30


class UnitStore:
    """Use as a context manager: its files end with it."""

    def __init__(self, unit_words: int, *, memory_bytes: int = DEFAULT_MEMORY, folder: Path | None = None) -> None:
        """Begin a store.

        Args:
            unit_words: 32-bit words of a unit.
            memory_bytes: units kept in memory before they go to files.
            folder: where a folder for the files is made, should they be needed; the system's temporary one by default.
        """
        self.seen = 0
        """Units added, repeated ones included."""
        self._width = unit_words
        self._budget = max(1 << 16, memory_bytes // 3)  # sorting a part takes about twice its size
        self._folder = folder
        self._files: TemporaryDirectory[str] | None = None
        self._blocks: list[tuple[Words, NDArray[np.uint8]]] = []
        self._held = 0

    def __enter__(self) -> Self:
        """Give the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the files."""
        self.close()

    def close(self) -> None:
        """Forget all units and remove the files."""
        self._blocks.clear()
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    def add(self, units: Units, *, unless_in: NDArray[np.uint64] | None = None) -> None:
        """Add the units of a text.

        Args:
            units: of one text or many.
            unless_in: context fingerprints of the prompt; units with one of them are left out.
        """
        if unless_in is not None and len(unless_in):
            units = units.take(~np.isin(units.contexts, unless_in))
        if not len(units):
            return
        self.seen += len(units)
        self._hold(units.words, (scramble(units.groups) >> np.uint64(56)).astype(np.uint8))

    def merge(self, other: UnitStore) -> None:
        """Add all units of another store of the same scheme, which stays as it is."""
        self.seen += other.seen
        for block, parts in list(other._blocks):
            self._hold(block, parts)
        if other._files is not None:
            for part in range(PARTS):
                for words in other._chunks(part):
                    self._hold(words, np.full(len(words), part, dtype=np.uint8))

    def parts(self) -> Iterator[Words]:
        """Give the distinct units `[n, unit_words]` in one part or, where files were needed, in up to 256."""
        if self._files is None:
            blocks = [words for words, _ in self._blocks]
            if blocks:
                yield distinct(np.concatenate(blocks))
            return
        self._spill()
        for part in range(PARTS):
            path = self._path(part)
            if path.exists():
                yield distinct(np.fromfile(path, dtype=np.uint32).reshape(-1, self._width))

    def _hold(self, words: Words, parts: NDArray[np.uint8]) -> None:
        self._blocks.append((np.ascontiguousarray(words), parts))
        self._held += words.nbytes
        if self._held > self._budget:
            self._condense()
            if self._held > self._budget // 2:
                self._spill()

    def _condense(self) -> None:
        """Drop repeated units among those in memory, which may make room enough."""
        words = np.concatenate([block for block, _ in self._blocks])
        parts = np.concatenate([part for _, part in self._blocks])
        _, first = np.unique(fingerprints(words), return_index=True)
        self._blocks = [(words[first], parts[first])]
        self._held = self._blocks[0][0].nbytes

    def _spill(self) -> None:
        """Deal the units in memory out to the files."""
        if not self._blocks:
            return
        if self._files is None:
            self._files = TemporaryDirectory(prefix="stillwatch-marks-", dir=self._folder)
        words = np.concatenate([block for block, _ in self._blocks])
        parts = np.concatenate([part for _, part in self._blocks])
        self._blocks, self._held = [], 0
        order = np.argsort(parts, kind="stable")
        edges = np.searchsorted(parts[order], np.arange(PARTS + 1))
        for part in range(PARTS):
            if edges[part] < edges[part + 1]:
                with self._path(part).open("ab") as file:
                    words[order[edges[part] : edges[part + 1]]].tofile(file)

    def _path(self, part: int) -> Path:
        assert self._files is not None  # noqa: S101  # only called once there are files
        return Path(self._files.name) / f"part-{part:03}"

    def _chunks(self, part: int) -> Iterator[Words]:
        path = self._path(part)
        if path.exists():
            words = np.fromfile(path, dtype=np.uint32).reshape(-1, self._width)
            step = max(1, self._budget // (4 * self._width))
            yield from (words[start : start + step] for start in range(0, len(words), step))


def distinct(words: Words) -> Words:
    """Give each distinct row once, ordered by fingerprint."""
    prints = fingerprints(words)
    if words.shape[1] <= 2:  # the fingerprint is the row
        prints.sort()
        kept = prints[np.concatenate([[True], prints[1:] != prints[:-1]])] if len(prints) else prints
        if words.shape[1] == 1:
            return kept.astype(np.uint32)[:, np.newaxis]
        return np.stack([(kept >> np.uint64(32)).astype(np.uint32), kept.astype(np.uint32)], axis=1)
    order = np.argsort(prints)
    ordered = prints[order]
    kept_places = order[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(order) else order
    return words[kept_places]
