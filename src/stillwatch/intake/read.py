"""Read: a split becomes batches of exchanges and quarantine entries. The way in for engines.

Takes a `Split` of the plan. Gives `SplitOutput`s, always at least one. Pure: it reads the files of the split and nothing else,
keeps no state between calls, and gives the same rows whatever the other splits are.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import orjson

from stillwatch.intake.collector import Collector
from stillwatch.intake.documents import Undivided, documents
from stillwatch.intake.errors import RecordError
from stillwatch.intake.exchange_batch import Reading
from stillwatch.intake.formats.format import Format, Place
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.formats.registry import format_named
from stillwatch.intake.json_text import read_json
from stillwatch.intake.lines import LINE_LIMIT, UTF8, Encoding, Overlong, Run, encoding_of, located, runs
from stillwatch.intake.parquet_rows import read_rows
from stillwatch.intake.sample import utf8
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.split import Piece, Split, SplitOutput
from stillwatch.intake.streams import StreamCutError, blocks, first_bytes
from stillwatch.intake.tallies import FileTallies


def read_split(split: Split, plan_settings: IntakeSettings) -> Iterator[SplitOutput]:
    """Read a split.

    Args:
        split: a unit of work of a plan.
        plan_settings: the plan's settings.

    Yields:
        Outputs in the order of the files and lines. Batches have at most 65,536 rows and 64 MB.

    Raises:
        MostlyUnreadableError: when more than half of the lines of a file that lies wholly in this split cannot be read. For
            files cut into several splits, add the outputs' tallies to a `FileTallies` and check that at the end.
        UnreadableFileError: when a file cannot be opened.
    """
    form = format_named(split.format_name)
    reading = Reading(
        paths={piece.number: piece.path for piece in split.pieces},
        settings=plan_settings,
        zone=plan_settings.zone if form.naive_zone is None else zone_of(form.naive_zone),
    )
    collector = Collector(form, reading)
    tallies = FileTallies({piece.number: piece.path for piece in split.pieces if piece.whole})
    for piece in split.pieces:
        for output in _read_piece(piece, form, reading, collector):
            tallies.add(output)
            yield output
    for output in collector.finish():
        tallies.add(output)
        yield output
    tallies.check()


def _read_piece(piece: Piece, form: Format, reading: Reading, collector: Collector) -> Iterator[SplitOutput]:
    if piece.layout == "rows":
        yield from read_rows(piece, form, reading, collector)
        return
    encoding = encoding_of(first_bytes(piece.path, piece.kind), reading.settings.encoding)
    try:
        if piece.layout == "documents":
            yield from _read_documents(piece, encoding, collector)
        else:
            yield from _read_lines(piece, form, encoding, collector)
    except StreamCutError as error:
        collector.refuse(Place(piece.number, 0, 0), error.reason)


def _read_lines(piece: Piece, form: Format, encoding: Encoding, collector: Collector) -> Iterator[SplitOutput]:
    for run in runs(blocks(piece.path, piece.kind, piece.start, piece.stop), encoding, piece.start):
        if isinstance(run, Overlong):
            place = Place(piece.number, run.offset, run.length)
            collector.refuse(place, f"line of {run.length} bytes, expected at most {LINE_LIMIT}")
        elif collector.is_flat and encoding.name == "utf-8":
            _add_flat_lines(run, piece.number, collector)
        else:
            for offset, line in located(run):
                _add_line(line, Place(piece.number, offset, len(line)), form, encoding, collector)
        yield from collector.drain()


def _add_flat_lines(run: Run, source: int, collector: Collector) -> None:
    """Take the lines of a run in the quickest way that there is, and the odd ones among them in the thorough way."""
    for offset, line in located(run):
        place = Place(source, offset, len(line))
        try:
            if collector.add_flat(orjson.loads(line), place):
                continue
        except orjson.JSONDecodeError:
            pass  # judged below, where the reason is found
        _add_line(line, place, GENERIC, UTF8, collector)


def _add_line(line: bytes, place: Place, form: Format, encoding: Encoding, collector: Collector) -> None:
    if not line or line.isspace():
        return
    try:
        text = utf8(line, encoding)
        record = text.decode("utf-8", "replace") if form.text else read_json(text)
    except RecordError as error:
        collector.refuse(place, error.reason)
        return
    collector.add(record, place)


def _read_documents(piece: Piece, encoding: Encoding, collector: Collector) -> Iterator[SplitOutput]:
    for document in documents(_utf8_blocks(piece, encoding), encoding.mark if encoding.name == "utf-8" else 0):
        if isinstance(document, Undivided):
            collector.refuse(Place(piece.number, document.offset, document.length), document.reason)
            continue
        offset, text = document
        place = Place(piece.number, offset, len(text))
        try:
            record = read_json(text)
        except RecordError as error:
            collector.refuse(place, error.reason)
            continue
        collector.add(record, place)
        yield from collector.drain()


def _utf8_blocks(piece: Piece, encoding: Encoding) -> Iterator[bytes]:
    """Yield the bytes of a file in UTF-8, without its mark. Spans of a transcoded file count bytes of the UTF-8 text."""
    source = blocks(piece.path, piece.kind)
    if encoding.name == "utf-8":
        skip = encoding.mark
        for block in source:
            yield block[skip:]
            skip = 0
        return
    decoder = codecs.getincrementaldecoder(encoding.name)("replace")
    skip = encoding.mark
    for block in source:
        yield decoder.decode(block[skip:]).encode("utf-8", "replace")
        skip = 0
