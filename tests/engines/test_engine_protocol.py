"""What every engine promises, on every engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asking import query, schema

from stillwatch.engines import Engine, open_engine
from stillwatch.engines.errors import EngineError, EngineUnavailableError, QueryError, RunError, TableError
from stillwatch.integrity.errors import DigestError

NUMBERS = schema(
    "numbers", required=("split", "place"), split="int64", place="int32", word="string", parts="list<int64>"
)
PROMPT_TEXT = "the text of a prompt"


def batches_of(rows: int, batch_rows: int) -> Callable[[str], Iterator[pa.RecordBatch]]:
    """Return a split function, nested so that it travels to Spark's workers by value."""

    def function(split: str) -> Iterator[pa.RecordBatch]:
        number = json.loads(split)["number"]
        for start in range(0, rows, batch_rows):
            places = list(range(start, min(start + batch_rows, rows)))
            yield pa.record_batch(
                {
                    "parts": pa.array(
                        [[number, place] if place % 3 else None for place in places], pa.list_(pa.int64())
                    ),
                    "place": pa.array(places, pa.int64()),
                    "split": pa.array([number] * len(places), pa.int64()),
                }
            )

    return function


def splits(count: int, first: int = 0) -> list[str]:
    return [json.dumps({"number": number}) for number in range(first, first + count)]


ALL_NUMBERS = query(
    "SELECT split, place, word, parts FROM numbers ORDER BY split, place",
    "numbers",
    required=("split", "place"),
    split="int64",
    place="int32",
    word="string",
    parts="list<int64>",
)


def test_map_splits_gives_all_rows_whatever_the_batches(engine: Engine) -> None:
    told: list[int] = []
    engine.map_splits(splits(5), batches_of(7, 3), NUMBERS, "numbers", told.append)
    once = engine.run(ALL_NUMBERS)
    assert told == [1] * 5
    assert once.column("split").to_pylist() == [number for number in range(5) for _ in range(7)]
    assert once.column("place").to_pylist() == list(range(7)) * 5
    assert once.column("word").null_count == 35
    assert once.column("parts").to_pylist()[:3] == [None, [0, 1], [0, 2]]


def test_map_splits_appends_within_one_engine_and_starts_anew_in_the_next(engine: Engine, tmp_path: Path) -> None:
    engine.map_splits(splits(2), batches_of(3, 2), NUMBERS, "numbers", lambda _: None)
    engine.map_splits(splits(2, first=2), batches_of(3, 1), NUMBERS, "numbers", lambda _: None)
    assert engine.run(ALL_NUMBERS).num_rows == 12
    engine.close()
    again = open_engine(engine.name, work=tmp_path / engine.name, memory_limit_bytes=512 << 20, threads=2)
    again.map_splits(splits(1), batches_of(3, 2), NUMBERS, "numbers", lambda _: None)
    assert again.run(ALL_NUMBERS).num_rows == 3
    again.close()


def test_map_splits_without_rows_or_splits_gives_an_empty_table(engine: Engine) -> None:
    engine.map_splits([], batches_of(3, 1), NUMBERS, "numbers", lambda _: None)
    empty = engine.run(ALL_NUMBERS)
    assert empty.num_rows == 0
    assert empty.column_names == ["split", "place", "word", "parts"]
    engine.map_splits(splits(3), batches_of(0, 1), NUMBERS, "nothing", lambda _: None)
    assert engine.run(query("SELECT count(*) AS n FROM nothing ORDER BY n", "nothing", n="int64")).to_pylist() == [
        {"n": 0}
    ]


