"""Parts: the Parquet files of a table in the work folder.

Takes record batches. Gives one file per split, named by number, which appears only when it is whole. Batches are
gathered into row groups of a fixed size, so that a file does not depend on how its function cut the batches.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines.arrow_schema import arrow_schema, conform
from stillwatch.records.table import TableSchema

ROW_GROUP_ROWS = 122_880
"""Rows of a row group: DuckDB's own vector group, small enough that a reader of few columns holds little."""
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 1


def start_table(folder: Path) -> None:
    """Make the folder of a table empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def part_path(folder: Path, number: int) -> Path:
    """Return the path of a part."""
    return folder / f"part-{number:06d}.parquet"


def part_files(folder: Path) -> list[Path]:
    """Return the finished Parquet files of a table, sorted by name."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith(("_", ".")))


def write_part(path: Path, batches: Iterator[pa.RecordBatch], schema: TableSchema) -> int:
    """Write the batches as one Parquet file; a file of no rows when there are none.

    Returns:
        Rows written.

    Raises:
        TableError: when a batch does not fit the schema.
    """
    target = arrow_schema(schema)
    unfinished = path.with_suffix(".unfinished")
    rows = 0
    with pq.ParquetWriter(
        unfinished, target, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL, use_dictionary=True
    ) as writer:
        for group in row_groups(batches, target):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    unfinished.replace(path)
    return rows


def row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather batches, made to fit a schema, into tables of exactly `ROW_GROUP_ROWS` rows, and the rest at the end.

    Raises:
        TableError: when a batch does not fit.
    """
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(conform(batch, schema))
        count += batch.num_rows
        while count >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(held)
            yield table.slice(0, ROW_GROUP_ROWS)
            held = table.slice(ROW_GROUP_ROWS).to_batches()
            count -= ROW_GROUP_ROWS
    if count:
        yield pa.Table.from_batches(held)
