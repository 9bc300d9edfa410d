"""Parts of sketches among the files of a run: known by their metadata, read row group by row group, as they are.

Takes a source file, or a split of parts. Gives what was noted when a part was made, and outputs whose batches are sketches. A part is a source like a log: its
rows get its number in the run, their row in it as offset, and no length. A row group that is damaged becomes one quarantine entry, and the next one is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.intake.errors import TextNeededError, UnreadableFileError
from stillwatch.intake.formats.format import Format
from stillwatch.intake.sources import SourceFile
from stillwatch.intake.split import Piece, Split, SplitOutput, Tally
from stillwatch.records.campaign import Quarantined
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.batch import SKETCH_ARROW
from stillwatch.sketches.part_file import part_facts

SKETCHES = Format(
    name="sketches",
    title="sketches of stillwatch",
    about="Parts that `stillwatch sketch` or a guard wrote; no log, and told apart by their metadata alone.",
    fills=(),
    gotchas=(),
    matches=lambda records: 0.0,  # noqa: ARG005  # no record looks like one
)
"""Stands in plans where a log's format does; it is none of the registry, so nobody can ask for it."""
BATCH_ROWS = 65_536


def sketched_before(source: SourceFile, *, taken: bool) -> Counter[str] | None:
    """Say what was noted when a part was made.

    Args:
        source: any file.
        taken: whether sketches can be used.

    Returns:
        What, and how often; null for a file that is no part of sketches.

    Raises:
        SketchPartError: for sketches of another version.
        TextNeededError: for sketches that cannot be used.
        UnreadableFileError: for a damaged file.
    """
    if source.kind != "parquet":
        return None
    try:
        facts = part_facts(source.path)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(
            f"{source.path}: starts like Parquet but cannot be read (the footer at the end is missing or damaged); "
            "the file was probably cut while it was written or copied: write it again"
        ) from error
    if facts is None:
        return None
    if not taken:
        raise TextNeededError(
            f"{source.path}: holds sketches, which have no text and no addresses, and this needs the log itself; name the log, "
            "or leave the file out"
        )
    notes = Counter(facts.notes)
    notes["sketched before: records that could not be read"] += facts.quarantined
    notes["sketched before: exchanges of which the log has no line"] += facts.missing
    return +notes


def read_sketches(split: Split) -> Iterator[SplitOutput]:
    """Read the row groups of parts.

    Args:
        split: of a plan, with the format `SKETCHES`.

    Yields:
        Outputs whose batches have the columns of `SKETCH`.

    Raises:
        UnreadableFileError: when a file cannot be opened any more.
    """
    for piece in split.pieces:
        try:
            file = pq.ParquetFile(piece.path, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFileError(f"{piece.path}: cannot be read as Parquet; write the file again") from error
        with file:
            row = piece.first_row
            for group in range(piece.start, file.metadata.num_row_groups if piece.stop is None else piece.stop):
                yield from _read_group(file, group, row, piece)
                row += file.metadata.row_group(group).num_rows


def _read_group(file: pq.ParquetFile, group: int, first: int, piece: Piece) -> Iterator[SplitOutput]:
    end, row = first + file.metadata.row_group(group).num_rows, first
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], use_threads=False):
            yield _output(_placed(batch, row, piece.number), piece.number, batch.num_rows)
            row += batch.num_rows
    except (pa.ArrowException, OSError):
        reason = f"row group {group} is damaged: rows {row} to {end - 1} could not be read"
        entry = Quarantined(file=piece.path, offset=row, length=0, reason=reason)
        yield _output(pa.RecordBatch.from_pylist([], schema=SKETCH_ARROW), piece.number, 1, entry)


def _placed(batch: pa.RecordBatch, row: int, number: int) -> pa.RecordBatch:
    """Say of each row where it lies in this run."""
    rows = batch.num_rows
    place = {
        "source_no": np.full(rows, number, np.int32),
        "source_offset": np.arange(row, row + rows, dtype=np.int64),
        "source_length": np.zeros(rows, np.int64),
    }
    columns = [pa.array(place[name]) if name in place else batch.column(name) for name in SKETCH.names]
    return pa.RecordBatch.from_arrays(columns, schema=SKETCH_ARROW)


def _output(batch: pa.RecordBatch, number: int, read: int, *quarantined: Quarantined) -> SplitOutput:
    tally = Tally(source_no=number, read=read, quarantined=len(quarantined))
    return SplitOutput(batch=batch, quarantined=quarantined, rows_read=read, tallies=(tally,), notes=())
