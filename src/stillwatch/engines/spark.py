"""Spark: the same queries and the same split functions on a cluster's engine, here in local mode.

Takes queries and split functions. Gives Arrow tables. `mapInArrow`, which Spark's documentation calls unstable, is called
in `SparkEngine.map_splits` and nowhere else. A session that is already running is shared and left running; one that was
started here is stopped by `close`.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from stillwatch.engines.arrow_schema import arrow_schema, conform
from stillwatch.engines.errors import EngineError, MemoryLimitError, QueryError, RunError, TableError
from stillwatch.engines.parts import COMPRESSION, part_files, part_path, start_table, write_part
from stillwatch.engines.protocol import Query
from stillwatch.engines.results import (
    cast_result,
    refuse_missing_tables,
    refuse_open_order,
    refuse_other_columns,
    refuse_saved_nulls,
)
from stillwatch.engines.rules import order_columns
from stillwatch.engines.spark_session import apply_settings, running_session, start_session
from stillwatch.records.errors import StillwatchError
from stillwatch.records.table import ColumnType, TableSchema

_SQL_TYPE: Mapping[ColumnType, str] = {
    "string": "STRING",
    "bool": "BOOLEAN",
    "int32": "INT",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "list<int64>": "ARRAY<BIGINT>",
}
_KINDS: Mapping[str, str] = {
    "tinyint": "integer",
    "smallint": "integer",
    "int": "integer",
    "bigint": "integer",
    "string": "string",
    "boolean": "bool",
    "void": "null",
    "array<int>": "list of integers",
    "array<bigint>": "list of integers",
}
_POLL_SECONDS = 0.1


def open_spark_engine(*, work: Path, memory_limit_bytes: int, threads: int) -> SparkEngine:
    """Open the engine over a running Spark, or start one.

    Args:
        work: Folder for tables, spilled data and settings.
        memory_limit_bytes: Heap of the Java process; a running Spark keeps its own.
        threads: Tasks at a time; a running Spark keeps its own.

    Raises:
        EngineUnavailableError: when Java is missing or too old.
    """
    session = running_session()
    owns_session = session is None
    if session is None:
        session = start_session(work=work, memory_limit_bytes=memory_limit_bytes, threads=threads)
    apply_settings(session)
    return SparkEngine(session=session, work=work, owns_session=owns_session)


def render(query: Query) -> str:
    """Return the query's SQL as Spark reads it."""
    return query.sql.replace("{explode}", "explode")


class SparkEngine:
    """Runs queries and split functions in a Spark session."""

    name = "spark"

    def __init__(self, *, session: SparkSession, work: Path, owns_session: bool) -> None:
        """Take a session.

        Args:
            session: Session with the settings of `spark_session.SETTINGS`.
            work: Folder for tables; every worker must see it under this path.
            owns_session: Whether `close` stops Spark.
        """
        self._session: SparkSession | None = session
        self._work = work.resolve()
        self._work.mkdir(parents=True, exist_ok=True)
        self._owns_session = owns_session
        self._begun: set[str] = set()

    def map_splits(
        self,
        splits: Sequence[str],
        function: Callable[[str], Iterator[pa.RecordBatch]],
        schema: TableSchema,
        table: str,
        progress: Callable[[int], None],
    ) -> None:
        """Run a row-local function over splits, one Spark task per split; see `Engine.map_splits`."""
        session = self._open_session()
        folder = self._work / table
        if table not in self._begun:
            start_table(folder)
            self._begun.add(table)
        if splits:
            failures = self._work / f"{table}.failures"
            start_table(failures)
            finished = session.sparkContext.accumulator(0)
            worker = _split_worker(list(splits), function, schema, failures, finished)
            rows = session.range(0, len(splits), 1, numPartitions=len(splits)).mapInArrow(worker, _ddl(schema))
            try:
                with _translated(f"splits of table {table!r}"):
                    _write_and_follow(rows, folder, finished, progress)
            except RunError:
                _raise_reported_failure(failures)
                raise
            finally:
                shutil.rmtree(failures)
        if not part_files(folder):
            write_part(part_path(folder, 0), iter(()), schema)
        self._read(table, [folder], schema)

    def register(self, table: str, data: pa.Table | Sequence[Path]) -> None:
        """Make an Arrow table or Parquet files readable by queries."""
        self._open_session()
        if isinstance(data, pa.Table):
            folder = self._work / "registered" / table
            start_table(folder)
            pq.write_table(data, part_path(folder, 0), compression=COMPRESSION)
            self._read(table, [folder], None)
            return
        if not data:
            raise TableError(f"table {table!r} was registered with no file; expected at least one Parquet file")
        self._read(table, data, None)

    def save(self, query: Query) -> None:
        """Run the query and keep its rows as table `query.name`."""
        folder = self._work / query.name
        fresh = self._work / f"{query.name}.unfinished"
        start_table(fresh)
        with _translated(f"query {query.name!r}"):
            self._result(query).write.mode("append").parquet(str(fresh))
        if not part_files(fresh):
            write_part(part_path(fresh, 0), iter(()), query.gives)
        refuse_saved_nulls(query=query.name, files=part_files(fresh), gives=query.gives)
        # The query may read an older table of its own name, which is replaced only now that the new one is whole.
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
        self._begun.add(query.name)
        self._read(query.name, [folder], query.gives)

    def run(self, query: Query) -> pa.Table:
        """Run the query to Arrow; see `Engine.run`."""
        keys = order_columns(name=query.name, sql=query.sql, gives=query.gives)
        with _translated(f"query {query.name!r}"):
            table = self._result(query).toArrow()
        result = cast_result(query=query.name, table=table, gives=query.gives)
        refuse_open_order(query=query.name, table=result, keys=keys)
        return result

    def close(self) -> None:
        """Drop the tables' names, and stop Spark where it was started here."""
        session, self._session = self._session, None
        if session is not None and self._owns_session:
            session.stop()

    def _open_session(self) -> SparkSession:
        """Return the session, or raise when the engine was closed."""
        if self._session is None:
            raise EngineError("the spark engine was closed; open a new one")
        return self._session

    def _read(self, table: str, paths: Sequence[Path], schema: TableSchema | None) -> None:
        """Make Parquet files or folders readable under a name."""
        reader = self._open_session().read
        if schema is not None:
            reader = reader.schema(_ddl(schema))
        with _translated(f"table {table!r}"):
            reader.parquet(*(str(path.resolve()) for path in paths)).createOrReplaceTempView(table)

    def _result(self, query: Query) -> DataFrame:
        """Return the query's data frame with the declared columns, cast; nothing is computed yet."""
        session = self._open_session()
        known = {entry.name for entry in session.catalog.listTables() if entry.isTemporary}
        refuse_missing_tables(query=query.name, reads=query.reads, known=known)
        frame = session.sql(render(query))
        kinds = {name: _KINDS.get(type_, type_) for name, type_ in frame.dtypes}
        refuse_other_columns(query=query.name, kinds=kinds, gives=query.gives)
        return frame.select(*(frame[column.name].cast(_SQL_TYPE[column.type]) for column in query.gives.columns))


