"""Writing: traffic as Parquet or JSON lines, account facts, releases and truth.

Takes tables. Gives files. Promises equal bytes for equal tables and a memory bound of one row group.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_FILE = 1_000_000
"""A traffic file is closed at the first day's end at which it has this many rows."""


class TrafficWriter:
    """Writes `traffic-00000.parquet` (or `.jsonl`) and so on, rows in time order over all files."""

    def __init__(self, folder: Path, form: str) -> None:
        """Write into `folder`; `form` is parquet or jsonl."""
        self._folder = folder
        self._form = form
        self._rows = 0
        self._parquet: pq.ParquetWriter | None = None
        self._path: Path | None = None
        self.files: list[Path] = []

    def __enter__(self) -> Self:
        """Start writing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the open file."""
        self._close()

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if self._path is None:
            self._path = self._folder / f"traffic-{len(self.files):05d}.{self._form}"
            self.files.append(self._path)
            self._path.unlink(missing_ok=True)
        if self._form == "parquet":
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(
                    self._path, table.schema, compression="zstd", compression_level=1, use_dictionary=_repeating(table),
                    dictionary_pagesize_limit=16 << 20,
                )  # fmt: skip
            self._parquet.write_table(table, row_group_size=max(len(table), 1))
        else:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(json_lines(table))
        self._rows += len(table)

    def end_of_day(self) -> None:
        """Close the file when it has enough rows."""
        if self._rows >= ROWS_PER_FILE:
            self._close()

    def _close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._parquet, self._path, self._rows = None, None, 0


def _repeating(table: pa.Table) -> list[str]:
    """Columns whose values repeat; free text and ids gain nothing from a dictionary."""
    return [
        name for name in table.schema.names if name not in ("time", "exchange_id", "prompt", "response", "session_id")
    ]


def json_lines(table: pa.Table) -> list[str]:
    """One JSON object per row; nulls are left out and times are ISO 8601 with Z."""
    lines = []
    for row in table.to_pylist():
        for name in ("time", "account_created_at"):
            if row.get(name) is not None:
                row[name] = row[name].isoformat(timespec="microseconds").replace("+00:00", "Z")
        kept = {name: value for name, value in row.items() if value is not None}
        lines.append(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")
    return lines


def write_releases(path: Path, releases: list[tuple[str, str]]) -> None:
    """Write the release calendar: model, released_at."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["model", "released_at"])
        rows.writerows(releases)


def write_table(path: Path, table: pa.Table) -> None:
    """Write one small Parquet file."""
    pq.write_table(table, path, compression="zstd")
