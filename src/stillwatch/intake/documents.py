"""Documents: a file that is one JSON array, one pretty-printed object or several becomes single objects with their spans.

Takes the bytes of a file that is not one object per line. Gives the bytes of each top-level object, and of each object in a
top-level array, one at a time. A scanner follows strings and brackets only; `orjson` judges each object afterwards.
Linear in the bytes; memory is bounded by the longest object, which may have `LINE_LIMIT` bytes. After a longer one, or
brackets that do not match, the rest of the file cannot be divided and becomes one quarantine entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillwatch.intake.lines import LINE_LIMIT

# Possessive quantifiers: a string without end fails at once instead of being tried from every place.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]"]', re.DOTALL)
_FILLING = b" \t\r\n,\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undivided:
    """Bytes between objects that are no JSON, or the rest of a file after a defect."""

    offset: int
    length: int
    reason: str


Document = tuple[int, bytes]
"""(offset, bytes) of one object."""


def documents(blocks: Iterable[bytes], start: int = 0) -> Iterator[Document | Undivided]:
    """Yield the objects of a file.

    Args:
        blocks: consecutive bytes in UTF-8.
        start: offset of the first byte.

    Yields:
        (offset, bytes) of each object in order, and an `Undivided` for bytes that belong to no object.
    """
    scanner = _Scanner(start)
    remaining = iter(blocks)
    for block in remaining:
        yield from scanner.take(block)
        if scanner.failed:
            break
    yield from scanner.finish(sum(len(block) for block in remaining))


class _Scanner:
    """Follows the depth of brackets. Objects are cut at depth 0, or 1 inside a top-level array."""

    def __init__(self, offset: int) -> None:
        """Begin before the first byte, at the given offset in the file."""
        self.held = b""
        self.offset = offset
        """Of held[0] in the file."""
        self.free = 0
        """Index in held of the first byte that is not given or reported yet."""
        self.position = 0
        """Index in held up to which tokens were read."""
        self.depth = 0
        self.inside = False
        """Inside a top-level array."""
        self.failed = ""

    def take(self, block: bytes) -> Iterator[Document | Undivided]:
        """Scan a further block and yield what it completes."""
        self.held += block
        while not self.failed:
            token = _TOKEN.search(self.held, self.position)
            if token is None:
                self.position = len(self.held)
                break
            if token.group() == b'"':  # a string that does not end in the bytes at hand
                self.position = token.start()
                break
            yield from self._step(token)
        self.held = self.held[self.free :]
        self.offset += self.free
        self.position -= self.free
        self.free = 0
        if self.depth and len(self.held) > LINE_LIMIT:
            self.failed = f"an object of more than {LINE_LIMIT} bytes, or one that does not end"

    def _step(self, token: re.Match[bytes]) -> Iterator[Document | Undivided]:
        self.position = token.end()
        mark = token.group()
        if mark.startswith(b'"'):
            return
        if mark in (b"{", b"["):
            if self.depth == 0:
                yield from self._between(token.start())
                if mark == b"[" and not self.inside:
                    self.inside = True
                    self.free = token.end()
                    return
            self.depth += 1
        elif self.depth:
            self.depth -= 1
            if self.depth == 0:
                yield self.offset + self.free, self.held[self.free : self.position]
                self.free = self.position
        else:
            yield from self._between(token.start())
            if mark == b"]" and self.inside:
                self.inside = False
                self.free = token.end()
            else:
                self.failed = "a closing bracket without an opening one; the rest of the file is unread"

    def _between(self, end: int) -> Iterator[Undivided]:
        """Report bytes between objects that are more than separators."""
        between = self.held[self.free : end]
        stray = between.strip(_FILLING)
        if stray:
            yield Undivided(
                offset=self.offset + self.free + between.find(stray),
                length=len(stray),
                reason="bytes that are no JSON object",
            )
        self.free = end

    def finish(self, unread: int) -> Iterator[Undivided]:
        """Report what is left, `unread` bytes of which were never scanned."""
        rest = self.held.strip(_FILLING)
        if self.failed:
            yield Undivided(offset=self.offset, length=len(self.held) + unread, reason=self.failed)
        elif rest:
            reason = "the file ends inside a JSON object" if self.depth else "bytes that are no JSON object"
            yield Undivided(offset=self.offset + self.held.find(rest), length=len(rest), reason=reason)
