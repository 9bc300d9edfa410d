"""Query and Engine: the whole boundary between what is asked and where it runs.

Takes SQL text with its inputs and output columns. Gives an Arrow table that has exactly those columns. The SQL is said
once, in the subset that DuckDB and Spark read alike; `rules.py` refuses what is known to differ.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stillwatch.engines.errors import EngineUnavailableError
from stillwatch.engines.rules import refuse_unsafe_query
from stillwatch.records.table import TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

ENGINE_NAMES = ("duckdb", "spark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A set-level question: SQL text, the tables that it reads and the columns that it gives.

    Raises:
        QueryError: on construction, when the SQL or the output columns break a rule of `rules.py`.
    """

    name: str
    """Lower-case words joined by underscores; also the name of the table when the query is saved."""
    sql: str
    """Common SQL. `{explode}` is the only placeholder: the function that makes one row per list element, and none for
    an empty or null list. `div(a, b)` divides integers toward zero; `/` is refused."""
    reads: tuple[str, ...]
    """Names of the tables, registered or saved before."""
    gives: TableSchema
    """Output columns: string, bool, int32, int64 and list<int64>; results are cast to it."""
    about: str
    """One sentence: what a row of the result is."""

    def __post_init__(self) -> None:
        """Refuse a query on which the engines could differ."""
        refuse_unsafe_query(name=self.name, sql=self.sql, reads=self.reads, gives=self.gives)


class Engine(Protocol):
    """Runs queries and row-local functions; every table that it makes is Parquet below one work folder."""

    name: str
    """A word of `ENGINE_NAMES`."""

    def map_splits(
        self,
        splits: Sequence[str],
        function: Callable[[str], Iterator[pa.RecordBatch]],
        schema: TableSchema,
        table: str,
        progress: Callable[[int], None],
    ) -> None:
        """Run a row-local function over splits and append what it gives to a table.

        The first call for a table in the life of an engine starts the table anew; later calls append.

        Args:
            splits: Descriptors of the input's parts; what they say is between the caller and the function.
            function: Picklable. Takes one descriptor, gives batches that fit `schema` (missing nullable columns are
                filled with nulls). Must depend on nothing but the descriptor.
            schema: Columns of the table.
            table: Name under which queries read it.
            progress: Called with 1 after each finished split, always from the caller's thread.

        Raises:
            StillwatchError: the one that `function` raised, from the lowest split that failed.
            RunError: when the function failed otherwise; the message names the split's number and the kind of failure.
            TableError: when a batch does not fit `schema`.
        """

    def register(self, table: str, data: pa.Table | Sequence[Path]) -> None:
        """Make an Arrow table or Parquet files readable by queries; an older table of that name is replaced."""

    def save(self, query: Query) -> None:
        """Run the query and keep its rows as table `query.name`, Parquet in the work folder, in no promised order."""

    def run(self, query: Query) -> pa.Table:
        """Run the query to Arrow.

        Returns:
            Table with exactly the columns of `query.gives`, in the order of the query's last ORDER BY.

        Raises:
            QueryError: when the SQL has no outermost ORDER BY, or it leaves the order of two different rows open.
            TableError: when a column is missing or a value does not fit.
        """

    def close(self) -> None:
        """Free memory, connections and spilled data; tables in the work folder stay. May be called twice."""


def open_engine(name: str, *, work: Path, memory_limit_bytes: int, threads: int) -> Engine:
    """Open an engine; its driver is imported here and not before.

    Args:
        name: `duckdb` or `spark`.
        work: Folder for tables and spilled data; made when it does not exist.
        memory_limit_bytes: What the engine may hold, at least 64 MiB; more is spilled into `work`.
        threads: At least 1.

    Raises:
        EngineUnavailableError: when the name is unknown, or the driver, its extra or Java is missing.
        ValueError: when `threads` or `memory_limit_bytes` is too small.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    if memory_limit_bytes < 64 << 20:
        raise ValueError(f"memory_limit_bytes must be at least {64 << 20} (64 MiB), got {memory_limit_bytes}")
    if name == "duckdb":
        from stillwatch.engines.duckdb import DuckDBEngine  # noqa: PLC0415 (the driver is imported at use)

        return DuckDBEngine(work=work, memory_limit_bytes=memory_limit_bytes, threads=threads)
    if name == "spark":
        if importlib.util.find_spec("pyspark") is None:
            raise EngineUnavailableError("the spark engine needs pyspark: pip install 'stillwatch[spark]'")
        from stillwatch.engines.spark import open_spark_engine  # noqa: PLC0415 (the driver is imported at use)

        return open_spark_engine(work=work, memory_limit_bytes=memory_limit_bytes, threads=threads)
    raise EngineUnavailableError(f"unknown engine {name!r}; expected one of {', '.join(ENGINE_NAMES)}")
