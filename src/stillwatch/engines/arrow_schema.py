"""Column schemas as Arrow schemas, and tables made to fit them.

Takes a `TableSchema` of records, and any table or batch. Gives the Arrow schema, and the same rows with exactly those
columns: ordered, cast, and with null where a nullable column was not there. A cast that would lose a value raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pyarrow as pa

from stillwatch.engines.errors import TableError
from stillwatch.records.table import ColumnType, TableSchema

TableOrBatch = TypeVar("TableOrBatch", pa.Table, pa.RecordBatch)

ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<int64>": pa.list_(pa.int64()),
}
"""Logical column type to Arrow type."""


def arrow_schema(table_schema: TableSchema) -> pa.Schema:
    """Return the Arrow schema of a table; a required column is a field that is not nullable."""
    return pa.schema(
        [
            pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required)
            for column in table_schema.columns
        ]
    )


def conform(data: TableOrBatch, schema: pa.Schema) -> TableOrBatch:
    """Return the same rows with exactly the columns of a schema.

    Args:
        data: Table or record batch [n rows]; columns that the schema does not name are left out.
        schema: Columns wanted, in order.

    Returns:
        Table or record batch [n rows], as given.

    Raises:
        TableError: for a required column that is missing or holds a null, or a value that does not fit its type.
    """
    columns = [_conform_column(data, field) for field in schema]
    if isinstance(data, pa.Table):
        return pa.Table.from_arrays(columns, schema=schema)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _conform_column(data: pa.Table | pa.RecordBatch, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    """Return one column, cast; null where it is not there."""
    places = data.schema.get_all_field_indices(field.name)
    if len(places) > 1:
        raise TableError(
            f"column {field.name!r}: got {len(places)} columns of that name, expected one; rename the others"
        )
    if not places:
        if not field.nullable:
            raise TableError(
                f"column {field.name!r}: got a table without it, expected {field.type} in every row; "
                f"the table has {', '.join(data.schema.names) or 'no columns'}"
            )
        return pa.nulls(data.num_rows, field.type)
    column = data.column(places[0])
    if not field.nullable and column.null_count:
        raise TableError(
            f"column {field.name!r}: got {column.null_count} nulls in {data.num_rows} rows, expected a value in every row"
        )
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # The foreign message may quote a cell, so only the types are passed on.
        raise TableError(
            f"column {field.name!r}: got {column.type}, expected {field.type}, and a value does not fit; "
            "correct the column where it is made"
        ) from None
