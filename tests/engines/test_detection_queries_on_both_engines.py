"""Every query that detection defines, on both engines, over the same random rows: the answers must be equal.

Nothing here knows a query by name. Module-level `Query` objects below `stillwatch.detection` are found, ordered by what
they read, and run; Spark gets the rows shuffled and cut otherwise, so that input order may not matter either.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asking import schema

import stillwatch.detection
import stillwatch.records
from stillwatch.engines import Engine, Query, open_engine
from stillwatch.engines.arrow_schema import arrow_schema, conform
from stillwatch.engines.rules import code_of
from stillwatch.integrity.digest import digest_table
from stillwatch.records.sketch import SKETCH
from stillwatch.records.table import Column, TableSchema

ROWS = 1_500
ACCOUNTS = 30
DAYS = 10
MODELS = ("m-1", "m-2", "é")
SEED = 20_261_123
FIRST_US = 1_780_000_000_000_000
BASE_SCHEMAS: Mapping[str, TableSchema] = {
    "deliveries": SKETCH,
    "sketches": SKETCH,
    "sampling": schema("sampling", required=("per_account",), per_account="int64"),
}
"""Input tables whose schema has another name, or none; all others are found by the name of their `TableSchema`."""


def modules_below(package: ModuleType) -> Iterator[ModuleType]:
    for folder in package.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            yield importlib.import_module(".".join([package.__name__, *inner]).removesuffix(".__init__"))


def found_objects(package: ModuleType, kind: type) -> list[object]:
    found: dict[int, object] = {}
    for module in modules_below(package):
        for value in vars(module).values():
            for item in value if isinstance(value, (tuple, list)) else [value]:
                if isinstance(item, kind):
                    found[id(item)] = item
    return list(found.values())


QUERIES = {query.name: query for query in found_objects(stillwatch.detection, Query)}  # type: ignore[attr-defined]
SCHEMAS = {
    found.name: found  # type: ignore[attr-defined]
    for package in (stillwatch.detection, stillwatch.records)
    for found in found_objects(package, TableSchema)
} | BASE_SCHEMAS
ORDER = [
    name
    for name in TopologicalSorter({query.name: set(query.reads) for query in QUERIES.values()}).static_order()
    if name in QUERIES
]
BASE_TABLES = sorted({table for query in QUERIES.values() for table in query.reads} - set(QUERIES))


def random_column(column: Column, rows: int, rng: np.random.Generator) -> pa.Array:
    """Return few different values, so that groups and joins meet; negatives, zeros, nulls and empty lists among them."""
    mask = None if column.required else rng.random(rows) < 0.2
    if column.type == "string":
        words = np.array(["a", "B", "é", "\ufffd", "\U00010000", "", "zz"])
        return pa.array(words[rng.integers(0, len(words), rows)], mask=mask)
    if column.type == "bool":
        return pa.array(rng.random(rows) < 0.5, mask=mask)
    if column.type == "int32":
        return pa.array(rng.integers(0, 40, rows).astype(np.int32), mask=mask)
    hashes = rng.integers(-(2**63), 2**63 - 1, 40)
    if column.type == "int64":
        return pa.array(rng.choice(hashes, rows), mask=mask)
    assert column.type == "list<int64>", f"no random values for {column.type}"
    lengths = rng.integers(0, 6, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rng.choice(hashes, offsets[-1])), mask=pa.array(mask))


def random_sketches(rng: np.random.Generator) -> pa.Table:
    """Return exchanges of a few accounts over a few days, with repeated deliveries and equal times."""
    columns = {column.name: random_column(column, ROWS, rng) for column in SKETCH.columns}
    account = rng.integers(0, ACCOUNTS, ROWS)
    seconds = rng.integers(0, DAYS * 86_400, ROWS)
    time_us = FIRST_US + seconds * 1_000_000
    columns |= {
        "account_id": pa.array([f"account-{number}" for number in account]),
        "account": pa.array((account - ACCOUNTS // 2) * np.int64(123_456_789_012_345_677)),
        "time_us": pa.array(time_us),
        "day": pa.array((time_us // 86_400_000_000).astype(np.int32)),
        "hour": pa.array((time_us // 3_600_000_000).astype(np.int32)),
        "minute": pa.array((time_us // 60_000_000).astype(np.int32)),
        "delivery": pa.array(rng.integers(-(2**63), 2**63 - 1, ROWS)[rng.integers(0, ROWS, ROWS)]),
        "source_no": pa.array(rng.integers(0, 3, ROWS).astype(np.int32)),
        "source_offset": pa.array(rng.permutation(ROWS).astype(np.int64)),
        "intent": pa.array(rng.integers(0, 2**13, ROWS).astype(np.int32)),
        "model": pa.array(np.array(MODELS)[rng.integers(0, len(MODELS), ROWS)], mask=rng.random(ROWS) < 0.1),
    }
    return conform(pa.table(columns), arrow_schema(SKETCH))


def base_table(name: str, sketches: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return an input table: the sketches, or a few rows that are unique in their first column and join with them."""
    assert name in SCHEMAS, f"input table {name!r}: no TableSchema of that name is defined; add it to BASE_SCHEMAS"
    wanted = SCHEMAS[name]
    if wanted is SKETCH:
        return sketches
    if name == "sampling":
        return pa.table({"per_account": pa.array([20], pa.int64())})
    rows = ACCOUNTS * 2 // 3
    columns = {column.name: random_column(column, rows, rng) for column in wanted.columns}
    for column in wanted.columns:
        if column.name.endswith("_us"):
            columns[column.name] = pa.array(FIRST_US + rng.integers(0, DAYS * 86_400_000_000, rows))
        if column.name == "model":
            columns[column.name] = pa.array([*MODELS, *(f"unused-{number}" for number in range(rows - len(MODELS)))])
    for key in ("account", "account_id"):
        if key in columns:
            known = sketches.column(key).unique().to_pylist()
            columns[key] = pa.array([known[place] for place in rng.permutation(len(known))[:rows]])
    first = wanted.columns[0].name
    table = conform(pa.table(columns), arrow_schema(wanted))
    kept = np.unique(np.array(table.column(first).to_pylist(), dtype=object).astype(str), return_index=True)[1]
    return table.take(pa.array(np.sort(kept)))


