"""WorkerKeys: the table from handle to key in a serving worker.

Takes the file that `stillwatch keys export --in-use` writes, named by STILLWATCH_MARK_KEYS. Gives the mark of a request by the handle that the gateway
puts into it. The file must be its owner's alone; it is read again when it changes, so that a retired key is gone within a request. The
request's own sampling settings say how a Gumbel row is truncated. Raw keys are never in a request, a message or a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.records.mark import MarkKey
from stillwatch.watermark.errors import MarkKeyError
from stillwatch.watermark.key_file import read_key_file
from stillwatch.watermark.marking.errors import UnknownHandleError, WorkerKeysError
from stillwatch.watermark.marking.row_mark import RowMark, row_mark_of

KEYS_VARIABLE = "STILLWATCH_MARK_KEYS"
DELTA_VARIABLE = "STILLWATCH_MARK_DELTA"
ARGUMENT = "stillwatch_key"
"""Name of the request argument in which the gateway puts the handle (`vllm_xargs`, `SamplingParams.extra_args`)."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was read."""

    changed_ns: int
    size: int
    keys: Mapping[str, MarkKey]


class WorkerKeys:
    """The keys of a worker."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            WorkerKeysError: where it cannot be read, or others may read it.
        """
        self._path = path
        self._read = self._load()

    @classmethod
    def of_environment(cls) -> WorkerKeys:
        """Open the file that the environment names.

        Raises:
            WorkerKeysError: where it names none.
        """
        path = os.environ.get(KEYS_VARIABLE, "")
        if not path:
            raise WorkerKeysError(
                f"{KEYS_VARIABLE} is not set; expected the file that `stillwatch keys export --in-use` wrote"
            )
        return cls(Path(path))

    def key(self, handle: str) -> MarkKey:
        """Give a key by its handle.

        Raises:
            UnknownHandleError: where the table has no such handle.
        """
        status = self._path.stat()
        if (status.st_mtime_ns, status.st_size) != (self._read.changed_ns, self._read.size):
            self._read = self._load()
        try:
            return self._read.keys[handle]
        except KeyError:
            raise UnknownHandleError(
                f"{ARGUMENT}: the worker has no key {handle[:40]!a}; export the keys in use again, or look whether it was retired"
            ) from None

    def mark(self, arguments: Mapping[str, Any] | None, sampling: Any) -> RowMark | None:
        """Give the mark of a request.

        Args:
            arguments: the request's extra arguments; null for none.
            sampling: object with `temperature`, `top_k`, `top_p` and `min_p`.

        Returns:
            The mark; null where the request names no key.

        Raises:
            UnknownHandleError: where the handle is none, or not in the table.
        """
        handle = (arguments or {}).get(ARGUMENT)
        if handle is None:
            return None
        if not isinstance(handle, str):
            raise UnknownHandleError(f"{ARGUMENT}: got {type(handle).__name__}, expected a handle")
        return row_mark_of(self.key(handle), delta=_delta(), sampling=sampling)

    def _load(self) -> _Read:
        try:
            status = self._path.stat()
            keys = {key.handle: key for key in read_key_file(self._path) if key.retired_us is None}
        except OSError as error:
            raise WorkerKeysError(f"{self._path}: cannot be read ({error.strerror})") from error
        except MarkKeyError as error:
            raise WorkerKeysError(str(error)) from None
        return _Read(changed_ns=status.st_mtime_ns, size=status.st_size, keys=keys)


def _delta() -> float:
    """Read what is added to green logits; it is no part of the key, since no detector needs it."""
    text = os.environ.get(DELTA_VARIABLE, "2.0")
    try:
        return float(text)
    except ValueError:
        raise WorkerKeysError(f"{DELTA_VARIABLE} is no number; expected 0.5 to 4, such as 2.0") from None
