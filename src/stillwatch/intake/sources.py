"""Sources: paths, folders and globs become the sorted list of files of a run.

Takes paths as given. Gives `SourceFile`s whose kind is told from the first bytes, not from the name, and whose number is
the index in the sorted list, so that the order in which paths are given changes nothing.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from stillwatch.intake.errors import SourceNotFoundError, UnreadableFileError

Kind = Literal["plain", "gzip", "zstd", "parquet"]

LOG_SUFFIXES = (".jsonl", ".json", ".ndjson", ".log", ".txt", ".parquet")
COMPRESSED_SUFFIXES = (".gz", ".zst")

_MAGIC: tuple[tuple[bytes, Kind], ...] = ((b"PAR1", "parquet"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_READ = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A log file of the run."""

    path: str
    """Path as given, or below the folder as given."""
    number: int
    """Index in the run's sorted list; `source_no` of its exchanges."""
    size: int
    """Bytes on disk."""
    kind: Kind
    named: bool = False
    """True where the path was named itself, false where a folder or glob gave it."""


def expand_paths(paths: Sequence[str]) -> tuple[SourceFile, ...]:
    """List the log files behind paths, folders (recursively) and globs, sorted and each once.

    Args:
        paths: files, folders or globs (`**` goes into folders). A file that is named is taken whatever its suffix.

    Returns:
        The files, sorted by path. A file that is reached twice, also through a link, is listed once.

    Raises:
        SourceNotFoundError: when there are no paths, or one gives no log file.
        UnreadableFileError: when a file cannot be opened.
    """
    if not paths:
        raise SourceNotFoundError("no input path given; expected files, folders or globs of log files")
    found: dict[str, tuple[str, bool]] = {}
    for path in paths:
        for candidate, named in _candidates(os.fspath(path)):
            real = os.path.realpath(candidate)
            known = found.get(real)
            found[real] = (candidate, named) if known is None else (min(known[0], candidate), known[1] or named)
    listed = sorted(found.values())
    return tuple(
        SourceFile(path=path, number=number, size=_size(path), kind=kind_of(path), named=named)
        for number, (path, named) in enumerate(listed)
    )


def _candidates(path: str) -> Iterator[tuple[str, bool]]:
    """Yield the files behind one path, and whether the path named the file itself."""
    if os.path.isfile(path):  # noqa: PTH113 - the path is kept as the string that was given
        yield path, True
        return
    if os.path.isdir(path):  # noqa: PTH112
        inside = sorted(_walk(path))
        if not inside:
            raise SourceNotFoundError(f"folder {path!r} holds no log file; expected {_suffixes()} in it or below it")
        yield from ((name, False) for name in inside)
        return
    matched = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207
    if not matched:
        what = "glob matches nothing" if glob.has_magic(path) else "there is no such file or folder"
        raise SourceNotFoundError(f"{path!r}: {what}; expected a file, a folder, or a glob of {_suffixes()}")
    for name in matched:
        if os.path.isdir(name):  # noqa: PTH112
            yield from ((inner, False) for inner in sorted(_walk(name)))
        else:
            yield name, False


def _suffixes() -> str:
    return f"{', '.join(LOG_SUFFIXES)} (also with {' or '.join(COMPRESSED_SUFFIXES)})"


def _walk(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in names:
            if is_log_name(name):
                yield os.path.join(root, name)  # noqa: PTH118


def is_log_name(name: str) -> bool:
    """Say whether a folder is searched for files of this name: a known suffix, and neither hidden nor a marker file."""
    lower = name.lower()
    for suffix in COMPRESSED_SUFFIXES:
        lower = lower.removesuffix(suffix)
    return lower.endswith(LOG_SUFFIXES) and not name.startswith((".", "_"))


def _size(path: str) -> int:
    return Path(path).stat().st_size


def kind_of(path: str) -> Kind:
    """Tell how a file is stored from its first bytes.

    Raises:
        UnreadableFileError: when the file cannot be opened.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(4)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be opened ({error.strerror}); check its permissions") from error
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return "plain"


def digest_file(path: str) -> str:
    """Digest a file's bytes as they lie on disk.

    Returns:
        `blake2b:` and 64 hex digits (BLAKE2b, 256 bits).

    Raises:
        UnreadableFileError: when the file cannot be read.
    """
    digest = blake2b(digest_size=32)
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            while block := file.read(_READ):
                digest.update(block)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return f"blake2b:{digest.hexdigest()}"
