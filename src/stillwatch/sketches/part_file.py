"""Sketch parts: Parquet files of sketches, which are kept in place of a log and which `detect` reads.

Takes sketches, and what is known of the log that they were made of. Gives a file that has exactly the columns of `SKETCH`, and in its metadata the number of
this form, the version of the sketch functions and where the rows came from. A part is known by its metadata, whatever its name. It appears whole or not at
all, only its owner reads it, and its pages carry checksums. There is no text in it.

In a part `source_no` is the place in `PartFacts.sources`, and offset and length say where the line lies there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.engines.parts import COMPRESSION, COMPRESSION_LEVEL, ROW_GROUP_ROWS, row_groups
from stillwatch.integrity.text_keys import sync_folder
from stillwatch.sketches.batch import SKETCH_ARROW, SKETCH_VERSION
from stillwatch.sketches.errors import SketchPartError

FORM: Final = 1
"""Number of this form of file."""
METADATA: Final = b"stillwatch.sketches"
"""Name of the entry in the file's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSource:
    """Bytes that rows of a part were made of."""

    path: str
    """As it was given; `-` for standard input."""
    begin: int = 0
    end: int | None = None
    """Bytes of a log that grows: up to here it was read. Null for a whole file."""
    digest: str | None = None
    """Of the whole file, as `digest_file` gives it; null for a log that grows."""
    head: str | None = None
    """Digest of the first line of a log that grows, by which it is known again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """What a part says about itself."""

    format: str
    """Name of the log's format."""
    sources: tuple[PartSource, ...]
    read: int
    """Records that were read, those included that could not be."""
    quarantined: int
    missing: int = 0
    """Exchanges of which the log's own lines say that there is no line."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """What intake repaired or passed over, and how often."""
    form: int = FORM
    version: str = SKETCH_VERSION
    """Of the sketch functions."""
    stillwatch: str = __version__
    """Version of the program that made it."""


def write_part_file(folder: Path, name: str, sketches: Iterable[pa.RecordBatch], facts: Callable[[], PartFacts]) -> int:
    """Write a part, onto the disk, before this returns.

    Args:
        folder: where; it exists.
        name: of the file.
        sketches: columns of `SKETCH`.
        facts: asked once all sketches were taken; what it raises leaves no part behind.

    Returns:
        Rows written.

    Raises:
        OSError: where it cannot be written.
    """
    rows = 0
    with (
        private_file(folder, name) as stream,
        pq.ParquetWriter(
            stream, SKETCH_ARROW, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL, write_page_checksum=True
        ) as writer,
    ):
        for group in row_groups(iter(sketches), SKETCH_ARROW):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
        writer.add_key_value_metadata({METADATA: orjson.dumps(asdict(facts()), option=orjson.OPT_SORT_KEYS)})
    return rows


@contextmanager
def private_file(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file for writing that only its owner may read, and that has its name once it is whole and on the disk; it is gone where the block fails."""
    unfinished = folder / f".{name}.{secrets.token_hex(4)}.unfinished"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(folder / name)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(folder)


def drop_unfinished(folder: Path, before_s: float) -> None:
    """Remove what writers that were killed left behind.

    Args:
        folder: of parts.
        before_s: Unix time; what was touched since then may still be written.
    """
    for left in folder.glob(".sketches-*.unfinished"):
        with suppress(OSError):  # another process was first
            if left.stat().st_mtime < before_s:
                left.unlink()


def part_facts(path: str) -> PartFacts | None:
    """Read what a Parquet file says about itself.

    Returns:
        The facts; null for a file that is no sketch part.

    Raises:
        SketchPartError: for a part that this version cannot use, with what to do.
        pyarrow.ArrowException: for a file that is no Parquet.
        OSError: where it cannot be read.
    """
    with pq.ParquetFile(path) as file:
        content = (file.metadata.metadata or {}).get(METADATA)
        schema = file.schema_arrow
    if content is None:
        return None
    try:
        given = orjson.loads(content)
        made = (given["form"], given["version"], given["stillwatch"])
        sources = tuple(PartSource(**one) for one in given["sources"]) if made[0] == FORM else ()
        facts = PartFacts(**{**given, "sources": sources}) if made[0] == FORM else None
    except (ValueError, KeyError, TypeError) as error:
        raise SketchPartError(
            f"{path}: is marked as sketches, but what it says of itself cannot be read; sketch the log again"
        ) from error
    if facts is None or facts.version != SKETCH_VERSION or not schema.equals(SKETCH_ARROW, check_metadata=False):
        raise SketchPartError(
            f"{path}: holds sketches of version {made[1]!a} in form {made[0]}, made by stillwatch {made[2]!a}; this one compares "
            f"{SKETCH_VERSION!r} in form {FORM} alone. Sketch the log again with `stillwatch sketch`; where its text is gone, leave "
            "the file out, or run the stillwatch that made it over the parts of that version"
        )
    return facts
