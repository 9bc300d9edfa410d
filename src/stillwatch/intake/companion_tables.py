"""Companion tables: small CSV, JSON, JSONL or Parquet files that people keep beside the logs, as text columns by name.

Takes a path. Gives named columns as lists. Every CSV field is text, so that an account `0012` stays what it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.intake.documents import Undivided, documents
from stillwatch.intake.errors import CompanionFileError, RecordError
from stillwatch.intake.json_text import read_json
from stillwatch.intake.lines import encoding_of
from stillwatch.intake.sources import kind_of
from stillwatch.intake.streams import StreamCutError, blocks

Columns = dict[str, list[Any]]


def read_columns(path: str) -> Columns:
    """Read a companion file.

    Args:
        path: Parquet, or CSV, JSON (array or objects) or JSONL, plain or with gzip or zstd.

    Returns:
        The columns; null where a row lacks a value, also for an empty CSV field.

    Raises:
        CompanionFileError: when the file is missing, empty, damaged or of another form.
    """
    if not Path(path).is_file():
        raise CompanionFileError(f"{path}: there is no such file; expected Parquet, CSV, JSON or JSONL")
    kind = kind_of(path)
    if kind == "parquet":
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise CompanionFileError(f"{path}: damaged Parquet file; write it again") from error
        return {name: table.column(name).to_pylist() for name in table.column_names}
    try:
        raw = b"".join(blocks(path, kind))
    except StreamCutError as error:
        raise CompanionFileError(f"{path}: {error.reason}; a file of facts must be whole") from error
    encoding = encoding_of(raw[:4], None)
    try:
        text = raw[encoding.mark :].decode(encoding.name)
    except UnicodeDecodeError as error:
        raise CompanionFileError(f"{path}: byte {error.start} is no {encoding.name}; save the file as UTF-8") from error
    if not text.strip():
        raise CompanionFileError(f"{path}: the file is empty; expected a header and rows, or JSON objects")
    return _from_json(path, text) if text.lstrip()[0] in "{[" else _from_csv(path, text)


def _from_json(path: str, text: str) -> Columns:
    rows: list[Mapping[str, Any]] = []
    for document in documents([text.encode()]):
        if isinstance(document, Undivided):
            raise CompanionFileError(f"{path}, byte {document.offset}: {document.reason}; expected JSON objects")
        try:
            row = read_json(document[1])
        except RecordError as error:
            raise CompanionFileError(f"{path}, byte {document[0]}: {error.reason}") from error
        if not isinstance(row, Mapping):
            raise CompanionFileError(f"{path}, byte {document[0]}: a JSON {type(row).__name__}, expected an object")
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _from_csv(path: str, text: str) -> Columns:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        columns: Columns = {name: [] for name in header}
        if len(columns) < len(header):
            raise CompanionFileError(f"{path}, line 1: a column name occurs twice; expected each once")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise CompanionFileError(
                    f"{path}, line {reader.line_num}: {len(row)} fields, expected {len(header)} as in the header"
                )
            for name, value in zip(header, row, strict=True):
                columns[name].append(value or None)
    except csv.Error as error:
        raise CompanionFileError(f"{path}, line {reader.line_num}: no CSV ({error})") from error
    return columns


def _delimiter(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max(",;\t", key=header.count)
