"""Token files: the documents of a corpus, as token ids, one batch at a time.

Takes paths and, for texts, a tokenizer. Gives documents in the order of the files. Files may be larger than memory.

- `*.jsonl`, `*.jsonl.gz`, `*.parquet`: a document a row; a field of whole numbers holds ids, a field of text is tokenized.
- `*.txt`, `*.txt.gz`: texts in pieces of whole lines, each a document.
- `*.npy`: ids; each row of two dimensions is a document; one dimension is one, given in pieces that overlap, so no unit is lost.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.records.progress import Progress
from stillwatch.watermark.errors import TokenFileError
from stillwatch.watermark.scheme import Tokens
from stillwatch.watermark.tokenizers import Tokenizer

ID_FIELDS = ("token_ids", "input_ids", "tokens", "ids")
TEXT_FIELDS = ("text", "response", "output", "completion", "content", "answer")
BATCH_ROWS = 1_024
PIECE = 1 << 20
OVERLAP = 64
"""The widest context of any scheme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text."""

    tokens: Tokens
    prompt: Tokens | None
    """What it answers, where that was asked for and is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Which fields to read of rows."""

    answer: str | None = None
    """Null for the first of `ID_FIELDS` and `TEXT_FIELDS` that is there."""
    prompt: str | None = None
    """Null where prompts are not looked at."""


Cell = str | Sequence[int]
Pair = tuple[Cell, Cell | None]


def documents(
    paths: Iterable[Path], tokenizer: Tokenizer | None, fields: Fields, progress: Progress | None = None
) -> Iterator[list[Document]]:
    """Read files.

    Args:
        paths: files, in this order.
        tokenizer: needed where a file holds texts.
        fields: which fields of rows to read.
        progress: hears of bytes read; null where nobody listens.

    Yields:
        Documents, in batches.

    Raises:
        TokenFileError: for a file of another kind, or one that cannot be read or lacks the field; the message holds no text.
    """
    for path in paths:
        reader = Reader(path, progress)
        name = path.name.removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson")):
            yield from _encoded(_json_rows(reader, fields), tokenizer, path)
        elif name.endswith(".parquet"):
            yield from _encoded(_parquet_rows(reader, fields), tokenizer, path)
        elif name.endswith(".txt"):
            yield from _encoded(_pieces(reader), tokenizer, path)
        elif name.endswith(".npy"):
            yield from _arrays(reader)
        else:
            raise TokenFileError(f"{path}: expected a file that ends in .jsonl, .parquet, .txt or .npy")
        reader.reached(1.0)


class Reader:
    """A file that is read from its beginning to its end, and says how far it is."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        """Begin."""
        self.path = path
        self._progress = progress
        self._size = path.stat().st_size
        self._told = 0

    def reached(self, share: float) -> None:
        """Tell that this share of the file is read."""
        if self._progress is not None:
            now = int(share * self._size)
            self._progress.advance(now - self._told)
            self._told = now

    @contextmanager
    def lines(self) -> Iterator[IO[bytes]]:
        """Open the file, unpacked where it is packed."""
        with self.path.open("rb") as raw:
            if self.path.suffix != ".gz":
                yield raw
                return
            with gzip.open(raw) as unpacked:
                yield cast("IO[bytes]", unpacked)

    def reached_byte(self, raw_bytes: int) -> None:
        """Tell that so many bytes of text are read; a packed file is told of only at its end."""
        if self.path.suffix != ".gz":
            self.reached(min(1.0, raw_bytes / max(1, self._size)))


def corpus_digest(paths: Iterable[Path]) -> str:
    """Give the digest of the bytes of all files, in order: `sha256:` and 64 hex digits."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{total.hexdigest()}"


def _encoded(rows: Iterator[list[Pair]], tokenizer: Tokenizer | None, path: Path) -> Iterator[list[Document]]:
    """Tokenize batches of rows."""
    for batch in rows:
        answers = _ids([answer for answer, _ in batch], tokenizer, path)
        prompts = iter(_ids([prompt for _, prompt in batch if prompt is not None], tokenizer, path))
        yield [
            Document(tokens=answer, prompt=None if prompt is None else next(prompts))
            for answer, (_, prompt) in zip(answers, batch, strict=True)
        ]


