"""Lines as they come to parts: one every so many lines, bytes or seconds, and the rest at the end.

Takes blocks of a pipe or of a log that grows. Gives parts, and says of each how many lines are on the disk by it, so that whoever fed them may forget them. A line
that cannot be read goes to the quarantine beside its part, as in a run over the whole log. Memory is bounded by bytes of lines.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.intake.collector import Collector
from stillwatch.intake.errors import RecordError, SettingError
from stillwatch.intake.exchange_batch import Reading
from stillwatch.intake.formats.format import Format, Place
from stillwatch.intake.formats.registry import format_named
from stillwatch.intake.json_text import read_json
from stillwatch.intake.lines import LINE_LIMIT
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.split import SplitOutput
from stillwatch.records.campaign import Quarantined
from stillwatch.sketches.batch import sketch_batch
from stillwatch.sketches.part_file import PartFacts, PartSource, part_facts, write_part_file
from stillwatch.sketching.logs import write_quarantine
from stillwatch.sketching.streams import Block

EVERY_LINES = 5_000
EVERY_S = 60.0
EVERY_BYTES = 32 << 20
"""Of lines; whoever feeds them keeps them until they are on the disk."""
MISSING = "missing_before"
"""Member in which a guard's line says how many exchanges before it have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """How lines become parts."""

    out: Path
    """Folder of the parts; it exists."""
    path: str
    """Of the log, for the parts' own account; `-` for standard input."""
    format: str = "guard"
    intake: IntakeSettings
    every_lines: int = EVERY_LINES
    every_s: float = EVERY_S
    every_bytes: int = EVERY_BYTES


@dataclass(slots=True, kw_only=True)
class LiveCounts:
    """What came of the lines until now."""

    lines: int = 0
    """Lines of which sketch or quarantine entry is on the disk; blank ones too."""
    parts: int = 0
    rows: int = 0
    quarantined: int = 0
    missing: int = 0
    """Exchanges of which the lines say that there is none."""


@dataclass(slots=True, kw_only=True)
class _Part:
    """What is gathered for the next part."""

    sketches: list[pa.RecordBatch] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    size: int = 0
    read: int = 0
    missing: int = 0
    begin: int = 0
    end: int = 0
    since: float = 0.0
    """When its first line came."""


