"""Checks on what a query gave: its columns, its types and its order.

Takes the Arrow table or the saved Parquet files of a query. Gives a table with exactly the declared columns, or raises.
A float never gets through, not even where a cast to integers would succeed, since the engines round differently.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.engines.errors import QueryError, TableError
from stillwatch.records.table import ColumnType, TableSchema

KIND_OF_COLUMN: Mapping[ColumnType, str] = {
    "string": "string",
    "bool": "bool",
    "int32": "integer",
    "int64": "integer",
    "list<int64>": "list of integers",
}
"""What an engine's own type must be, before it is cast to the declared one."""


def kind_of_arrow(type_: pa.DataType) -> str:
    """Return the kind of an Arrow type; wide sums reach Arrow as decimals without a fraction and count as integers."""
    if pa.types.is_integer(type_) or (pa.types.is_decimal(type_) and type_.scale == 0):
        return "integer"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "string"
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_list(type_) and kind_of_arrow(type_.value_type) == "integer":
        return "list of integers"
    return str(type_)


def refuse_missing_tables(*, query: str, reads: Sequence[str], known: Collection[str]) -> None:
    """Raise when a table that the query reads is neither registered nor saved.

    Raises:
        TableError: with what is missing and what is there.
    """
    missing = sorted(set(reads) - set(known))
    if missing:
        raise TableError(
            f"query {query!r} reads {', '.join(missing)}, which is not there; there are"
            f" {', '.join(sorted(known)) or 'no tables'}; register it, or save the query that makes it first"
        )


def refuse_other_columns(*, query: str, kinds: Mapping[str, str], gives: TableSchema) -> None:
    """Raise when a result's columns are not the declared ones.

    Args:
        query: The query's name.
        kinds: Column name to kind, as the engine gives them.
        gives: Declared columns.

    Raises:
        TableError: with what is missing, what was not declared, and what has another type.
    """
    wrong = [f"column {name!r} is declared and missing" for name in gives.names if name not in kinds]
    wrong += [f"column {name!r} is given and not declared" for name in kinds if name not in gives.names]
    for column in gives.columns:
        kind = kinds.get(column.name)
        if kind is not None and kind not in (KIND_OF_COLUMN[column.type], "null"):
            wrong.append(f"column {column.name!r} is declared {column.type}, the SQL gives {kind}")
    if wrong:
        raise TableError(f"query {query!r} does not give what it declares: {'; '.join(wrong)}")


def cast_result(*, query: str, table: pa.Table, gives: TableSchema) -> pa.Table:
    """Return the table with the declared column order and types.

    Raises:
        TableError: when columns differ, an integer does not fit its type, or a required column holds a null.
    """
    kinds = {field.name: kind_of_arrow(field.type) for field in table.schema}
    refuse_other_columns(query=query, kinds=kinds, gives=gives)
    schema = arrow_schema(gives)
    columns = []
    for column, field in zip(gives.columns, schema, strict=True):
        data = table.column(column.name)
        if column.required and data.null_count:
            raise TableError(f"query {query!r} gives {data.null_count} nulls in required column {column.name!r}")
        try:
            columns.append(data.cast(field.type))
        except pa.ArrowInvalid:
            # The original message holds the value; only the column is named.
            raise TableError(
                f"query {query!r} gives values in column {column.name!r} that do not fit {column.type}"
            ) from None
    return pa.Table.from_arrays(columns, schema=schema)


def refuse_open_order(*, query: str, table: pa.Table, keys: Sequence[str]) -> None:
    """Raise when the ORDER BY leaves the order of two different rows open.

    Rows that are equal in the keys are neighbours in a sorted result, so that comparing neighbours suffices.

    Args:
        query: The query's name.
        table: The sorted result.
        keys: Columns by which it is sorted.

    Raises:
        QueryError: with the number of the first such row, counted from 0.
    """
    if table.num_rows < 2:
        return
    tied = np.ones(table.num_rows - 1, dtype=bool)
    for name in keys:
        tied &= _equals_next(table.column(name))
    rest = [name for name in table.column_names if name not in keys]
    if not tied.any():
        return
    same = np.ones(table.num_rows - 1, dtype=bool)
    for name in rest:
        same &= _equals_next(table.column(name))
    open_rows = np.flatnonzero(tied & ~same)
    if len(open_rows):
        raise QueryError(
            f"query {query!r} sorts by {', '.join(keys)}, which leaves the order of rows {open_rows[0]} and"
            f" {open_rows[0] + 1} open ({len(open_rows)} such pairs); add columns to its ORDER BY until no two"
            " different rows tie"
        )


def refuse_saved_nulls(*, query: str, files: Sequence[Path], gives: TableSchema) -> None:
    """Raise when a required column of saved Parquet files holds a null, by the null counts that the files carry.

    Raises:
        TableError: with the column, or when a file carries no null count for it.
    """
    required = {column.name for column in gives.columns if column.required}
    for file in files:
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(index)
                if chunk.path_in_schema not in required:
                    continue
                if not chunk.is_stats_set or not chunk.statistics.has_null_count:
                    raise TableError(f"query {query!r}: {file.name} has no null count of {chunk.path_in_schema!r}")
                if chunk.statistics.null_count:
                    raise TableError(
                        f"query {query!r} gives {chunk.statistics.null_count} nulls in required column"
                        f" {chunk.path_in_schema!r}"
                    )


def _equals_next(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each row but the last whether the next one is equal; a null equals a null. Bool [rows - 1]."""
    if pa.types.is_list(column.type):
        values = column.to_pylist()
        return np.fromiter((a == b for a, b in pairwise(values)), dtype=bool, count=len(values) - 1)
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # combine_chunks keeps chunks where offsets would overflow
        array = pa.concat_arrays(array.chunks)
    here, after = array.slice(0, len(array) - 1), array.slice(1)
    equal = pc.fill_null(pc.equal(here, after), False)
    both_null = pc.and_(pc.is_null(here), pc.is_null(after))
    return np.asarray(pc.or_(equal, both_null).to_numpy(zero_copy_only=False), dtype=bool)
