"""Sample: the head and the end of a file, read well enough to tell its layout and format.

Takes a source file. Gives its layout (lines, documents or rows), its encoding, sample records, and how many of the sampled
lines are no JSON. Reads at most a few megabytes, whatever the size of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.intake.documents import Undivided, documents
from stillwatch.intake.errors import RecordError, UnreadableFileError
from stillwatch.intake.json_text import read_json
from stillwatch.intake.lines import LINE_LIMIT, UTF8, Encoding, Overlong, encoding_of, located, runs
from stillwatch.intake.sources import SourceFile
from stillwatch.intake.split import Layout
from stillwatch.intake.streams import StreamCutError, blocks

SAMPLE_RECORDS = 200
_TEXT_LINES = 5000
"""A server writes many lines before the first one about a request."""
_HEAD_BYTES = 1 << 20
_END_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the ends of a file show."""

    layout: Layout
    encoding: Encoding
    head: bytes
    """First bytes, decompressed, as stored."""
    records: tuple[Any, ...]
    """JSON values of the sampled records."""
    lines: tuple[str, ...]
    """First lines as text, for formats that are text; more than records, since few of them are about requests."""
    unreadable: tuple[tuple[int, str], ...]
    """(offset, reason) of sampled records that are no JSON."""
    columns: tuple[str, ...] = ()
    """Columns of a Parquet file."""

    @property
    def empty(self) -> bool:
        """True where the file holds nothing but blanks."""
        return not self.head.strip(b" \t\r\n\0") and not self.columns


def take_sample(source: SourceFile, declared_encoding: str | None) -> Sample:
    """Read the ends of a file.

    Args:
        source: the file.
        declared_encoding: encoding that a person declared; null for UTF-8 or the file's own mark.

    Raises:
        UnreadableFileError: when the file cannot be opened or is a damaged Parquet file.
    """
    if source.kind == "parquet":
        return _parquet_sample(source)
    head, whole = _head(source)
    encoding = encoding_of(head, declared_encoding)
    first = _non_blank(head, encoding, 0)
    if not whole and b"\n" in head and first:
        first.pop()  # the sample cut it
    offsets = _ends(source, head, encoding, first, whole=whole)
    records: list[Any] = []
    unreadable: list[tuple[int, str]] = []
    for offset, line in offsets:
        try:
            records.append(read_json(utf8(line, encoding)))
        except RecordError as error:
            unreadable.append((offset, error.reason))
    layout = _layout(head, encoding, records, len(offsets))
    if layout == "documents":
        records, unreadable = _document_sample(head, encoding, whole=whole)
    lines = tuple(line.decode(encoding.name, "replace") for _, line in first[:_TEXT_LINES])
    return Sample(
        layout=layout,
        encoding=encoding,
        head=head[:_END_BYTES],
        records=tuple(records),
        lines=lines,
        unreadable=tuple(unreadable),
    )


def utf8(line: bytes, encoding: Encoding) -> bytes:
    """Give a line in UTF-8.

    Raises:
        RecordError: when the line is not in the encoding of its file.
    """
    if encoding.name == "utf-8":
        return line
    try:
        return line.decode(encoding.name).encode("utf-8", "replace")
    except UnicodeDecodeError as error:
        raise RecordError(f"byte {error.start} is no {encoding.name}: check the setting `encoding`") from error


def _head(source: SourceFile) -> tuple[bytes, bool]:
    """Give the first bytes, decompressed, and whether they are all of the file."""
    head = b""
    try:
        for block in blocks(source.path, source.kind):
            head += block
            if len(head) >= _HEAD_BYTES and (b"\n" in head or len(head) > LINE_LIMIT):
                return head, source.kind == "plain" and len(head) >= source.size
    except StreamCutError:
        pass  # met again, and reported, when the file is read
    return head, True


def _ends(
    source: SourceFile, head: bytes, encoding: Encoding, first: list[tuple[int, bytes]], *, whole: bool
) -> list[tuple[int, bytes]]:
    """Give lines of the head and, where it can be reached, of the end; never a line that the sample cut."""
    if whole:
        return first[:SAMPLE_RECORDS] + first[SAMPLE_RECORDS:][-SAMPLE_RECORDS:]
    last: list[tuple[int, bytes]] = []
    begin = max(len(head), source.size - _END_BYTES)
    if source.kind == "plain" and len(encoding.newline) == 1:
        end = b"".join(blocks(source.path, "plain", begin))
        cut = end.find(b"\n") + 1
        if cut:
            last = _non_blank(end[cut:], encoding, begin + cut)
    return first[:SAMPLE_RECORDS] + last[-SAMPLE_RECORDS:]


def _non_blank(data: bytes, encoding: Encoding, offset: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for run in runs([data], encoding, offset):
        if not isinstance(run, Overlong):
            found.extend((place, line) for place, line in located(run) if line.strip(b" \t\0"))
    return found


def _layout(head: bytes, encoding: Encoding, records: list[Any], sampled: int) -> Layout:
    """Lines if a fair share of them are objects of their own; documents if the file begins like JSON; lines otherwise."""
    begin = head[encoding.mark :].decode(encoding.name, "ignore").lstrip()[:1]
    if begin == "[":
        return "documents"
    objects = sum(isinstance(record, dict) for record in records)
    return "documents" if begin == "{" and objects * 4 < sampled else "lines"


def _document_sample(head: bytes, encoding: Encoding, *, whole: bool) -> tuple[list[Any], list[tuple[int, str]]]:
    text = head[encoding.mark :]
    text = text if encoding.name == "utf-8" else text.decode(encoding.name, "ignore").encode()
    records: list[Any] = []
    unreadable: list[tuple[int, str]] = []
    for document in documents([text], encoding.mark):
        if isinstance(document, Undivided):
            if whole:
                unreadable.append((document.offset, document.reason))
            continue
        offset, line = document
        try:
            records.append(read_json(line))
        except RecordError as error:
            unreadable.append((offset, error.reason))
        if len(records) >= SAMPLE_RECORDS:
            break
    return records, unreadable


def _parquet_sample(source: SourceFile) -> Sample:
    try:
        with pq.ParquetFile(source.path) as file:
            columns = tuple(file.schema_arrow.names)
            rows = next(file.iter_batches(batch_size=64), None)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(
            f"{source.path}: starts like Parquet but cannot be read (the footer at the end is missing or damaged); "
            "the file was probably cut while it was written or copied: write it again"
        ) from error
    records = [] if rows is None else plain_rows(rows)
    return Sample(
        layout="rows",
        encoding=UTF8,
        head=b"PAR1",
        records=tuple(records or [dict.fromkeys(columns)]),
        lines=(),
        unreadable=(),
        columns=columns,
    )


def plain_rows(rows: Any) -> list[dict[str, Any]]:
    """Give the rows of an Arrow batch as mappings, Arrow maps as mappings too."""
    maps = {field.name for field in rows.schema if pa.types.is_map(field.type)}
    listed: list[dict[str, Any]] = rows.to_pylist()
    for row in listed:
        for name in maps:
            if row[name] is not None:
                row[name] = dict(row[name])
    return listed
