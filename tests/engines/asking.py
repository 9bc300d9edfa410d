"""Short ways to write queries and schemas in the engines' tests."""

from __future__ import annotations

from stillwatch.engines import Query
from stillwatch.records.table import Column, ColumnType, TableSchema


def schema(name: str, required: tuple[str, ...] = (), **columns: ColumnType) -> TableSchema:
    return TableSchema(
        name=name,
        columns=tuple(
            Column(name=key, type=value, about=key, required=key in required) for key, value in columns.items()
        ),
    )


def query(sql: str, *reads: str, name: str = "answer", required: tuple[str, ...] = (), **columns: ColumnType) -> Query:
    return Query(name=name, sql=sql, reads=reads, gives=schema(name, required, **columns), about="A test's question.")
