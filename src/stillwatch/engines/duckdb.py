"""DuckDB: the embedded engine. One process, no server, tables as Parquet in the work folder.

Takes queries and split functions. Gives Arrow tables. Spills to `work/spill` beyond its memory limit. Splits run in
threads, since the sketch kernels and Parquet writing release the interpreter's lock; the output files are named by
split, so that the result does not depend on which thread was first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from stillwatch.engines.errors import (
    EngineError,
    MemoryLimitError,
    QueryError,
    RunError,
    TableError,
    raise_split_failure,
)
from stillwatch.engines.parts import ROW_GROUP_ROWS, part_files, part_path, start_table, write_part
from stillwatch.engines.protocol import Query
from stillwatch.engines.results import (
    cast_result,
    refuse_missing_tables,
    refuse_open_order,
    refuse_other_columns,
    refuse_saved_nulls,
)
from stillwatch.engines.rules import order_columns
from stillwatch.records.table import ColumnType, TableSchema

_SQL_TYPE: dict[ColumnType, str] = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "list<int64>": "BIGINT[]",
}
_INTEGER_TYPES = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    # Nulls sort as Spark sorts them: before everything when ascending, after everything when descending.
    "SET default_null_order = 'nulls_first_on_asc_last_on_desc'",
    # A name in FROM is a registered table, never a Python variable of some caller.
    "SET python_enable_replacements = false",
    # Nothing is fetched from the network.
    "SET autoinstall_known_extensions = false",
    # Its progress bar would go to standard output, which belongs to --json.
    "SET enable_progress_bar = false",
    "SET autoload_known_extensions = false",
    # Order comes from ORDER BY alone; giving up the input order lets large results stream.
    "SET preserve_insertion_order = false",
    # Integer division toward zero under the name that Spark has for it, and as strict.
    "CREATE MACRO div(a, b) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a // b END",
)
_SQL_ERRORS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.NotImplementedException)


def render(query: Query) -> str:
    """Return the query's SQL as DuckDB reads it."""
    return query.sql.replace("{explode}", "unnest")


