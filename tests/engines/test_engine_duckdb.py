"""What only the embedded engine promises: bounded memory, threads for splits, files that depend on nothing but the rows."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asking import query, schema

from stillwatch.engines import open_engine
from stillwatch.engines.errors import EngineUnavailableError, MemoryLimitError, RunError
from stillwatch.engines.parts import ROW_GROUP_ROWS, part_files

NUMBERS = schema("numbers", required=("x",), x="int64", word="string")


def test_a_query_larger_than_memory_spills_and_is_right(tmp_path: Path) -> None:
    rows = 3_000_000
    keys = np.random.default_rng(3).permutation(rows)
    path = tmp_path / "keys.parquet"
    pq.write_table(pa.table({"x": keys, "y": keys * 7, "z": keys * 11}), path)
    engine = open_engine("duckdb", work=tmp_path / "work", memory_limit_bytes=64 << 20, threads=1)
    engine.register("keys", [path])
    engine.save(
        query("SELECT x, y, z FROM keys ORDER BY x", "keys", name="sorted_keys", x="int64", y="int64", z="int64")
    )
    check = query(
        "SELECT count(*) AS n, sum(x) AS s, sum(y) AS t, sum(z) AS u FROM sorted_keys ORDER BY n",
        "sorted_keys",
        n="int64",
        s="int64",
        t="int64",
        u="int64",
    )
    total = rows * (rows - 1) // 2
    assert engine.run(check).to_pylist() == [{"n": rows, "s": total, "t": 7 * total, "u": 11 * total}]
    engine.close()
    assert not (tmp_path / "work" / "spill").exists()


def test_a_memory_limit_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    engine = open_engine("duckdb", work=tmp_path, memory_limit_bytes=64 << 20, threads=1)
    engine.register("seed", pa.table({"x": pa.array(range(4_000_000), pa.int64())}))
    with pytest.raises(MemoryLimitError, match="raise the memory limit"):
        engine.run(query("SELECT array_sort(array_agg(x)) AS xs FROM seed ORDER BY xs", "seed", xs="list<int64>"))
    engine.close()


def test_the_files_of_splits_depend_on_neither_threads_nor_batches(tmp_path: Path) -> None:
    def function(split: str) -> Iterator[pa.RecordBatch]:
        rng = np.random.default_rng(int(split))
        left = 150_000
        while left:
            rows = min(left, int(rng.integers(1, 40_000)) * int(split) + 1)
            first = 150_000 - left
            yield pa.record_batch({"x": np.arange(first, first + rows), "word": pa.array(["w"] * rows)})
            left -= rows

    digests = []
    for threads in (1, 3):
        engine = open_engine("duckdb", work=tmp_path / str(threads), memory_limit_bytes=256 << 20, threads=threads)
        engine.map_splits([str(number) for number in range(1, 5)], function, NUMBERS, "numbers", lambda _: None)
        engine.close()
        files = part_files(tmp_path / str(threads) / "numbers")
        assert [file.name for file in files] == [f"part-00000{number}.parquet" for number in range(4)]
        digests.append([hashlib.blake2b(file.read_bytes()).hexdigest() for file in files])
        groups = pq.read_metadata(files[0])
        assert [groups.row_group(group).num_rows for group in range(groups.num_row_groups)] == [
            ROW_GROUP_ROWS,
            150_000 - ROW_GROUP_ROWS,
        ]
    assert digests[0] == digests[1]
    # Each split holds the same rows, cut into other batches: so do the files, byte for byte.
    assert len(set(digests[0])) == 1


def test_splits_run_at_once_and_the_lowest_that_failed_is_reported(tmp_path: Path) -> None:
    reached = threading.Barrier(2)

    def function(split: str) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [int(split)]})
        reached.wait(timeout=30)
        raise ZeroDivisionError(split)

    engine = open_engine("duckdb", work=tmp_path, memory_limit_bytes=256 << 20, threads=2)
    with pytest.raises(RunError, match=r"^split 0 stopped with ZeroDivisionError at .*test_engine_duckdb\.py:\d+;"):
        engine.map_splits(["5", "6"], function, NUMBERS, "numbers", lambda _: None)
    engine.close()
    assert part_files(tmp_path / "numbers") == []


def test_an_interrupt_in_progress_stops_the_run(tmp_path: Path) -> None:
    done = []

    def function(split: str) -> Iterator[pa.RecordBatch]:
        done.append(split)
        yield pa.record_batch({"x": [int(split)]})

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    engine = open_engine("duckdb", work=tmp_path, memory_limit_bytes=256 << 20, threads=1)
    with pytest.raises(KeyboardInterrupt):
        engine.map_splits([str(number) for number in range(500)], function, NUMBERS, "numbers", interrupt)
    engine.close()
    assert len(done) < 500


def test_python_variables_are_never_tables(tmp_path: Path) -> None:
    engine = open_engine("duckdb", work=tmp_path, memory_limit_bytes=256 << 20, threads=1)
    hidden = pa.table({"x": [1]})
    assert hidden.num_rows == 1
    with pytest.raises(Exception, match="reads hidden, which is not there; there are no tables"):
        engine.run(query("SELECT x FROM hidden ORDER BY x", "hidden", x="int64"))
    engine.close()


def test_a_missing_spark_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'stillwatch\[spark\]'"):
        open_engine("spark", work=tmp_path, memory_limit_bytes=256 << 20, threads=1)
