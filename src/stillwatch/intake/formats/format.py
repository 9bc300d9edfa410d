"""Format: how one source's records become flat rows. A joiner where one exchange is spread over several records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from stillwatch.intake.settings import IntakeSettings

FlatRow = dict[str, Any]
"""Values by flat name (`exchange_batch.FLAT_NAMES`), as the source writes them; absent where the source has none."""

Record = Mapping[str, Any]

Parsed = tuple[Mapping[str, Any], Record]
"""A flat row and the record in which `account_field` and `time_field` are looked up."""


class Place(NamedTuple):
    """Where a record lies. A tuple, since one is made for every line."""

    source: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An exchange put together from several records; its place is that of the record which holds the request."""

    row: Mapping[str, Any]
    record: Record
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A record that belongs to no exchange of the input."""

    place: Place
    reason: str


class Joiner(Protocol):
    """Puts exchanges together. Fed in the order of the files; memory is bounded by the exchanges still open."""

    def add(self, record: Any, place: Place) -> Iterable[Joined | Orphan]:
        """Take a record (for a text format, a line of text) and give what it completes.

        Raises:
            RecordError: when the record is none of this format.
        """

    def finish(self) -> Iterable[Joined | Orphan]:
        """Give what is still open at the end."""

    def notes(self) -> Mapping[str, int]:
        """Count what was passed over on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A log format."""

    name: str
    """Word for `--format`."""
    title: str
    about: str
    """One sentence: which product writes it, and where."""
    fills: tuple[str, ...]
    """Columns of `EXCHANGE` that it can fill."""
    gotchas: tuple[str, ...]
    """What a person must know or declare."""
    needs: str = "Declare what the reason names."
    """What a person must declare when records of this format fail for want of a time or an account."""
    matches: Callable[[Sequence[Any]], float]
    """Share of sample records (text format: lines of text), 0 to 1, that are of this format."""
    parse: Callable[[Record, IntakeSettings], Iterable[Parsed]] | None = None
    """Gives the flat rows of one record; raises `RecordError`. Null for a format that joins."""
    joiner: Callable[[IntakeSettings], Joiner] | None = None
    """Makes a joiner for one group of files."""
    joins_within: Literal["run", "folder"] = "folder"
    """Files that are joined with each other: all of the run, or those of one folder."""
    text: bool = False
    """True where records are lines of text rather than JSON."""
    naive_zone: str | None = None
    """Zone of times without one, where the source is known to write them in it."""


def share(records: Sequence[Any], is_of: Callable[[Record], bool]) -> float:
    """Give the share of records that are mappings of which `is_of` is true; 0 for no records."""
    if not records:
        return 0.0
    return sum(1 for record in records if isinstance(record, Mapping) and is_of(record)) / len(records)


def has(record: Record, *names: str) -> bool:
    """Say whether a record has all of these keys."""
    return all(name in record for name in names)


def mapping(value: object) -> Record:
    """Give a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def first(*values: Any) -> Any:
    """Give the first value that is neither null nor empty text."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


def without_nulls(row: FlatRow) -> FlatRow:
    """Leave out what the source does not say."""
    return {name: value for name, value in row.items() if value is not None}


def single(row: FlatRow, record: Record) -> Iterator[Parsed]:
    """Give one row of one record."""
    yield without_nulls(row), record
