"""Our own source code in what was sent: runs of three lines that stand in our repositories too, and canary texts.

Takes the files of repositories. Gives matches by file. A line counts where it is long enough to be somebody's own; three in a row, in the
same order, are no chance. Cost: one look-up for each line of a text.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST_LINE = 12
"""Characters of a line without its indentation."""
RUN = 3
FEWEST_RUNS = 2
"""Runs of lines that a text must share with one file."""
MOST_FILE_BYTES = 2 << 20
ENDINGS = frozenset({
    ".py", ".js", ".ts", ".tsx", ".jsx", ".java", ".kt", ".go", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".rb", ".php", ".swift", ".scala",
    ".sql", ".sh", ".tf", ".yaml", ".yml", ".md", ".ipynb", ".proto", ".vue", ".m", ".r", ".jl", ".lua", ".ex", ".erl", ".hs", ".ml",
})  # fmt: skip


class RepositoryIndex:
    """Lines of repositories."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lines: set[bytes] = set()
        self._runs: dict[tuple[bytes, ...], int] = {}
        self._files: list[str] = []

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files)

    def add(self, root: Path) -> None:
        """Add the source files below a folder; version control's own folders are passed over."""
        for path in _source_files(root):
            content = path.read_bytes()
            if len(content) <= MOST_FILE_BYTES and b"\0" not in content:
                self._files.append(f"{root.name}/{path.relative_to(root)}")
                lines = list(_lines(content))
                self._lines.update(lines)
                for run in _runs(lines):
                    # A run that several files share tells of none of them.
                    known = self._runs.setdefault(run, len(self._files) - 1)
                    if known != len(self._files) - 1:
                        self._runs[run] = -1

    def matches(self, text: bytes) -> Iterator[tuple[str, int]]:
        """Give the files that a text shares code with, and how many runs of lines."""
        if text.count(b"\n") < RUN - 1:
            return
        lines = [line for line in _lines(text) if line in self._lines]
        if len(lines) < RUN:
            return
        found = Counter(place for run in _runs(lines) if (place := self._runs.get(run, -1)) >= 0)
        for place, count in found.items():
            if count >= FEWEST_RUNS:
                yield self._files[place], count


def _source_files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and one not in {"node_modules", "__pycache__", "vendor"}
        )
        for name in sorted(names):
            if Path(name).suffix.lower() in ENDINGS:
                yield Path(folder) / name


def _lines(content: bytes) -> Iterator[bytes]:
    for line in content.split(b"\n"):
        bare = line.strip()
        if len(bare) >= SHORTEST_LINE:
            yield bare


def _runs(lines: list[bytes]) -> Iterable[tuple[bytes, ...]]:
    return (tuple(lines[place : place + RUN]) for place in range(len(lines) - RUN + 1))