def _ids(cells: list[Cell], tokenizer: Tokenizer | None, path: Path) -> list[Tokens]:
    """Give the ids of cells."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    if texts and tokenizer is None:
        raise TokenFileError(f"{path}: holds texts; name the tokenizer under which they were marked with --tokenizer")
    encoded = iter(tokenizer.encode(texts) if texts and tokenizer is not None else ())
    return [next(encoded) if isinstance(cell, str) else _checked(cell, path) for cell in cells]


def _checked(cell: Any, path: Path) -> Tokens:
    """Refuse what is no token id."""
    ids = np.asarray(cell)
    if len(ids) == 0:
        return np.empty(0, dtype=np.uint32)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or int(ids.min()) < 0 or int(ids.max()) > 0xFFFFFFFF:
        raise TokenFileError(f"{path}: a field of ids holds something else than whole numbers from 0 to 2^32 - 1")
    return ids.astype(np.uint32)


def _chosen(row: Any, fields: Fields, where: str) -> Pair:
    """Take answer and prompt from a row."""
    if not isinstance(row, dict):
        raise TokenFileError(f"{where}: expected an object")
    names = (fields.answer,) if fields.answer else (*ID_FIELDS, *TEXT_FIELDS)
    name = next((one for one in names if row.get(one) is not None), None)
    if name is None:
        raise TokenFileError(f"{where}: got no field {' or '.join(names)}; name the field with --field")
    prompt = row.get(fields.prompt) if fields.prompt else None
    for one, cell in ((name, row[name]), (fields.prompt, prompt)):
        if cell is not None and not isinstance(cell, (str, list)):
            raise TokenFileError(f"{where}: field {one} is neither text nor a list of ids")
    return row[name], prompt


def _json_rows(reader: Reader, fields: Fields) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    path, read = reader.path, 0
    with reader.lines() as file:
        for number, line in enumerate(file, start=1):
            read += len(line)
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TokenFileError(f"{path}:{number}: is no JSON") from error
            batch.append(_chosen(row, fields, f"{path}:{number}"))
            if len(batch) == BATCH_ROWS:
                yield batch
                batch = []
                reader.reached_byte(read)
    if batch:
        yield batch


def _parquet_rows(reader: Reader, fields: Fields) -> Iterator[list[Pair]]:
    path = reader.path
    try:
        with pq.ParquetFile(path) as file:
            columns = set(file.schema_arrow.names)
            wanted = [one for one in (fields.answer, *ID_FIELDS, *TEXT_FIELDS, fields.prompt) if one in columns]
            number = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                rows = batch.to_pylist()
                yield [
                    _chosen(row, fields, f"{path} row {number + index}")
                    for index, row in enumerate(rows)
                    if any(row[name] is not None for name in wanted if name != fields.prompt)
                ]
                number += len(rows)
                reader.reached(number / max(1, file.metadata.num_rows))
    except pa.ArrowInvalid as error:
        raise TokenFileError(f"{path}: cannot be read as Parquet") from error


def _pieces(reader: Reader) -> Iterator[list[Pair]]:
    path, read = reader.path, 0
    with reader.lines() as file:
        while lines := file.readlines(PIECE):
            read += sum(map(len, lines))
            try:
                yield [(b"".join(lines).decode(), None)]
            except UnicodeDecodeError as error:
                raise TokenFileError(f"{path}: is no UTF-8 text") from error
            reader.reached_byte(read)


def _arrays(reader: Reader) -> Iterator[list[Document]]:
    path = reader.path
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise TokenFileError(f"{path}: cannot be read as a NumPy array of ids") from error
    if array.ndim not in {1, 2} or array.dtype.kind not in "iu":
        raise TokenFileError(
            f"{path}: got {array.dtype} of {array.ndim} dimensions, expected whole numbers of one or two"
        )
    if array.ndim == 2:
        for start in range(0, len(array), BATCH_ROWS):
            yield [Document(tokens=_checked(row, path), prompt=None) for row in array[start : start + BATCH_ROWS]]
        return
    for start in range(0, len(array), PIECE):
        yield [Document(tokens=_checked(array[max(0, start - OVERLAP) : start + PIECE], path), prompt=None)]
        reader.reached(min(1.0, (start + PIECE) / len(array)))
