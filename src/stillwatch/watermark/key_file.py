"""Files of raw mark keys: a JSON object a line, for detection and for the workers that mark.

Takes keys or a file. Gives the other. The file is its owner's alone (mode 0600); no message ever holds a key.

    {"handle": ..., "scheme": "name@version", "parameters": {...}, "level": "provider" | "campaign" | "account", "assigned_to": ...,
     "key_hex": 16 digits for each 64-bit word, "tokenizer_digest": ..., "issued_us": ..., "retired_us": ... or null, "commitment": ...}
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.errors import MarkKeyError

LONGEST_FILE = 256 << 20
"""Bytes: some half a million keys."""
_NEEDED = {"handle", "scheme", "parameters", "level", "assigned_to", "key_hex", "tokenizer_digest", "issued_us"}
_MAY = {"retired_us", "commitment"}


def key_lines(keys: Iterable[MarkKey]) -> bytes:
    """Give keys as lines of JSON."""
    return "".join(
        json.dumps(
            {
                "handle": key.handle,
                "scheme": key.scheme,
                "parameters": dict(key.parameters),
                "level": key.level.value,
                "assigned_to": key.assigned_to,
                "key_hex": key.key.hex(),
                "tokenizer_digest": key.tokenizer_digest,
                "issued_us": key.issued_us,
                "retired_us": key.retired_us,
                "commitment": key.commitment,
            }
        )
        + "\n"
        for key in keys
    ).encode()


def read_keys(path: Path) -> tuple[MarkKey, ...]:
    """Read keys.

    Args:
        path: the file; empty lines are passed over.

    Returns:
        At least one key, handles all different.

    Raises:
        MarkKeyError: where it cannot be read, others than its owner may read it, or a line is no key; it names the line, never the key.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = stat.S_IMODE(status.st_mode)
                raise MarkKeyError(f"{path}: mode is {mode:04o}, expected a regular file of mode 0600; chmod 600 it")
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise MarkKeyError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > LONGEST_FILE:
        raise MarkKeyError(f"{path}: over {LONGEST_FILE:,} bytes, expected lines of JSON with a key each")
    keys = tuple(
        _key(line, f"{path}:{number}") for number, line in enumerate(content.splitlines(), start=1) if line.strip()
    )
    if not keys:
        raise MarkKeyError(f"{path}: holds no key; write one with `stillwatch keys export`")
    if len({key.handle for key in keys}) < len(keys):
        raise MarkKeyError(f"{path}: a handle is there twice; export the keys again")
    return keys


def _key(line: bytes, place: str) -> MarkKey:
    try:
        given: Any = json.loads(line)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise MarkKeyError(f"{place}: is no JSON object; expected what `stillwatch keys export` writes")
    missing, unknown = sorted(_NEEDED - set(given)), sorted(set(given) - _NEEDED - _MAY)
    if missing or unknown:
        raise MarkKeyError(
            f"{place}: missing {', '.join(missing) or 'nothing'}, unknown {', '.join(unknown)[:80] or 'nothing'}"
        )
    parameters, retired = given["parameters"], given.get("retired_us")
    try:
        raw = bytes.fromhex(given["key_hex"])
    except (TypeError, ValueError):
        raw = b""
    texts = ("handle", "scheme", "assigned_to", "tokenizer_digest")
    checks = (
        (all(isinstance(given[name], str) for name in texts), f"{', '.join(texts)} must be texts"),
        (bool(raw) and len(raw) % 8 == 0, "key_hex must be 16 hex digits for each word"),
        (given["level"] in set(MarkLevel), f"level must be one of {', '.join(MarkLevel)}"),
        (isinstance(parameters, dict) and all(isinstance(one, (int, float, str)) for one in parameters.values()), "parameters must be an object"),
        (type(given["issued_us"]) is int and (retired is None or type(retired) is int), "times must be whole microseconds"),
    )  # fmt: skip
    for holds, expected in checks:
        if not holds:
            raise MarkKeyError(f"{place}: {expected}")
    return MarkKey(
        handle=given["handle"], scheme=given["scheme"], parameters=tuple(sorted(parameters.items())), level=MarkLevel(given["level"]),
        assigned_to=given["assigned_to"], key=raw, tokenizer_digest=given["tokenizer_digest"], issued_us=given["issued_us"],
        retired_us=retired, commitment=str(given.get("commitment", "")),
    )  # fmt: skip
