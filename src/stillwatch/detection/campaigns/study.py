"""The study: sampled exchanges of the accounts of a few candidates, as columns in memory.

Takes the rows of `STUDY`. Gives arrays ordered by (account number, delivery hash). At most about `per_account` rows for each
account, so memory is linear in the accounts under study; `reading.py` bounds how many those are at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.links.attributes import ranges
from stillwatch.detection.links.kinds import Kind

Integers = npt.NDArray[np.int64]

# Kinds whose values rows are searched for: what the prompts share.
LIST_KINDS = {Kind.SPAN: "spans", Kind.BAND: "bands"}
SCALAR_KINDS = {
    Kind.SHAPE: "shape",
    Kind.PREFIX: "prefix",
    Kind.SUFFIX: "suffix",
    Kind.SYSTEM: "system",
}


@dataclass(frozen=True, slots=True)
class Values:
    """A nullable integer column."""

    values: Integers
    """[r] value, 0 where null."""
    known: npt.NDArray[np.bool_]
    """[r] true where not null."""


@dataclass(frozen=True, slots=True)
class Lists:
    """A column of integer lists."""

    starts: Integers
    """[r + 1]"""
    values: Integers


class Study:
    """Columns of the sampled exchanges, read lazily from Arrow."""

    def __init__(self, rows: pa.Table, account_hashes: Integers) -> None:
        """Keep the rows; `account_hashes` are all accounts' hashes, ascending."""
        self._rows = rows.combine_chunks()
        self._columns: dict[str, Values] = {}
        self._lists: dict[str, Lists] = {}
        self.numbers: Integers = np.searchsorted(account_hashes, rows["account"].to_numpy())
        order = np.argsort(self.numbers, kind="stable")
        if np.any(order[1:] < order[:-1]):
            self._rows = self._rows.take(pa.array(order))
            self.numbers = self.numbers[order]

    def __len__(self) -> int:
        """Return the number of sampled exchanges."""
        return len(self.numbers)

    def column(self, name: str) -> Values:
        """Return an integer column with its mask of known values."""
        if name not in self._columns:
            chunk = self._rows[name]
            known = pc.is_valid(chunk).to_numpy(zero_copy_only=False)
            values = pc.fill_null(chunk, 0).to_numpy().astype(np.int64)
            self._columns[name] = Values(values, known)
        return self._columns[name]

    def lists(self, name: str) -> Lists:
        """Return a list column as offsets and flat values."""
        if name not in self._lists:
            column = self._rows[name]
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
            flat = pc.list_flatten(column).to_numpy().astype(np.int64)
            self._lists[name] = Lists(np.concatenate(([0], np.cumsum(lengths))), flat)
        return self._lists[name]

    def text(self, name: str, rows: Integers) -> list[str | None]:
        """Return a string column at some rows."""
        found: list[str | None] = self._rows[name].take(pa.array(rows)).to_pylist()
        return found

    def rows_of(self, members: Integers) -> Integers:
        """Return the rows of these accounts, ascending."""
        starts = np.searchsorted(self.numbers, members, side="left")
        ends = np.searchsorted(self.numbers, members, side="right")
        return ranges(starts, ends)

    def carrying(self, rows: Integers, kind: Kind, wanted: Integers) -> npt.NDArray[np.bool_]:
        """Tell which of the rows carry one of the wanted values of a kind; `wanted` must be sorted."""
        if kind in SCALAR_KINDS:
            column = self.column(SCALAR_KINDS[kind])
            return column.known[rows] & in_sorted(column.values[rows], wanted)
        owner, flat = self.listed(rows, LIST_KINDS[kind])
        found = np.zeros(len(rows), dtype=bool)
        found[owner[in_sorted(flat, wanted)]] = True
        return found

    def listed(self, rows: Integers, name: str) -> tuple[Integers, Integers]:
        """Return (position in `rows`, value) of every list element of the rows."""
        lists = self.lists(name)
        starts, ends = lists.starts[rows], lists.starts[rows + 1]
        return np.repeat(np.arange(len(rows)), ends - starts), lists.values[ranges(starts, ends)]


def in_sorted(values: Integers, wanted: Integers) -> npt.NDArray[np.bool_]:
    """Tell which values occur in a sorted array."""
    if not len(wanted):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)
    found: npt.NDArray[np.bool_] = wanted[places] == values
    return found
