"""The gateway's table of mark keys, for an engine that takes a key with each request.

Takes the file that `stillwatch keys export --in-use` writes. Gives, by handle, the value of SGLang's request field `watermark`; keys of other
schemes are passed over, since their engines hold tables of their own. The file is read again when it changes, so that a campaign's key marks as
soon as the bundle names it, and a retired one is gone. A file that cannot be used changes nothing: the table in use stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.watermark.errors import MarkKeyError
from stillwatch.watermark.key_file import read_key_lines
from stillwatch.watermark.marking.errors import MarkingError
from stillwatch.watermark.marking.sglang import gateway_fields

Field = Mapping[str, Any]
"""`key` in hex, and `context_window`."""


class WatchedKeys(Mapping[str, Field]):
    """Handle to request field, as the file has it now."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            GatewaySettingError: where it cannot be read, others may read it, or it holds no key that SGLang can mark with.
        """
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._fields: dict[str, Field] = {}
        self.read()

    def __getitem__(self, handle: str) -> Field:
        """Give the field of a key."""
        return self._fields[handle]

    def __iter__(self) -> Iterator[str]:
        """Give the handles."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Give the number of keys."""
        return len(self._fields)

    def changed(self) -> bool:
        """Say whether the file is another one than was read last; costs one call of the system."""
        return self._now() != self._stamp

    def read(self) -> None:
        """Read the file, and use it.

        Raises:
            GatewaySettingError: where it cannot be used; what was read before stays.
        """
        self._stamp = self._now()
        try:
            fields = gateway_fields(read_key_lines(self._path))
        except (MarkKeyError, MarkingError) as error:
            raise GatewaySettingError(str(error)) from None
        if not fields:
            raise GatewaySettingError(
                f"key file {self._path}: holds no key in use of SGLang's schemes; issue one with `stillwatch keys issue --scheme "
                "sglang-gumbel@murmur3-v1`, and export again"
            )
        self._fields = dict(fields)

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # one call on the loop, a microsecond
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