class DuckDBEngine:
    """Runs queries in one DuckDB instance in memory, and split functions in threads."""

    name = "duckdb"

    def __init__(self, *, work: Path, memory_limit_bytes: int, threads: int) -> None:
        """Open the database.

        Args:
            work: Folder for tables and spilled data.
            memory_limit_bytes: DuckDB's memory limit.
            threads: DuckDB's threads, and threads for splits.
        """
        self._work = work.resolve()
        self._threads = threads
        self._spill = self._work / "spill"
        self._spill.mkdir(parents=True, exist_ok=True)
        self._begun: set[str] = set()
        self._connection: duckdb.DuckDBPyConnection | None = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": f"{memory_limit_bytes // 1024}KiB",
                "temp_directory": str(self._spill),
            },
        )
        for setting in _SETTINGS:
            self._connection.execute(setting)

    def map_splits(
        self,
        splits: Sequence[str],
        function: Callable[[str], Iterator[pa.RecordBatch]],
        schema: TableSchema,
        table: str,
        progress: Callable[[int], None],
    ) -> None:
        """Run a row-local function over splits; see `Engine.map_splits`."""
        folder = self._work / table
        if table not in self._begun:
            start_table(folder)
            self._begun.add(table)
        first = len(part_files(folder))

        def write(number: int) -> None:
            write_part(part_path(folder, first + number), function(splits[number]), schema)

        with ThreadPoolExecutor(max_workers=self._threads, thread_name_prefix="split") as pool:
            futures: dict[Future[None], int] = {pool.submit(write, number): number for number in range(len(splits))}
            try:
                _follow(futures, progress)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        if not part_files(folder):
            write_part(part_path(folder, 0), iter(()), schema)
        self.register(table, part_files(folder))

    def register(self, table: str, data: pa.Table | Sequence[Path]) -> None:
        """Make an Arrow table or Parquet files readable by queries."""
        connection = self._open_connection()
        connection.unregister(table)
        connection.execute(f"DROP VIEW IF EXISTS {table}")
        if isinstance(data, pa.Table):
            connection.register(table, data)
            return
        if not data:
            raise TableError(f"table {table!r} was registered with no file; expected at least one Parquet file")
        names = ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in data)
        with _translated(f"table {table!r}"):
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet([{names}])")

    def save(self, query: Query) -> None:
        """Run the query and keep its rows as table `query.name`."""
        connection = self._connection_for(query)
        sql = render(query)
        where = f"query {query.name!r}"
        with _translated(where):
            described = connection.execute(f"DESCRIBE {sql}").fetchall()
        kinds = {row[0]: _kind_of_sql(row[1]) for row in described}
        refuse_other_columns(query=query.name, kinds=kinds, gives=query.gives)
        columns = ", ".join(f"CAST({c.name} AS {_SQL_TYPE[c.type]}) AS {c.name}" for c in query.gives.columns)
        folder = self._work / query.name
        fresh = self._work / f"{query.name}.unfinished"
        start_table(fresh)
        path = str(part_path(fresh, 0)).replace("'", "''")
        with _translated(where):
            connection.execute(
                f"COPY (SELECT {columns} FROM ({sql}\n)) TO '{path}'"
                f" (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
            )
        refuse_saved_nulls(query=query.name, files=part_files(fresh), gives=query.gives)
        # The query may read an older table of its own name, which is replaced only now that the new one is whole.
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
        self._begun.add(query.name)
        self.register(query.name, part_files(folder))

    def run(self, query: Query) -> pa.Table:
        """Run the query to Arrow; see `Engine.run`."""
        keys = order_columns(name=query.name, sql=query.sql, gives=query.gives)
        connection = self._connection_for(query)
        with _translated(f"query {query.name!r}"):
            table = connection.sql(render(query)).to_arrow_table()
        result = cast_result(query=query.name, table=table, gives=query.gives)
        refuse_open_order(query=query.name, table=result, keys=keys)
        return result

    def close(self) -> None:
        """Close the database and remove what it spilled."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            shutil.rmtree(self._spill, ignore_errors=True)

    def _open_connection(self) -> duckdb.DuckDBPyConnection:
        """Return the connection, or raise when the engine was closed."""
        if self._connection is None:
            raise EngineError("the duckdb engine was closed; open a new one")
        return self._connection

    def _connection_for(self, query: Query) -> duckdb.DuckDBPyConnection:
        """Return the connection, or raise when a table that the query reads is not there."""
        connection = self._open_connection()
        known = {
            row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        }
        refuse_missing_tables(query=query.name, reads=query.reads, known=known)
        return connection


def _follow(futures: dict[Future[None], int], progress: Callable[[int], None]) -> None:
    """Wait for the splits, tell progress, and raise the failure of the lowest split that failed."""
    pending = set(futures)
    failed: dict[int, BaseException] = {}
    while pending and not failed:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            error = future.exception()
            if error is None:
                progress(1)
            else:
                failed[futures[future]] = error
    if not failed:
        return
    for future in pending:
        future.cancel()
    # Splits that were already running may fail too; the lowest decides, so that the message does not depend on timing.
    for future in wait(pending).done:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            failed[futures[future]] = error
    number = min(failed)
    raise_split_failure(number, failed[number])


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn DuckDB's errors into ours; a message that could hold a value of a table is not repeated."""
    try:
        yield
    except _SQL_ERRORS as error:
        raise QueryError(f"duckdb cannot run {where}: {error}") from error
    except duckdb.OutOfMemoryException as error:
        raise MemoryLimitError(
            f"duckdb ran out of the memory that it was given, in {where}; raise the memory limit or free disk space for"
            " spilling"
        ) from error
    except duckdb.Error as error:
        raise RunError(
            f"duckdb stopped in {where} with {type(error).__name__}: an integer that does not fit, a division by zero"
            " or an unreadable file; its own message may hold values of the table and is not repeated"
        ) from None


def _kind_of_sql(type_: str) -> str:
    """Return the kind of a DuckDB type, in the words of `results.KIND_OF_COLUMN`."""
    if type_.endswith("[]"):
        return "list of integers" if type_.removesuffix("[]") in _INTEGER_TYPES else type_.lower()
    if type_ in _INTEGER_TYPES:
        return "integer"
    return {"VARCHAR": "string", "BOOLEAN": "bool", '"NULL"': "null"}.get(type_, type_.lower())
