"""TokenSpool: the documents of a set as token ids, on disk, so that they are tokenised once and read several times.

Takes documents one after the other. Gives them back by number. Memory: 16 bytes a document and the longest document.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

TOKEN_BYTES = 4


class TokenSpool:
    """Documents in a temporary file, in the order in which they came."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make the file.

        Args:
            folder: where; the system's place for temporary files by default.
        """
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        self._ends = [0]
        self.names: list[str] = []
        """Name of each document: file and place in it."""

    def __enter__(self) -> Self:
        """Open it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, name: str, tokens: NDArray[np.uint32]) -> None:
        """Add a document.

        Args:
            name: file and place.
            tokens: [n].
        """
        self._file.seek(TOKEN_BYTES * self._ends[-1])
        self._file.write(np.ascontiguousarray(tokens, dtype="<u4").tobytes())
        self._ends.append(self._ends[-1] + len(tokens))
        self.names.append(name)

    def __len__(self) -> int:
        """Count the documents."""
        return len(self.names)

    @property
    def tokens(self) -> int:
        """Count the tokens."""
        return self._ends[-1]

    def documents(self) -> Iterator[NDArray[np.uint32]]:
        """Read all documents in order."""
        for number in range(len(self)):
            yield self.document(number)

    def document(self, number: int) -> NDArray[np.uint32]:
        """Read one document."""
        start, stop = self._ends[number], self._ends[number + 1]
        self._file.seek(TOKEN_BYTES * start)
        read = self._file.read(TOKEN_BYTES * (stop - start))
        return np.frombuffer(read, dtype="<u4").astype(np.uint32, copy=False)
