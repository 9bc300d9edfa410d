"""JSON text of one record becomes a structure. Takes bytes, gives an object or raises `RecordError` with a reason without text.

`orjson` reads nearly all. What it refuses is tried with the standard library, which takes two things that real logs hold:
lone surrogates (half of an emoji cut by a gateway; replaced by U+FFFD) and NaN or Infinity as Python writes them. Of two equal
keys the last one holds, as in both libraries. Depth is bounded by both: a bomb of brackets is refused, not followed.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from stillwatch.intake.errors import RecordError


def read_json(line: bytes) -> Any:
    """Read one JSON value.

    Args:
        line: bytes in UTF-8.

    Raises:
        RecordError: when it is no JSON; the reason names the position, never the text.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _second_try(line, error)


def _second_try(line: bytes, first: orjson.JSONDecodeError) -> Any:
    if not line.strip(b"\0 \t\r\n"):
        raise RecordError(f"{len(line)} NUL bytes, expected JSON: the file was cut or not closed") from first
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(
            f"byte {error.start} is no UTF-8: declare the encoding with the setting `encoding` (latin-1, cp1252, ...)"
        ) from error
    if "\0" in text:
        raise RecordError(f"NUL byte at character {text.index(chr(0))}, expected JSON") from first
    try:
        return without_surrogates(json.loads(text))
    except RecursionError as error:
        raise RecordError("JSON is nested too deeply, expected at most 1024 levels") from error
    except ValueError as error:
        raise RecordError(f"no JSON: {_what(first)} at character {first.pos}") from error


def _what(error: orjson.JSONDecodeError) -> str:
    """Give the parser's words. They name kinds of characters and positions, never the text of the line."""
    return error.msg.split(":", maxsplit=1)[0]


def without_surrogates(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 can hold, by U+FFFD in all texts of a structure."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
