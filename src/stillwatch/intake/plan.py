"""Plan: the files of a run become splits, units of work that are read without knowing of each other.

Takes sources and settings. Gives an `IntakePlan`: the format of each file (told by content), the splits in the order of the
files, what was set aside and why, and columns that no one reads. A plain JSONL file is cut at line ends, a Parquet file
between row groups, and so is a part of sketches, which is no log but is planned as one; small files share a split. Files of a format whose exchanges are spread over lines are one split per
group of files, since a line in one may belong to a line in another. Where the cuts fall changes no row.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.intake.errors import MostlyUnreadableError, UnknownFormatError, UnreadableFileError
from stillwatch.intake.exchange_batch import FLAT_NAMES
from stillwatch.intake.foreign import beside_logs
from stillwatch.intake.formats.format import Format
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.formats.registry import format_named
from stillwatch.intake.recognition import recognise
from stillwatch.intake.sample import Sample, take_sample
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sketch_parts import SKETCHES, sketched_before
from stillwatch.intake.sources import SourceFile
from stillwatch.intake.split import Piece, Split
from stillwatch.intake.tallies import FEW
from stillwatch.intake.trial import Trial, try_sample

SPLIT_BYTES = 64 << 20
_PACKED_BYTES = 16 << 20
"""Files up to this size may share a split."""
_SEEK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file that will be read."""

    source: SourceFile
    format_name: str
    left_out: tuple[str, ...]
    """Columns of a generic file that intake does not know, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A file that will not be read."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakePlan:
    """What will be read, and how."""

    files: tuple[PlannedFile, ...]
    splits: tuple[Split, ...]
    set_aside: tuple[SetAside, ...]
    """Empty files, and tables about accounts and quarantines that lie in a folder of logs."""
    settings: IntakeSettings
    notes: Mapping[str, int]
    """What was noted when parts of sketches were made of their logs, and how often."""


def plan(
    sources: Sequence[SourceFile],
    format_name: str = "auto",
    settings: IntakeSettings | None = None,
    *,
    split_bytes: int = SPLIT_BYTES,
    takes_sketches: bool = False,
) -> IntakePlan:
    """Plan the reading of the files of a run.

    Args:
        sources: what `expand_paths` gave.
        format_name: `auto`, or a format that every file is read as.
        settings: declarations for all files.
        split_bytes: size of a split of a file that can be cut.
        takes_sketches: whether parts of sketches can be used too; `read_sketches` reads their splits.

    Raises:
        UnknownFormatError: when no format recognises a file.
        MostlyUnreadableError: when more than half of a file's sampled lines cannot be read.
        UnreadableFileError: when a file cannot be opened.
        SettingError: when there is no such format.
        SketchPartError: for sketches of another version.
        TextNeededError: for sketches where they are not taken.
    """
    declared = IntakeSettings() if settings is None else settings
    forced = None if format_name == "auto" else format_named(format_name)
    files: list[PlannedFile] = []
    aside: list[SetAside] = []
    pieces: list[tuple[Format, list[Piece]]] = []
    trials: list[_Tried] = []
    notes: Counter[str] = Counter()
    for source in sources:
        before = sketched_before(source, taken=takes_sketches)
        if before is not None:
            notes.update(before)
            files.append(PlannedFile(source=source, format_name=SKETCHES.name, left_out=()))
            pieces.append((SKETCHES, list(_row_pieces(source, split_bytes))))
            continue
        sample = take_sample(source, declared.encoding)
        reason = _why_not(source, sample)
        if reason is not None:
            aside.append(SetAside(path=source.path, reason=reason))
            continue
        form = recognise(sample, source.path, declared) if forced is None else forced
        trials.append(_tried(source, sample, form, declared))
        left_out = _left_out(sample, declared) if form is GENERIC else ()
        files.append(PlannedFile(source=source, format_name=form.name, left_out=left_out))
        pieces.append((form, list(_pieces(source, sample, form, split_bytes))))
    if not files:
        said = "; ".join(f"{item.path}: {item.reason}" for item in aside)
        raise UnknownFormatError(f"there is nothing to read ({said}); give at least one log file with exchanges")
    _check_run(trials)
    return IntakePlan(
        files=tuple(files),
        splits=tuple(_packed(pieces, split_bytes)),
        set_aside=tuple(aside),
        settings=declared,
        notes=notes,
    )


def _why_not(source: SourceFile, sample: Sample) -> str | None:
    if sample.empty:
        return "the file is empty"
    if source.named:
        return None
    keys = set(sample.columns)
    for record in sample.records:
        if isinstance(record, Mapping):
            keys.update(record)
    said = beside_logs(keys)
    return (
        None
        if said is None
        else f"this is {said}; it lies in a folder that was given as a whole and is not read as a log"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A file, its format, and how its sample fared."""

    source: SourceFile
    form: Format
    trial: Trial


def _tried(source: SourceFile, sample: Sample, form: Format, settings: IntakeSettings) -> _Tried:
    """Try the sample, and stop early where most of the sampled records fail.

    Of a compressed file the end is unknown, and of a format that joins the partners of a record may lie elsewhere: such files are
    judged when they are read.
    """
    trial = try_sample(form, sample, settings)
    judged = source.kind == "plain" and form.joiner is None
    if judged and trial.tried >= FEW and trial.failed * 2 > trial.tried:
        raise MostlyUnreadableError(
            f"{source.path}: {trial.failed} of {trial.tried} records at its head and end cannot be read as {form.title} "
            f"(most often: {trial.reason}). {_advice(source, sample, form, settings)}"
        )
    return _Tried(source=source, form=form, trial=trial)


