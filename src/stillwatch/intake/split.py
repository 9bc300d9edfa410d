"""Split: a unit of work that any engine can hand to a worker, and what the worker gives back for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from stillwatch.intake.sources import Kind
from stillwatch.records.campaign import Quarantined

Layout = Literal["lines", "documents", "rows"]
"""One record per line; JSON documents over several lines or in an array; rows of Parquet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of one file."""

    path: str
    number: int
    """Number of the source file."""
    kind: Kind
    layout: Layout
    start: int
    """First byte, or first row group."""
    stop: int | None
    """End, exclusive; null for the end of the file."""
    first_row: int = 0
    """Number in the file of the first row of the first row group."""
    whole: bool = True
    """True where the piece is the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Pieces of one format that one worker reads in order."""

    format_name: str
    pieces: tuple[Piece, ...]

    def to_json(self) -> str:
        """Give the split as JSON text."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Split:
        """Read what `to_json` gave."""
        values = orjson.loads(text)
        return cls(format_name=values["format_name"], pieces=tuple(Piece(**piece) for piece in values["pieces"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many records of a file were read, and how many of them could not be."""

    source_no: int
    read: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOutput:
    """A batch of exchanges and what was set aside on the way to it."""

    batch: Any
    """Arrow record batch of `EXCHANGE`, at most 65,536 rows and 64 MB of text; may be empty."""
    quarantined: tuple[Quarantined, ...]
    rows_read: int
    """Records read since the output before, quarantined ones included, blank lines not."""
    tallies: tuple[Tally, ...]
    """The same, by file."""
    notes: tuple[tuple[str, int], ...]
    """(what, how often): values that were clamped or set to null, lines of other programs passed over."""