class LiveSketches:
    """Lines of one stream, to parts."""

    def __init__(
        self, settings: LiveSettings, wrote: Callable[[int], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin.

        Args:
            settings: how.
            wrote: told after each part how many lines are on the disk, since the beginning.
            clock: seconds, monotonic.

        Raises:
            SettingError: for a format of which a single line is not an exchange.
        """
        form = _one_line_each(settings.format)
        self._settings = settings
        self._wrote = wrote
        self._clock = clock
        zone = settings.intake.zone if form.naive_zone is None else zone_of(form.naive_zone)
        self._collector = Collector(form, Reading(paths={0: settings.path}, settings=settings.intake, zone=zone))
        self._part = _Part()
        self._head: str | None = None
        self._cut: list[bytes] = []
        """Pieces of the line whose end has not come."""
        self._cut_size = 0
        self._end = 0
        """Of what was given until now."""
        self.counts = LiveCounts()

    def follow(self, blocks: Iterable[Block]) -> LiveCounts:
        """Take blocks until they end, and write the rest.

        Raises:
            OSError: when a part cannot be written; its lines were not said to be on the disk.
        """
        for block in blocks:
            if block.head != self._head or block.offset != self._end:
                self._finish()
                self._head, self._end = block.head, block.offset
                self._part = _Part(begin=block.offset)
            self._take(block.data)
            if self._part.lines and self._clock() - self._part.since >= self._settings.every_s:
                self._write()
        self._finish()
        return self.counts

    def _take(self, data: bytes) -> None:
        """Cut a block into lines."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            size = self._cut_size + len(line)
            self._add(b"".join([*self._cut, line]) if size <= LINE_LIMIT else None, size, size + 1)
            self._cut, self._cut_size = [], 0
        self._cut_size += len(rest)
        self._end += len(data)
        if self._cut_size > LINE_LIMIT:
            self._cut = []
        elif rest:
            self._cut.append(rest)

    def _add(self, line: bytes | None, size: int, span: int) -> None:
        """Take one line; null for one over the limit."""
        part = self._part
        if not part.lines:
            part.since, part.end = self._clock(), part.begin
        line = None if line is None else line.removesuffix(b"\r")
        place = Place(0, part.end, size if line is None else len(line))
        part.lines += 1
        part.size += size
        part.end += span
        if line is None:
            self._collector.refuse(place, f"line of {size} bytes, expected at most {LINE_LIMIT}")
        elif line and not line.isspace():
            self._read(line, place)
        self._keep(self._collector.drain())
        if part.lines >= self._settings.every_lines or part.size >= self._settings.every_bytes:
            self._write()

    def _read(self, line: bytes, place: Place) -> None:
        try:
            record = read_json(line)
        except RecordError as error:
            self._collector.refuse(place, error.reason)
            return
        self._part.missing += _missing(record)
        self._collector.add(record, place)

    def _keep(self, outputs: Iterable[SplitOutput]) -> None:
        """Sketch what intake gives; the text goes."""
        part = self._part
        for output in outputs:
            part.read += output.rows_read
            part.quarantined.extend(output.quarantined)
            part.notes.update(dict(output.notes))
            if output.batch.num_rows:
                part.sketches.append(sketch_batch(output.batch))

    def _finish(self) -> None:
        """Take a last line without an end, and write what there is."""
        if self._cut_size:
            size = self._cut_size
            self._add(b"".join(self._cut) if self._cut else None, size, size)
            self._cut, self._cut_size = [], 0
        self._write()

    def _write(self) -> None:
        """Write a part, where there is something to write."""
        part, settings, counts = self._part, self._settings, self.counts
        if not part.lines:
            return
        self._keep(self._collector.release())
        # Time first, so that names sort as they were written; the rest keeps several writers apart.
        name = f"sketches-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(6)}.parquet"
        write_quarantine(settings.out, name, part.quarantined)
        facts = PartFacts(
            format=settings.format,
            sources=(PartSource(path=settings.path, begin=part.begin, end=part.end, head=self._head),),
            read=part.read,
            quarantined=len(part.quarantined),
            missing=part.missing,
            notes=dict(sorted(part.notes.items())),
        )
        counts.rows += write_part_file(settings.out, name, part.sketches, lambda: facts)
        counts.lines += part.lines
        counts.parts += 1
        counts.quarantined += len(part.quarantined)
        counts.missing += part.missing
        self._part = _Part(begin=part.end)
        self._wrote(counts.lines)


def read_before(out: Path, path: str) -> dict[str, int]:
    """Say up to where a log that grows was read before: the parts themselves are the record of it.

    Args:
        out: folder of the parts.
        path: of the log.

    Returns:
        Bytes, by head.

    Raises:
        SketchPartError: where a part of the folder is of another version.
    """
    found: dict[str, int] = {}
    for part in out.glob("sketches-*.parquet"):
        facts = part_facts(str(part))
        for source in () if facts is None else facts.sources:
            if source.path == path and source.head is not None and source.end is not None:
                found[source.head] = max(found.get(source.head, 0), source.end)
    return found


def _one_line_each(name: str) -> Format:
    form = format_named(name)
    if form.joiner is not None or form.text:
        raise SettingError(
            f"format {name!r}: an exchange of it is spread over several lines, so it cannot be sketched line by line; "
            "sketch whole logs of it"
        )
    return form


def _missing(record: Any) -> int:
    """Return what a guard's line says of exchanges before it that have none."""
    said = record.get(MISSING) if isinstance(record, dict) else None
    return said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else 0
