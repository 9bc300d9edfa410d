"""Sealing: what a run read and wrote, committed to the ledger; and the way back from an exhibit to the log bytes.

Takes the log files of a run with their digests, and the files that it wrote. Gives a `run sealed` entry; and, for an exhibit, the
place of its bytes in a log file that is still the one that was sealed. So a finding cannot be fitted to logs that were changed later, and
an exhibit leads to bytes that were fixed when the run was made.

It shows that these bytes were there when the run was sealed, not that the log told the truth before that. The earlier logs are sealed,
the less is left to trust.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from stillwatch.evidence.access import Access, Permission, TextReference
from stillwatch.evidence.errors import SealError
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.ledger import LedgerEntry, NewEntry

RUN_SEALED = "run sealed"
FORMAT = "sealed-run/v1"
LONGEST_SPAN = 64 << 20
"""Bytes of an exhibit; intake passes over lines of 16 MB and more."""
_READ = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A file as it was when the run was sealed."""

    use: str
    """traffic, reference, accounts or releases; for a result, its name."""
    path: str
    """As the run named it; exhibits name log files so."""
    size: int
    """Bytes on disk."""
    digest: str
    """`blake2b:` and 64 hex digits: BLAKE2b-256 of the bytes on disk (`b2sum -l 256`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRun:
    """What a run commits to."""

    version: str
    """Of stillwatch."""
    input_digest: str
    """As in run.json: digest over the digests of all files read."""
    output_digest: str
    """As in run.json: digest over accounts and campaigns, without source spans."""
    inputs: tuple[SealedFile, ...]
    """Every file that was read, by use and path."""
    results: tuple[SealedFile, ...]
    """accounts.parquet, campaigns.json and run.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhibitOrigin:
    """Where an exhibit stands, in a file that is the sealed one. It holds no text."""

    reference: TextReference
    located: Path
    """Where the file lies now."""
    file_digest: str
    """Of the whole file, found to be the sealed one."""
    span_digest: str
    """`sha256:` and 64 hex digits: of the exhibit's bytes, or of its row as JSON."""
    span_bytes: int


def seal_run(access: Access, actor: str, run: SealedRun) -> int:
    """Commit a run to the ledger.

    Returns:
        The index of the entry.

    Raises:
        AccessError: where the actor may not seal runs.
        StoreError: where the entry cannot be kept.
    """
    record = canonical_bytes(
        {
            "format": FORMAT,
            "input_digest": run.input_digest,
            "inputs": list(run.inputs),
            "output_digest": run.output_digest,
            "results": list(run.results),
            "version": run.version,
        }
    )
    return access.append(actor, [NewEntry(kind=RUN_SEALED, actor=actor, record=record)], Permission.SEAL_RUN)[0]