def shuffled(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Return the rows in another order and in other batches."""
    mixed = table.take(pa.array(rng.permutation(table.num_rows)))
    cut = table.num_rows // 3
    return pa.concat_tables([mixed.slice(cut), mixed.slice(0, cut)])


def has_order(query: Query) -> bool:
    tail = code_of(query.sql).rsplit(")", 1)[-1]
    return re.search(r"\bORDER\s+BY\b", tail, re.IGNORECASE) is not None


def answers(engine: Engine, work: Path, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Return each query's answer; its rows in their own order where it has one, else as they were saved."""
    for name, table in tables.items():
        engine.register(name, table)
    given: dict[str, pa.Table] = {}
    read_by_others = {table for query in QUERIES.values() for table in query.reads}
    for name in ORDER:
        query = QUERIES[name]
        if name in read_by_others or not has_order(query):
            engine.save(query)
        given[name] = engine.run(query) if has_order(query) else pq.read_table(work / name)
    return given


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    rng = np.random.default_rng(SEED)
    sketches = random_sketches(rng)
    return {name: base_table(name, sketches, rng) for name in BASE_TABLES}


@pytest.fixture(scope="module")
def on_duckdb(tables: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    work = tmp_path_factory.mktemp("duckdb")
    engine = open_engine("duckdb", work=work, memory_limit_bytes=512 << 20, threads=1)
    given = answers(engine, work, tables)
    engine.close()
    return given


def mixed_answers(name: str, tables: dict[str, pa.Table], work: Path) -> dict[str, pa.Table]:
    rng = np.random.default_rng(SEED + 1)
    engine = open_engine(name, work=work, memory_limit_bytes=512 << 20, threads=2)
    given = answers(engine, work, {table: shuffled(rows, rng) for table, rows in tables.items()})
    engine.close()
    return given


@pytest.fixture(scope="module")
def on_duckdb_shuffled(tables: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    return mixed_answers("duckdb", tables, tmp_path_factory.mktemp("shuffled"))


@pytest.fixture(scope="module")
def on_spark(
    tables: dict[str, pa.Table], running_spark: Engine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pa.Table]:
    assert running_spark.name == "spark"
    return mixed_answers("spark", tables, tmp_path_factory.mktemp("spark-queries"))


def assert_equal_answers(query: Query, one: pa.Table, other: pa.Table) -> None:
    assert one.num_rows == other.num_rows
    if has_order(query):
        assert one.equals(other)
        assert digest_table(one) == digest_table(other)
    else:
        assert digest_table(one, ordered=False) == digest_table(other, ordered=False)


def test_detection_has_queries_with_names_of_their_own() -> None:
    found = found_objects(stillwatch.detection, Query)
    assert found
    assert len(QUERIES) == len(found), "two queries share a name, or one stands in two places as two objects"
    assert not set(QUERIES) & set(BASE_TABLES)


@pytest.mark.parametrize("name", ORDER)
def test_the_random_rows_give_the_query_something_to_do(name: str, on_duckdb: dict[str, pa.Table]) -> None:
    assert on_duckdb[name].num_rows > 0


@pytest.mark.parametrize("name", ORDER)
def test_input_order_does_not_matter(
    name: str, on_duckdb: dict[str, pa.Table], on_duckdb_shuffled: dict[str, pa.Table]
) -> None:
    assert_equal_answers(QUERIES[name], on_duckdb[name], on_duckdb_shuffled[name])


@pytest.mark.spark
@pytest.mark.parametrize("name", ORDER)
def test_both_engines_give_the_same_rows(
    name: str, on_duckdb: dict[str, pa.Table], on_spark: dict[str, pa.Table]
) -> None:
    assert_equal_answers(QUERIES[name], on_duckdb[name], on_spark[name])
