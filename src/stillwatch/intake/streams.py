"""Streams: the bytes of a plain or compressed file, in blocks of bounded size.

Takes a path and its kind. Gives blocks of bytes; of a gzip or zstd file that is cut or damaged it gives everything that can
be decompressed and then raises `StreamCutError`, which the reader turns into one quarantine entry. Memory stays bounded
for files that expand enormously, since the decompressors are fed a few kilobytes at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from stillwatch.intake.errors import RecordError, UnreadableFileError
from stillwatch.intake.sources import Kind

BLOCK = 4 << 20
_GZIP_FED = 64 << 10  # deflate expands at most 1,032 times, and max_length bounds the output besides
_ZSTD_FED = 2 << 10  # a 4-byte block may expand to 128 kB, so 2 kB give at most 64 MB
_GATHERED = 1 << 20
_GZIP_MEMBER = b"\x1f\x8b"


class StreamCutError(RecordError):
    """A compressed stream ends early or is damaged; all blocks before were given."""


def blocks(path: str, kind: Kind, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file.

    Args:
        path: the file.
        kind: how it is stored; `parquet` is no stream of bytes and is not taken.
        start: first byte; 0 for a compressed file.
        stop: end; null for the end of the file.

    Raises:
        StreamCutError: after the last readable block of a damaged or cut compressed file.
        UnreadableFileError: when the file cannot be opened or read.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            if kind == "gzip":
                yield from _gathered(_gzip_blocks(file))
            elif kind == "zstd":
                yield from _gathered(_zstd_blocks(file))
            else:
                yield from _plain_blocks(file, start, stop)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}); check the file and its disk") from error


def first_bytes(path: str, kind: Kind) -> bytes:
    """Give the first bytes of a file, decompressed: enough for a byte-order mark.

    Raises:
        UnreadableFileError: when the file cannot be opened.
    """
    try:
        if kind == "plain":
            with open(path, "rb") as file:  # noqa: PTH123
                return file.read(4)
        return next(blocks(path, kind), b"")[:4]
    except StreamCutError:
        return b""
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}); check the file and its disk") from error


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces to blocks of a megabyte or more, so that a long line is not copied once per piece."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= _GATHERED:
                yield b"".join(held)
                held, size = [], 0
    except StreamCutError:
        if held:
            yield b"".join(held)
        raise
    if held:
        yield b"".join(held)


def _plain_blocks(file: BinaryIO, start: int, stop: int | None) -> Iterator[bytes]:
    file.seek(start)
    left = None if stop is None else stop - start
    while left is None or left > 0:
        block = file.read(BLOCK if left is None else min(BLOCK, left))
        if not block:
            return
        yield block
        if left is not None:
            left -= len(block)


def _gzip_blocks(file: BinaryIO) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    fed = b""
    while fed or (fed := file.read(_GZIP_FED)):
        if member.eof:
            fed = fed.lstrip(b"\0") or file.read(_GZIP_FED).lstrip(b"\0")  # tapes and block devices pad with zeros
            if not fed:
                return
            if not _GZIP_MEMBER.startswith(fed[:2]):
                raise StreamCutError(
                    "bytes after the end of the gzip data are no gzip data; the rest of the file is unread"
                )
            member = zlib.decompressobj(wbits=31)
        try:
            out = member.decompress(fed, BLOCK)
        except zlib.error as error:
            raise StreamCutError("gzip data is damaged; what stands before the damage was read") from error
        fed = member.unconsumed_tail or member.unused_data
        if out:
            yield out
    if rest := member.flush():
        yield rest
    if not member.eof:
        raise StreamCutError("gzip file is cut: it ends before its end mark; what is there was read")


def _zstd_blocks(file: BinaryIO) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    while fed := file.read(_ZSTD_FED):
        while fed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                out = frame.decompress(fed)
            except zstandard.ZstdError as error:
                raise StreamCutError("zstd data is damaged; what stands before the damage was read") from error
            fed = frame.unused_data if frame.eof else b""
            if out:
                yield out
    if not frame.eof:
        raise StreamCutError("zstd file is cut: it ends before its end mark; what is there was read")