def _ddl(schema: TableSchema) -> str:
    """Return the columns as Spark says them."""
    return ", ".join(f"{column.name} {_SQL_TYPE[column.type]}" for column in schema.columns)


def _split_worker(
    splits: list[str],
    function: Callable[[str], Iterator[pa.RecordBatch]],
    schema: TableSchema,
    failures: Path,
    finished: Any,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that Spark's Python workers run: split numbers in, the splits' batches out.

    What a split raises is left in `failures`, since Spark would hand the driver a traceback that may hold text of the
    log.
    """

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        target = arrow_schema(schema)
        # Spark's Arrow reader has no non-nullable columns; that required values are there was checked by `conform`.
        nullable = pa.schema([field.with_nullable(True) for field in target])
        for batch in batches:
            for number in batch.column(0).to_pylist():
                try:
                    for made in function(splits[number]):
                        fitting = conform(made, target)
                        yield pa.RecordBatch.from_arrays(fitting.columns, schema=nullable)
                except StillwatchError as error:
                    kind = {"module": type(error).__module__, "name": type(error).__qualname__, "message": str(error)}
                    (failures / f"{number:09d}.json").write_text(json.dumps(kind), encoding="utf-8")
                    raise
                finished.add(1)

    return work


def _write_and_follow(rows: DataFrame, folder: Path, finished: Any, progress: Callable[[int], None]) -> None:
    """Write the rows as Parquet in another thread, and tell progress in this one."""
    told = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="spark-write") as pool:
        writing = pool.submit(rows.write.mode("append").parquet, str(folder))
        running = True
        while running:
            try:
                writing.result(timeout=_POLL_SECONDS)
                running = False
            except TimeoutError:
                running = not writing.done()
            for _ in range(finished.value - told):
                progress(1)
            told = finished.value


def _raise_reported_failure(failures: Path) -> None:
    """Raise what the lowest failed split reported, as the class that it was; return when none reported."""
    reports = sorted(failures.glob("*.json"))
    if not reports:
        return
    report = json.loads(reports[0].read_text(encoding="utf-8"))
    found = getattr(importlib.import_module(report["module"]), report["name"], None)
    if isinstance(found, type) and issubclass(found, StillwatchError):
        # Not through its constructor, whose arguments are its own affair; `args` alone makes the message.
        raise found.__new__(found, report["message"])
    raise RunError(f"split {int(reports[0].stem)} stopped with {report['name']}: {report['message']}")


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn Spark's errors into ours; a message that could hold a value of a table is not repeated."""
    try:
        yield
    except (AnalysisException, ParseException) as error:
        raise QueryError(f"spark cannot run {where}: {error}") from error
    except PySparkException as error:
        condition = error.getCondition() or type(error).__name__
        if "OutOfMemory" in str(error):
            raise MemoryLimitError(
                f"spark ran out of the memory that it was given, in {where}; raise the memory limit"
            ) from None
        raise RunError(
            f"spark stopped in {where} with {condition}; its own message may hold values of the table and is not repeated"
        ) from None