def test_progress_is_told_in_the_callers_thread(engine: Engine) -> None:
    threads = set()
    engine.map_splits(splits(3), batches_of(1, 1), NUMBERS, "numbers", lambda _: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


def test_a_split_that_raises_our_error_raises_the_same_error_here(engine: Engine) -> None:
    def function(split: str) -> Iterator[pa.RecordBatch]:
        raise DigestError(f"file 7, byte {split}: expected JSON")
        yield  # a generator, as the engines expect

    with pytest.raises(DigestError, match=r"^file 7, byte 30: expected JSON$"):
        engine.map_splits(["30"], function, NUMBERS, "numbers", lambda _: None)


def test_a_split_that_raises_anything_else_keeps_its_message_to_itself(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    def function(split: str) -> Iterator[pa.RecordBatch]:
        raise ValueError(PROMPT_TEXT + split)
        yield

    with pytest.raises(RunError, match="not repeated") as caught:
        engine.map_splits(["1"], function, NUMBERS, "numbers", lambda _: None)
    assert PROMPT_TEXT not in str(caught.value)
    assert caught.value.__suppress_context__
    told = capfd.readouterr()
    assert PROMPT_TEXT not in told.out + told.err


def test_a_batch_that_does_not_fit_the_schema_is_refused(engine: Engine) -> None:
    def function(split: str) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"split": [int(split)], "place": [2**40]})

    with pytest.raises(TableError, match="place"):
        engine.map_splits(["1"], function, NUMBERS, "numbers", lambda _: None)


def test_register_takes_arrow_and_parquet_and_replaces(engine: Engine, tmp_path: Path) -> None:
    total = query("SELECT sum(x) AS total FROM things ORDER BY total", "things", total="int64")
    engine.register("things", pa.table({"x": [1, 2]}))
    assert engine.run(total).to_pylist() == [{"total": 3}]
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"it's {number}.parquet")
        pq.write_table(pa.table({"x": [10, 20]}), paths[-1])
    engine.register("things", paths)
    assert engine.run(total).to_pylist() == [{"total": 60}]
    engine.register("things", pa.table({"x": [5]}))
    assert engine.run(total).to_pylist() == [{"total": 5}]
    with pytest.raises(TableError, match="no file"):
        engine.register("things", [])


def test_save_makes_a_table_that_may_replace_its_own_input(engine: Engine, tmp_path: Path) -> None:
    engine.register("things", pa.table({"x": pa.array([1, 2, None], pa.int32())}))
    doubled = query("SELECT x + x AS x FROM things", "things", name="doubled", x="int64")
    engine.save(doubled)
    again = query("SELECT x + 1 AS x FROM doubled", "doubled", name="doubled", x="int64")
    engine.save(again)
    got = engine.run(query("SELECT x FROM doubled ORDER BY x", "doubled", x="int64"))
    assert got.column("x").to_pylist() == [None, 3, 5]
    assert got.schema.field("x").type == pa.int64()
    assert list((tmp_path / engine.name / "doubled").glob("*.parquet"))
    assert not list((tmp_path / engine.name).glob("*.unfinished"))


def test_saving_no_rows_keeps_the_columns(engine: Engine) -> None:
    engine.register("things", pa.table({"x": pa.array([], pa.int64()), "s": pa.array([], pa.string())}))
    engine.save(query("SELECT x, s FROM things", "things", name="none", x="int32", s="string"))
    got = engine.run(query("SELECT x, s FROM none ORDER BY x", "none", x="int32", s="string"))
    assert got.num_rows == 0
    assert got.schema.types == [pa.int32(), pa.string()]


def test_large_results_come_back_in_order(engine: Engine) -> None:
    rng = np.random.default_rng(5)
    values = rng.permutation(300_000)
    engine.register("things", pa.table({"x": values, "s": [f"é{value}" for value in values]}))
    got = engine.run(query("SELECT x, s FROM things ORDER BY x", "things", x="int64", s="string"))
    assert np.array_equal(got.column("x").to_numpy(), np.arange(300_000))
    assert got.column("s")[123_456].as_py() == "é123456"


@pytest.mark.parametrize("call", ["run", "save"])
def test_a_missing_table_is_named_with_those_that_are_there(engine: Engine, call: str) -> None:
    engine.register("things", pa.table({"x": [1]}))
    with pytest.raises(TableError, match=r"reads gone, which is not there; there are things;"):
        getattr(engine, call)(query("SELECT x FROM gone ORDER BY x", "gone", x="int64"))


