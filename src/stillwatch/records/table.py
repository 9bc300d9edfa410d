"""Column schemas, said once and without any table library, so that every engine can build its own from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["string", "bool", "int32", "int64", "float64", "list<int64>"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """Lower-case words joined by underscores."""
    type: ColumnType
    """Logical type; times are `int64` microseconds since the Unix epoch, UTC; hashes are signed `int64`."""
    about: str
    """One sentence: meaning, unit and range."""
    required: bool = False
    """True where a null is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """The ordered columns of a table."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: when the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}; it has {', '.join(self.names)}")
