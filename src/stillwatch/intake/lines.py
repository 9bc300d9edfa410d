"""Lines: blocks of bytes become lines with their place in the file, in bounded memory and whatever the encoding.

Takes blocks. Gives runs of lines with the offset of each. A line over 16 MB is passed over and given as an `Overlong` with its
span, so that one broken line cannot exhaust the memory. Offsets count bytes of the file as stored (of the decompressed bytes
for a compressed file). The end of a line, with a carriage return before it, does not belong to it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LINE_LIMIT = 16 << 20
"""Bytes of the longest line that is read. The longest request that a public API takes is a few megabytes."""

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_NAMES = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a file writes text."""

    name: str
    """Codec; `utf-8` needs no transcoding."""
    mark: int
    """Bytes of the byte-order mark at the start of the file."""

    @property
    def newline(self) -> bytes:
        """The bytes of a line feed."""
        return "\n".encode(self.name)


UTF8 = Encoding(name="utf-8", mark=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlong:
    """A line that was passed over because it is too long."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive lines of one block."""

    offset: int
    """First byte of the first line."""
    lines: list[bytes]
    """Lines without their ends, in the file's encoding."""
    end: int
    """Bytes of the line end after each line."""


def encoding_of(head: bytes, declared: str | None) -> Encoding:
    """Tell the encoding from the first bytes of a file.

    Args:
        head: the first 4 bytes or more.
        declared: encoding that a person declared; a byte-order mark goes before it.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name=name, mark=len(mark))
    name = codecs.lookup(declared).name if declared else "utf-8"
    return Encoding(name=_WIDE_NAMES.get(name, name), mark=0)


def runs(blocks: Iterable[bytes], encoding: Encoding, start: int = 0) -> Iterator[Run | Overlong]:
    """Cut blocks into lines.

    Args:
        blocks: consecutive bytes of a file.
        encoding: how the file writes text; its mark is skipped when `start` is 0.
        start: offset of the first byte.

    Yields:
        Runs of lines, and an `Overlong` in place of each line over `LINE_LIMIT` bytes. Empty lines are in the runs.
    """
    newline = encoding.newline
    held, offset, skipped = b"", start, 0
    skip_mark = encoding.mark if start == 0 else 0
    for block in blocks:
        if skip_mark:
            block, offset, skip_mark = (block[skip_mark:], offset + skip_mark, 0)  # noqa: PLW2901
        if skipped:
            cut = _find(block, newline, 0, skipped % len(newline))
            if cut < 0:
                skipped += len(block)
                continue
            yield Overlong(offset=offset, length=skipped + cut)
            offset += skipped + cut + len(newline)
            block, skipped = block[cut + len(newline) :], 0  # noqa: PLW2901
        held = held + block if held else block
        lines = _split(held, newline)
        held = lines.pop()
        yield from _within_limit(lines, offset, len(newline))
        offset += sum(map(len, lines)) + len(lines) * len(newline)
        if len(held) > LINE_LIMIT:
            held, skipped = b"", len(held)
    if skipped:
        yield Overlong(offset=offset, length=skipped)
    elif held:
        yield Run(offset, [held], 0)


def _within_limit(lines: list[bytes], offset: int, end: int) -> Iterator[Run | Overlong]:
    if not lines:
        return
    if max(map(len, lines)) <= LINE_LIMIT:
        yield Run(offset, lines, end)
        return
    for line in lines:
        yield Overlong(offset=offset, length=len(line)) if len(line) > LINE_LIMIT else Run(offset, [line], end)
        offset += len(line) + end


def _split(data: bytes, newline: bytes) -> list[bytes]:
    """Split at line feeds; wide encodings only where the line feed is aligned to a whole unit."""
    if len(newline) == 1:
        return data.split(newline)
    lines, begin = [], 0
    while (cut := _find(data, newline, begin, 0)) >= 0:
        lines.append(data[begin:cut])
        begin = cut + len(newline)
    lines.append(data[begin:])
    return lines


def _find(data: bytes, newline: bytes, begin: int, phase: int) -> int:
    width = len(newline)
    cut = data.find(newline, begin)
    while cut >= 0 and (cut + phase) % width:
        cut = data.find(newline, cut + 1)
    return cut


def located(run: Run) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line) for each line of a run, without carriage returns at the ends."""
    offset = run.offset
    for line in run.lines:
        yield offset, line[:-1] if line.endswith(b"\r") else line
        offset += len(line) + run.end
