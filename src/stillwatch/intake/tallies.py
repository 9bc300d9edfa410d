"""Tallies: how much of each file was read, and the stop when most of a file was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stillwatch.intake.errors import MostlyUnreadableError
from stillwatch.intake.split import SplitOutput

FEW = 4
"""Lines below which a file is too short to be judged."""


class FileTallies:
    """Adds up the outputs of splits by file."""

    def __init__(self, paths: Mapping[int, str]) -> None:
        """Begin with nothing read.

        Args:
            paths: path of each file that is to be judged, by its number.
        """
        self._paths = paths
        self._read: Counter[int] = Counter()
        self._quarantined: Counter[int] = Counter()
        self._reasons: dict[int, Counter[str]] = {}
        self._numbers = {path: number for number, path in paths.items()}

    def add(self, output: SplitOutput) -> None:
        """Add one output."""
        for tally in output.tallies:
            self._read[tally.source_no] += tally.read
            self._quarantined[tally.source_no] += tally.quarantined
        for entry in output.quarantined:
            number = self._numbers.get(entry.file)
            if number is not None:
                self._reasons.setdefault(number, Counter())[entry.reason] += 1

    def check(self) -> None:
        """Stop when a file is mostly unreadable.

        Raises:
            MostlyUnreadableError: when a file has at least 4 lines and more than half of them were quarantined.
        """
        for number, path in self._paths.items():
            read, failed = self._read[number], self._quarantined[number]
            if read >= FEW and failed * 2 > read:
                reasons = self._reasons.get(number, Counter())
                said = f" (most often: {reasons.most_common(1)[0][0]})" if reasons else ""
                raise MostlyUnreadableError(
                    f"{path}: {failed} of {read} lines could not be read{said}. The file is probably of another format "
                    "or damaged; force a format with `--format`, declare what the message names, or leave the file out"
                )
