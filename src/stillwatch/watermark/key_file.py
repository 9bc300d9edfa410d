"""Key files: mark keys as lines of JSON, for the owner's eyes only.

Takes a path. Gives `MarkKey` records. The form, one object a line::

    {"handle": "k-1", "scheme": "green-bernoulli@v1", "parameters": {"context_width": 2}, "level": "campaign",
     "assigned_to": "c-7", "key_hex": "00f1...", "tokenizer_digest": "", "issued": "2026-11-01T00:00:00+00:00",
     "retired": null, "commitment": ""}

`level` is `provider`, `campaign` or `account`. `key_hex` has 16 digits for each 64-bit word of the scheme's key. A message names file,
line and handle, never a key.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.errors import MarkKeyError, SchemeError
from stillwatch.watermark.scheme import key_row
from stillwatch.watermark.schemes import open_scheme

_NEEDED = ("handle", "scheme", "level", "assigned_to", "key_hex", "issued")


def read_key_file(path: Path) -> list[MarkKey]:
    """Read a key file.

    Args:
        path: lines of JSON, readable by its owner alone.

    Returns:
        Keys in the order of the file, one or more.

    Raises:
        MarkKeyError: where the file cannot be read, others may read it, a line is no key, or a handle or key comes twice.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise MarkKeyError(f"key file {path}: is no regular file")
        if stat.S_IMODE(mode) & 0o077:
            raise MarkKeyError(f"key file {path}: others than its owner may read or change it; run chmod 600 on it")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MarkKeyError(f"key file {path}: cannot be read as UTF-8 text ({type(error).__name__})") from error
    keys = [_read(line, f"{path.name}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not keys:
        raise MarkKeyError(f"key file {path}: holds no key; expected lines of JSON, as `stillwatch keys` writes them")
    _refuse_twice(keys, path.name)
    return keys


def key_lines(keys: Iterable[MarkKey]) -> str:
    """Write keys as the lines that `read_key_file` reads; keep the result where only its owner can read it."""
    return "".join(json.dumps(_document(key)) + "\n" for key in keys)


def _document(key: MarkKey) -> dict[str, Any]:
    return {
        "handle": key.handle,
        "scheme": key.scheme,
        "parameters": dict(key.parameters),
        "level": key.level.value,
        "assigned_to": key.assigned_to,
        "key_hex": key.key.hex(),
        "tokenizer_digest": key.tokenizer_digest,
        "issued": _iso(key.issued_us),
        "retired": None if key.retired_us is None else _iso(key.retired_us),
        "commitment": key.commitment,
    }


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, tz=UTC).isoformat()


def _read(line: str, where: str) -> MarkKey:
    """Read one line."""
    try:
        document = json.loads(line)
    except ValueError as error:
        raise MarkKeyError(f"{where}: is no JSON; expected one key as an object") from error
    if not isinstance(document, dict):
        raise MarkKeyError(f"{where}: expected an object with {', '.join(_NEEDED)}")
    missing = [name for name in _NEEDED if not isinstance(document.get(name), str)]
    if missing:
        raise MarkKeyError(f"{where}: got no text in {missing[0]!r}; expected {', '.join(_NEEDED)}")
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise MarkKeyError(f"{where}: parameters is no object")
    try:
        key = MarkKey(
            handle=document["handle"], scheme=document["scheme"], parameters=tuple(sorted(parameters.items())),
            level=MarkLevel(document["level"]), assigned_to=document["assigned_to"], key=bytes.fromhex(document["key_hex"]),
            tokenizer_digest=str(document.get("tokenizer_digest") or ""), issued_us=_microseconds(document["issued"]),
            retired_us=_microseconds(document["retired"]) if document.get("retired") else None,
            commitment=str(document.get("commitment") or ""),
        )  # fmt: skip
        key_row(open_scheme(key.scheme, dict(key.parameters)), key)
    except (SchemeError, MarkKeyError) as error:
        raise MarkKeyError(f"{where}: {error}") from error
    except ValueError:  # its own text could hold the key
        raise MarkKeyError(
            f"{where}: expected level provider, campaign or account, key_hex of hex digits, and times in ISO 8601 with a zone"
        ) from None
    return key


def _microseconds(text: Any) -> int:
    time = datetime.fromisoformat(text) if isinstance(text, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError
    return round(time.timestamp() * 1_000_000)


def _refuse_twice(keys: list[MarkKey], name: str) -> None:
    """Refuse a handle or a key that comes twice: one key for two campaigns would accuse both."""
    handles: set[str] = set()
    marks: dict[tuple[str, tuple[tuple[str, int | float | str], ...], bytes], str] = {}
    for key in keys:
        mark = (key.scheme, key.parameters, key.key)
        if key.handle in handles:
            raise MarkKeyError(f"{name}: handle {key.handle} comes twice")
        if mark in marks:
            raise MarkKeyError(f"{name}: {key.handle} and {marks[mark]} are one key; a key stands for one party")
        handles.add(key.handle)
        marks[mark] = key.handle