def _advice(source: SourceFile, sample: Sample, form: Format, settings: IntakeSettings) -> str:
    try:
        likely = recognise(sample, source.path, settings)
    except UnknownFormatError as error:
        return f"No format fits: {error}"
    if likely is not form:
        return f"The likely format is `{likely.name}` ({likely.title}): give --format {likely.name} or auto"
    return form.needs


def _check_run(trials: Sequence[_Tried]) -> None:
    """Stop early where no sampled record of the whole run can be read: something has to be declared."""
    if not trials or any(tried.trial.failed < tried.trial.tried or not tried.trial.tried for tried in trials):
        return
    if len(trials) > 1 and any(tried.form.joiner is not None for tried in trials):
        return  # what one file lacks, another may have
    said = trials[0]
    others = f"; nor of {len(trials) - 1} more files" if len(trials) > 1 else ""
    raise MostlyUnreadableError(
        f"{said.source.path}: no record can be read as {said.form.title} ({said.trial.reason}){others}. {said.form.needs}"
    )


def _left_out(sample: Sample, settings: IntakeSettings) -> tuple[str, ...]:
    keys: set[str] = set(sample.columns)
    for record in sample.records:
        if isinstance(record, Mapping):
            keys.update(record)
    used = {path.split(".")[0] for path in (settings.account_field, settings.time_field) if path is not None}
    return tuple(sorted(keys.difference(FLAT_NAMES).difference(used)))


def _pieces(source: SourceFile, sample: Sample, form: Format, split_bytes: int) -> Iterator[Piece]:
    if sample.layout == "rows":
        yield from _row_pieces(source, split_bytes)
        return
    divisible = (
        source.kind == "plain"
        and sample.layout == "lines"
        and form.joiner is None
        and len(sample.encoding.newline) == 1
        and source.size > split_bytes
    )
    cuts = list(_cuts(source, split_bytes)) if divisible else []
    starts = [0, *cuts]
    for start, stop in zip(starts, [*cuts, None], strict=True):
        yield Piece(
            path=source.path,
            number=source.number,
            kind=source.kind,
            layout=sample.layout,
            start=start,
            stop=stop,
            whole=not cuts,
        )


def _cuts(source: SourceFile, split_bytes: int) -> Iterator[int]:
    """Yield offsets of lines at about every `split_bytes` bytes."""
    with open(source.path, "rb") as file:  # noqa: PTH123
        target = split_bytes
        while target < source.size:
            file.seek(target - 1)
            place = target - 1
            while block := file.read(_SEEK):
                cut = block.find(b"\n")
                if cut >= 0:
                    place += cut + 1
                    break
                place += len(block)
            if place >= source.size or not block:
                return
            yield place
            target = max(target + split_bytes, place + 1)


def _row_pieces(source: SourceFile, split_bytes: int) -> Iterator[Piece]:
    try:
        with pq.ParquetFile(source.path) as file:
            groups = [
                (file.metadata.row_group(group).num_rows, file.metadata.row_group(group).total_byte_size)
                for group in range(file.metadata.num_row_groups)
            ]
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(f"{source.path}: cannot be read as Parquet; write the file again") from error
    start, first_row, rows, size = 0, 0, 0, 0
    bounds: list[tuple[int, int, int]] = []
    for group, (count, length) in enumerate(groups):
        rows += count
        size += length
        if size >= split_bytes or group + 1 == len(groups):
            bounds.append((start, group + 1, first_row))
            start, first_row, size = group + 1, rows, 0
    for begin, stop, row in bounds:
        yield Piece(
            path=source.path,
            number=source.number,
            kind="parquet",
            layout="rows",
            start=begin,
            stop=stop,
            first_row=row,
            whole=len(bounds) == 1,
        )


def _packed(planned: Sequence[tuple[Format, list[Piece]]], split_bytes: int) -> Iterator[Split]:
    """Give splits in the order of the files: joined groups as one each, small files together, all else piece by piece."""
    groups: dict[tuple[str, str], list[Piece]] = {}
    open_pieces: list[Piece] = []
    open_format, open_bytes = "", 0
    splits: list[Split] = []

    def close() -> None:
        nonlocal open_bytes
        if open_pieces:
            splits.append(Split(format_name=open_format, pieces=tuple(open_pieces)))
            open_pieces.clear()
        open_bytes = 0

    for form, pieces in planned:
        if form.joiner is not None:
            folder = "" if form.joins_within == "run" else os.path.dirname(pieces[0].path)  # noqa: PTH120
            groups.setdefault((form.name, folder), []).extend(pieces)
            continue
        for piece in pieces:
            size = os.path.getsize(piece.path) if piece.whole else split_bytes  # noqa: PTH202
            if form.name != open_format or open_bytes + size > max(split_bytes, _PACKED_BYTES):
                close()
            open_format = form.name
            open_pieces.append(piece)
            open_bytes += size
    close()
    yield from splits
    yield from (Split(format_name=name, pieces=tuple(pieces)) for (name, _), pieces in groups.items())
