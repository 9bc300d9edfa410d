"""Parquet rows: row groups of a file become outputs, by whole columns where the file is generic and row by row where not.

Takes a piece of a Parquet file. Feeds a collector. The generic way is pure column casts; rows without time or account are set
aside by a mask. A row group that cannot be read becomes one quarantine entry, and the next one is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.intake.collector import BATCH_ROWS, Collector
from stillwatch.intake.errors import UnreadableFileError
from stillwatch.intake.exchange_batch import FLAT_NAMES, Positions, Reading, exchange_batch
from stillwatch.intake.field_path import look_up
from stillwatch.intake.formats.format import Format, Place
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.lines import LINE_LIMIT
from stillwatch.intake.sample import plain_rows
from stillwatch.intake.split import Piece, SplitOutput

_READ_BYTES = 32 << 20
_LARGE_TEXT = ("prompt", "system_prompt", "response", "reasoning", "messages")


def read_rows(piece: Piece, form: Format, reading: Reading, collector: Collector) -> Iterator[SplitOutput]:
    """Read the row groups of a piece.

    Args:
        piece: layout `rows`.
        form: format of the file.
        reading: paths, settings and zone.
        collector: of the split; holds what is not yielded yet.

    Raises:
        UnreadableFileError: when the file's footer cannot be read.
    """
    try:
        file = pq.ParquetFile(piece.path)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(f"{piece.path}: cannot be read as Parquet; write the file again") from error
    with file:
        row = piece.first_row
        for group in range(piece.start, file.metadata.num_row_groups if piece.stop is None else piece.stop):
            count = file.metadata.row_group(group).num_rows
            try:
                for batch in _batches(file, group, form, reading):
                    if form is GENERIC:
                        yield from _generic_batch(batch, row, piece.number, reading, collector)
                    else:
                        _add_rows(batch, row, piece.number, collector)
                        yield from collector.drain()
                    row += batch.num_rows
                    count -= batch.num_rows
            except (pa.ArrowException, OSError):
                reason = f"row group {group} is damaged: rows {row} to {row + count - 1} could not be read"
                collector.refuse(Place(piece.number, row, 0), reason)
                row += count


def _batches(file: Any, group: int, form: Format, reading: Reading) -> Iterator[Any]:
    facts = file.metadata.row_group(group)
    if facts.num_rows == 0:
        return
    rows_at_once = max(1, min(BATCH_ROWS, _READ_BYTES * facts.num_rows // max(1, facts.total_byte_size)))
    known = [name for name in file.schema_arrow.names if name in FLAT_NAMES or _declared(name, reading)]
    yield from file.iter_batches(
        batch_size=rows_at_once, row_groups=[group], columns=known if form is GENERIC else None, use_threads=False
    )


def _add_rows(batch: Any, row: int, source: int, collector: Collector) -> None:
    for number, record in enumerate(plain_rows(batch), start=row):
        collector.add(record, Place(source, number, 0))
    collector.add_bytes(batch.nbytes)


def _declared(name: str, reading: Reading) -> bool:
    paths = (reading.settings.account_field, reading.settings.time_field)
    return any(path is not None and (path == name or path.startswith(f"{name}.")) for path in paths)


def _generic_batch(batch: Any, row: int, source: int, reading: Reading, collector: Collector) -> Iterator[SplitOutput]:
    collector.count(source, batch.num_rows)
    offsets = np.arange(row, row + batch.num_rows, dtype=np.int64)
    batch, offsets = _without_overlong(batch, offsets, source, collector)
    if not batch.num_rows:
        return
    names = set(batch.schema.names)
    declared = {"account_id": reading.settings.account_field, "time": reading.settings.time_field}

    def column(name: str) -> Any | None:
        path = declared.get(name)
        if path is not None and path not in names:
            return [look_up(record, path) for record in plain_rows(batch)]
        wanted = path or name
        return batch.column(wanted) if wanted in names else None

    positions = Positions(
        source_no=np.full(batch.num_rows, source, np.int32), offset=offsets, length=np.zeros(batch.num_rows, np.int64)
    )
    made, rejected = exchange_batch(
        column, rows=batch.num_rows, positions=positions, reading=reading, notes=collector.notes
    )
    collector.set_aside(rejected)
    yield from collector.give(made)


def _without_overlong(batch: Any, offsets: Any, source: int, collector: Collector) -> tuple[Any, Any]:
    """Set rows aside that hold a text beyond the limit, as a line of that length is."""
    overlong = np.zeros(batch.num_rows, bool)
    for name in _LARGE_TEXT:
        if name in batch.schema.names and batch.column(name).nbytes > LINE_LIMIT:
            values = batch.column(name)
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                lengths = pc.binary_length(values).fill_null(0)
                overlong |= pc.greater(lengths, LINE_LIMIT).to_numpy(zero_copy_only=False)
    if not overlong.any():
        return batch, offsets
    for row in offsets[overlong]:
        collector.refuse(Place(source, int(row), 0), f"row of more than {LINE_LIMIT} bytes of text")
    collector.count(source, -int(overlong.sum()))  # refuse() counts them itself
    return batch.filter(pa.array(~overlong)), offsets[~overlong]