@pytest.mark.parametrize("call", ["run", "save"])
def test_columns_must_be_what_was_declared(engine: Engine, call: str) -> None:
    engine.register("things", pa.table({"x": [1], "y": ["a"], "f": [0.5]}))
    ask = getattr(engine, call)
    with pytest.raises(TableError, match=r"'w' is declared and missing; column 'y' is given and not declared"):
        ask(query("SELECT x, y FROM things ORDER BY x", "things", x="int64", w="int64"))
    with pytest.raises(TableError, match=r"'f' is declared int64, the SQL gives (double|DOUBLE)"):
        ask(query("SELECT f FROM things ORDER BY f", "things", f="int64"))
    with pytest.raises(TableError, match=r"'y' is declared int64, the SQL gives string"):
        ask(query("SELECT y FROM things ORDER BY y", "things", y="int64"))


@pytest.mark.parametrize("call", ["run", "save"])
def test_a_null_in_a_required_column_is_refused(engine: Engine, call: str) -> None:
    engine.register("things", pa.table({"x": [1, None]}))
    with pytest.raises(TableError, match="1 nulls in required column 'x'"):
        getattr(engine, call)(query("SELECT x FROM things ORDER BY x", "things", required=("x",), x="int64"))


@pytest.mark.parametrize("call", ["run", "save"])
@pytest.mark.parametrize(
    "expression", ["CAST(sum(x) AS BIGINT)", "sum(x)", "max(x) + 1", "div(max(x), 0)", "max(x) % 0"]
)
def test_arithmetic_that_has_no_answer_raises_and_tells_no_value(engine: Engine, call: str, expression: str) -> None:
    engine.register("things", pa.table({"x": [2**63 - 1, 1]}))
    with pytest.raises(EngineError) as caught:
        getattr(engine, call)(query(f"SELECT {expression} AS y FROM things ORDER BY y", "things", y="int64"))
    assert isinstance(caught.value, (RunError, TableError))
    assert str(2**63 - 1) not in str(caught.value)


def test_a_value_that_does_not_fit_its_column_is_refused(engine: Engine) -> None:
    engine.register("things", pa.table({"x": [2**40]}))
    narrow = query("SELECT x FROM things ORDER BY x", "things", x="int32")
    with pytest.raises(EngineError):
        engine.run(narrow)
    with pytest.raises(EngineError):
        engine.save(narrow)


def test_an_open_order_is_refused_and_a_harmless_tie_is_not(engine: Engine) -> None:
    engine.register("things", pa.table({"x": [2, 1, 2, None, None], "y": ["b", "a", "b", None, None]}))
    harmless = query("SELECT x, y FROM things ORDER BY x", "things", x="int64", y="string")
    assert engine.run(harmless).column("y").to_pylist() == [None, None, "a", "b", "b"]
    engine.register("things", pa.table({"x": [2, 1, 2], "y": ["b", "a", "c"]}))
    with pytest.raises(QueryError, match=r"rows 1 and 2 open"):
        engine.run(harmless)
    with pytest.raises(QueryError, match="without an outermost ORDER BY"):
        engine.run(query("SELECT x FROM (SELECT x FROM things ORDER BY x) AS t", "things", x="int64"))


def test_sql_that_does_not_read_is_a_query_error_with_the_engines_reason(engine: Engine) -> None:
    engine.register("things", pa.table({"x": [1]}))
    with pytest.raises(QueryError, match=rf"{engine.name} cannot run query 'answer'.*wrong"):
        engine.run(query("SELECT wrong AS x FROM things ORDER BY x", "things", x="int64"))


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.register("things", pa.table({"x": [1]}))


def test_names_and_sizes_are_checked_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="unknown engine 'sqlite'; expected one of duckdb, spark"):
        open_engine("sqlite", work=tmp_path, memory_limit_bytes=1 << 30, threads=1)
    with pytest.raises(ValueError, match="threads"):
        open_engine("duckdb", work=tmp_path, memory_limit_bytes=1 << 30, threads=0)
    with pytest.raises(ValueError, match="64 MiB"):
        open_engine("duckdb", work=tmp_path, memory_limit_bytes=1 << 20, threads=1)
