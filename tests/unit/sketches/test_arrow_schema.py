"""Arrow schemas of records, and tables made to fit them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.engines.arrow_schema import arrow_schema, conform
from stillwatch.engines.errors import TableError
from stillwatch.records.exchange import EXCHANGE
from stillwatch.records.sketch import SKETCH
from stillwatch.records.table import Column, TableSchema

SMALL = arrow_schema(
    TableSchema(
        name="small",
        columns=(
            Column(name="id", type="string", required=True, about="Id."),
            Column(name="count", type="int32", about="Count."),
            Column(name="values", type="list<int64>", about="Values."),
            Column(name="share", type="float64", about="Share."),
            Column(name="known", type="bool", about="Known."),
        ),
    )
)


def test_types_and_nullability_follow_the_records() -> None:
    for table in (EXCHANGE, SKETCH):
        schema = arrow_schema(table)
        assert tuple(schema.names) == table.names
        assert [not field.nullable for field in schema] == [column.required for column in table.columns]
    assert SMALL.types == [pa.string(), pa.int32(), pa.list_(pa.int64()), pa.float64(), pa.bool_()]


@pytest.mark.parametrize("kind", [pa.Table, pa.RecordBatch])
def test_columns_are_ordered_cast_and_filled(kind: type) -> None:
    given = kind.from_pydict(
        {
            "other": pa.array([9, 9]),
            "count": pa.array([1, None], pa.int64()),
            "id": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    fitted = conform(given, SMALL)
    assert isinstance(fitted, kind)
    assert fitted.schema.equals(SMALL)
    assert fitted.to_pylist() == [
        {"id": "a", "count": 1, "values": None, "share": None, "known": None},
        {"id": "b", "count": None, "values": None, "share": None, "known": None},
    ]


def test_a_table_without_rows_fits() -> None:
    assert conform(pa.table({"id": pa.array([], pa.string())}), SMALL).num_rows == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"count": pa.array([1])}, "column 'id': got a table without it"),
        ({"id": pa.array(["a", None])}, "column 'id': got 1 nulls in 2 rows"),
        ({"id": pa.array(["a"]), "count": pa.array([2**40])}, "column 'count': got int64, expected int32"),
        ({"id": pa.array(["a"]), "count": pa.array(["private"])}, "column 'count': got string, expected int32"),
        ({"id": pa.array(["a"]), "values": pa.array([1])}, "column 'values': got int64"),
    ],
)
def test_what_does_not_fit_is_refused_without_quoting_it(columns: dict[str, pa.Array], message: str) -> None:
    with pytest.raises(TableError, match=message) as raised:
        conform(pa.table(columns), SMALL)
    assert "private" not in str(raised.value)


def test_a_column_twice_is_refused() -> None:
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])
    with pytest.raises(TableError, match="got 2 columns of that name"):
        conform(twice, SMALL)
