"""Whole logs to parts: one part for a log file, or for the files of a folder whose lines belong together.

Takes paths, as `detect` takes them. Gives parts named by what they were made of, so that a second run, or one after a kill, makes only those that are missing:
a new day of logs costs a day. What could not be read is said in a file beside the part, which is there before it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa

from stillwatch.intake.formats.registry import format_named
from stillwatch.intake.plan import IntakePlan, plan
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import SourceFile, digest_file, expand_paths
from stillwatch.intake.split import Split, SplitOutput
from stillwatch.intake.tallies import FileTallies
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.campaign import Quarantined
from stillwatch.records.progress import Progress
from stillwatch.sketches.batch import SKETCH_VERSION
from stillwatch.sketches.part_file import FORM, PartFacts, PartSource, part_facts, private_file, write_part_file
from stillwatch.sketching.splits import sketches_of

_WHOLE = 1 << 62
"""No file is cut into splits: each becomes one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchedLogs:
    """What was made."""

    parts: tuple[Path, ...]
    """All parts of these logs, sorted by name."""
    made: int
    """How many of them were made now; the others were there."""
    rows: int
    """Sketches in those made now."""
    read: int
    quarantined: int
    set_aside: tuple[tuple[str, str], ...]
    """(path, reason) of files that are no logs."""
    notes: dict[str, int]


@dataclass(slots=True, kw_only=True)
class _Work:
    """One part that is to be there."""

    split: Split
    sources: tuple[SourceFile, ...]
    digests: tuple[str, ...]
    name: str
    rows: int = 0
    read: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)


def sketch_logs(
    paths: tuple[str, ...], out: Path, format_name: str, settings: IntakeSettings, threads: int, progress: Progress
) -> SketchedLogs:
    """Make the parts of logs that are not there yet.

    Args:
        paths: files, folders or globs.
        out: folder of the parts; it exists.
        format_name: `auto`, or a format that every file is read as.
        settings: declarations for all files.
        threads: parts that are made at a time.
        progress: told of the bytes of finished files.

    Raises:
        IntakeError: for input that cannot be used; the parts of other files stay.
        OSError: when a part cannot be written.
    """
    planned = plan(expand_paths(paths), format_name, settings, split_bytes=_WHOLE)
    works = _works(planned)
    missing = [work for name, work in works.items() if not _is_there(out / name)]
    progress.begin("sketching", sum(source.size for work in missing for source in work.sources))

    def make(work: _Work) -> None:
        _make(work, out, planned.settings)
        progress.advance(sum(source.size for source in work.sources))

    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="sketch") as pool:
        try:
            for done in [pool.submit(make, work) for work in missing]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)
    progress.end()
    notes = sum((work.notes for work in missing), Counter())
    return SketchedLogs(
        parts=tuple(sorted(out / name for name in works)),
        made=len(missing),
        rows=sum(work.rows for work in missing),
        read=sum(work.read for work in missing),
        quarantined=sum(len(work.quarantined) for work in missing),
        set_aside=tuple((item.path, item.reason) for item in planned.set_aside),
        notes=dict(sorted(notes.items())),
    )


def _works(planned: IntakePlan) -> dict[str, _Work]:
    """Give the parts by name: a split for each file, but where a format's lines belong together over files."""
    known = {file.source.number: file.source for file in planned.files}
    joined = {file.format_name for file in planned.files if format_named(file.format_name).joiner is not None}
    # The present time does not count: the same logs are the same parts tomorrow.
    declared = {name: value for name, value in planned.settings.to_dict().items() if name != "now_us"}
    works = {}
    for split in planned.splits:
        for pieces in [split.pieces] if split.format_name in joined else [(piece,) for piece in split.pieces]:
            sources = tuple(known[piece.number] for piece in pieces)
            digests = tuple(digest_file(source.path) for source in sources)
            identity = canonical_bytes([FORM, SKETCH_VERSION, split.format_name, declared, list(digests)])
            name = f"sketches-{blake2b(identity, digest_size=8).hexdigest()}.parquet"
            one = Split(format_name=split.format_name, pieces=pieces)
            works[name] = _Work(split=one, sources=sources, digests=digests, name=name)
    return works


def _is_there(path: Path) -> bool:
    try:
        return part_facts(str(path)) is not None
    except (OSError, pa.ArrowException):
        return False


def _make(work: _Work, out: Path, settings: IntakeSettings) -> None:
    tallies = FileTallies({source.number: source.path for source in work.sources})

    def facts() -> PartFacts:
        tallies.check()
        write_quarantine(out, work.name, work.quarantined)
        return PartFacts(
            format=work.split.format_name,
            sources=tuple(
                PartSource(path=source.path, digest=digest)
                for source, digest in zip(work.sources, work.digests, strict=True)
            ),
            read=work.read,
            quarantined=len(work.quarantined),
            notes=dict(sorted(work.notes.items())),
        )

    places = {source.number: place for place, source in enumerate(work.sources)}
    outputs = _counted(sketches_of(work.split, settings), work, tallies)
    work.rows = write_part_file(out, work.name, (_in_part(one.batch, places) for one in outputs), facts)


def _counted(outputs: Iterator[SplitOutput], work: _Work, tallies: FileTallies) -> Iterator[SplitOutput]:
    """Count what was read; pass on what has rows."""
    for output in outputs:
        tallies.add(output)
        work.read += output.rows_read
        work.quarantined.extend(output.quarantined)
        work.notes.update(dict(output.notes))
        if output.batch.num_rows:
            yield output


def _in_part(sketches: pa.RecordBatch, places: dict[int, int]) -> pa.RecordBatch:
    """Number the sources as the part does."""
    column = sketches.schema.get_field_index("source_no")
    numbers = [places[number] for number in sketches.column(column).to_pylist()]
    return sketches.set_column(column, sketches.schema.field(column), pa.array(numbers, pa.int32()))


def write_quarantine(out: Path, part: str, entries: list[Quarantined]) -> None:
    """Write the quarantine of a part beside it, where there is any.

    Args:
        out: folder of the part.
        part: its name.
        entries: places and reasons, without text.
    """
    if not entries:
        return
    with private_file(out, f"{part.removesuffix('.parquet')}.quarantine.jsonl") as stream:
        for entry in entries:
            line = {"file": entry.file, "offset": entry.offset, "length": entry.length, "reason": entry.reason}
            stream.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
