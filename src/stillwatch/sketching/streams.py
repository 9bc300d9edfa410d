"""Streams: bytes that come over time, from a pipe or at the end of a log that grows.

Takes a descriptor or a path. Gives blocks of bytes, an empty one whenever nothing has come for a moment, so that whoever reads can do what is due. A log that was
moved away is read to its end, and then the one that has its name.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 20
MOMENT_S = 0.2
"""Between looks at a log that does not grow, and the longest that a reader waits for what is due."""
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Bytes, and where they begin."""

    head: str | None
    """Digest of the first line of a log that grows; null for a pipe, and where nothing has come."""
    offset: int
    data: bytes


def pipe_blocks(descriptor: int, stopping: Callable[[], bool]) -> Iterator[Block]:
    """Yield what comes through a pipe, until it ends or the reader is to stop."""
    offset = 0
    while not stopping():
        ready, _, _ = select.select([descriptor], [], [], MOMENT_S)
        data = os.read(descriptor, BLOCK) if ready else b""
        if ready and not data:
            return
        yield Block(head=None, offset=offset, data=data)
        offset += len(data)


def growing_blocks(
    path: Path, known: Callable[[str], int], stopping: Callable[[], bool], wait: Callable[[float], None] = time.sleep
) -> Iterator[Block]:
    """Yield what a log holds and what is added to it, whole lines alone, until the reader is to stop.

    Args:
        path: of the log; it may come later, be moved away and be made anew.
        known: says up to where the log with this head was read before; 0 for one that was not.
        stopping: asked every moment.
        wait: for so many seconds.
    """
    while True:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if stopping():
                return
            yield Block(head=None, offset=0, data=b"")
            wait(MOMENT_S)
            continue
        with file:
            yield from _lines_of(file, path, known, stopping, wait)
        if stopping():
            return


def _lines_of(
    file: BinaryIO, path: Path, known: Callable[[str], int], stopping: Callable[[], bool], wait: Callable[[float], None]
) -> Iterator[Block]:
    """Read one file until it was moved away or cut, or the reader is to stop."""
    head: str | None = None
    place, moved = 0, False
    while True:
        if head is None:
            head = _head(file)
            before = 0 if head is None else known(head)
            place = before if before <= os.fstat(file.fileno()).st_size else 0  # a log that was cut is read anew
        data = b""
        if head is not None:
            data = os.pread(file.fileno(), BLOCK, place)
            while data and b"\n" not in data and len(more := os.pread(file.fileno(), BLOCK, place + len(data))):
                data += more
            data = data[: data.rfind(b"\n") + 1]  # a line without its end is still being written
        yield Block(head=head, offset=place, data=data)
        place += len(data)
        if data:
            continue
        if moved or stopping():
            return
        moved = _was_moved(file, path, place)  # what was written before the move is read once more
        if not moved:
            wait(MOMENT_S)


def _head(file: BinaryIO) -> str | None:
    """Return the digest of the first line; null where it is not whole yet."""
    first = os.pread(file.fileno(), _HEAD, 0)
    end = first.find(b"\n")
    if end < 0 and len(first) < _HEAD:
        return None
    return f"blake2b:{blake2b(first[: end + 1] if end >= 0 else first, digest_size=32).hexdigest()}"


def _was_moved(file: BinaryIO, path: Path, place: int) -> bool:
    try:
        there, here = path.stat(), os.fstat(file.fileno())
    except FileNotFoundError:
        return True
    return there.st_ino != here.st_ino or there.st_dev != here.st_dev or here.st_size < place