def read_sealed_run(entry: LedgerEntry) -> SealedRun:
    """Read what a run committed to.

    Raises:
        SealError: where the entry is no sealed run of a version that is known here.
    """
    if entry.kind != RUN_SEALED:
        raise SealError(f"entry {entry.index}: is a {entry.kind!a}, expected a {RUN_SEALED!r}")
    try:
        said = json.loads(entry.record)
        if said["format"] != FORMAT:
            raise SealError(f"entry {entry.index}: got format {said['format']!a}, expected {FORMAT}")
        return SealedRun(
            version=str(said["version"]),
            input_digest=str(said["input_digest"]),
            output_digest=str(said["output_digest"]),
            inputs=tuple(SealedFile(**one) for one in said["inputs"]),
            results=tuple(SealedFile(**one) for one in said["results"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise SealError(f"entry {entry.index}: is no {FORMAT} ({type(error).__name__})") from error


def sealed_file(use: str, path: Path) -> SealedFile:
    """Digest a file as it is.

    Raises:
        OSError: where it cannot be read.
    """
    with path.open("rb") as file:
        size, digest = _digest(file)
    return SealedFile(use=use, path=str(path), size=size, digest=digest)


def exhibit_origin(run: SealedRun, reference: TextReference, located: Path | None = None) -> ExhibitOrigin:
    """Lead from an exhibit back to the log bytes, without showing them.

    1. The run sealed a log file of that path.
    2. The file's size and digest are the sealed ones.
    3. The span lies in the file; for a compressed file, in its decompressed bytes, which is what exhibits count.

    Args:
        run: the sealed run.
        reference: file, offset and length of an exhibit.
        located: where the file lies now; by default where it lay.

    Raises:
        SealError: naming the step that fails.
    """
    sealed = next(
        (one for one in run.inputs if one.path == reference.file and one.use in {"traffic", "reference"}), None
    )
    if sealed is None:
        raise SealError(f"the run sealed no log file {reference.file!a}; it sealed {len(run.inputs)} other files")
    path = located or Path(sealed.path)
    try:
        with path.open("rb") as file:
            size, digest = _digest(file)
            if (size, digest) != (sealed.size, sealed.digest):
                raise SealError(
                    f"{path}: is not the file that was sealed: expected {sealed.size} bytes, {sealed.digest}, "
                    f"got {size} bytes, {digest}"
                )
            span = _span(file, reference)
    except OSError as error:
        raise SealError(f"{path}: cannot be read ({error.strerror}); name where the log file lies now") from error
    return ExhibitOrigin(
        reference=reference,
        located=path,
        file_digest=digest,
        span_digest=f"sha256:{hashlib.sha256(span).hexdigest()}",
        span_bytes=len(span),
    )


def read_exhibit(access: Access, actor: str, purpose: str, origin: ExhibitOrigin) -> bytes:
    """Give the log bytes of an exhibit; the look is recorded before they are read.

    Raises:
        AccessError: where the actor may not look at text.
        SealError: where the bytes are no longer those that were found.
    """

    def read() -> bytes:
        try:
            with origin.located.open("rb") as file:
                span = _span(file, origin.reference)
        except OSError as error:
            raise SealError(f"{origin.located}: cannot be read ({error.strerror})") from error
        if f"sha256:{hashlib.sha256(span).hexdigest()}" != origin.span_digest:
            raise SealError(f"{origin.located}: was changed since the exhibit was found in it")
        return span

    return access.look_at_text(actor, [origin.reference], purpose, read)


def _digest(file: BinaryIO) -> tuple[int, str]:
    """Return size and digest of a whole file."""
    digest, size = hashlib.blake2b(digest_size=32), 0
    while block := file.read(_READ):
        digest.update(block)
        size += len(block)
    return size, f"blake2b:{digest.hexdigest()}"


def _span(file: BinaryIO, reference: TextReference) -> bytes:
    """Return the bytes of an exhibit, or its row as JSON."""
    if reference.offset < 0 or not 0 <= reference.length <= LONGEST_SPAN:
        raise SealError(
            f"got {reference.length} bytes at {reference.offset}, expected at most {LONGEST_SPAN} from 0 on"
        )
    file.seek(0)
    head = file.read(4)
    if head == b"PAR1":
        return _row(file, reference)
    try:
        with _stream(file, head) as stream:
            left = reference.offset
            while left and (skipped := len(stream.read(min(left, _READ)))):
                left -= skipped
            span = b"" if left else stream.read(reference.length)
    except (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
        raise SealError(
            f"{reference.file!a}: is damaged before the exhibit's bytes ({type(error).__name__})"
        ) from error
    if len(span) != reference.length or not span:
        raise SealError(f"{reference.file!a}: got {len(span)} bytes at {reference.offset}, expected {reference.length}")
    return span


@contextmanager
def _stream(file: BinaryIO, head: bytes) -> Iterator[BinaryIO]:
    """Open the bytes of a log as intake counted them: decompressed where it is compressed."""
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast("BinaryIO", unpacked)
    elif head == b"\x28\xb5\x2f\xfd":
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False) as unpacked:
            yield _whole_reads(unpacked)
    else:
        yield file


def _whole_reads(stream: Any) -> BinaryIO:
    """Return a reader that gives as many bytes as were asked for, where there are so many."""
    return cast("BinaryIO", io.BufferedReader(stream, _READ))


def _row(file: BinaryIO, reference: TextReference) -> bytes:
    """Return a row of a Parquet file as JSON."""
    try:
        table = pq.ParquetFile(file)
        first = 0
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if first <= reference.offset < first + rows:
                (row,) = table.read_row_group(group).slice(reference.offset - first, 1).to_pylist()
                return json.dumps(row, ensure_ascii=False, sort_keys=True, default=str).encode("utf-8", "replace")
            first += rows
    except pa.ArrowException as error:
        raise SealError(f"{reference.file!a}: cannot be read as Parquet ({type(error).__name__})") from error
    raise SealError(f"{reference.file!a}: got row {reference.offset}, expected one of {first}")


def sealed_results(out: Path, names: Sequence[str]) -> tuple[SealedFile, ...]:
    """Digest the files that a run wrote into its folder.

    Raises:
        OSError: where one cannot be read.
    """
    return tuple(sealed_file(name, out / name) for name in names)
