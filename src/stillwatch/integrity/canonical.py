"""Canonical JSON: one sequence of bytes per value.

Takes nulls, booleans, integers, floats, strings, lists, tuples, string-keyed mappings and dataclasses. Gives UTF-8 JSON
that every JSON reader reads. It follows RFC 8785 (JSON Canonicalization Scheme): no white space, keys sorted by UTF-16
code units (section 3.2.3), the shortest escapes (3.2.2.2), no NaN and no infinity (3.2.2.3). It departs from it in
numbers, on purpose:

- integers are written in full, where RFC 8785 rounds beyond 2**53, since our hashes and times are 64-bit;
- floats are written as Python's `repr` writes them, the shortest digits that read back as the same float, so that 1.0
  stays apart from 1; negative zero is written as 0.0, since the two compare equal.

Time and memory are linear in the value. The form shows nothing about who wrote it: a digest or a signature over the
bytes does.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import NoReturn

from stillwatch.integrity.errors import CanonicalFormError


def canonical_bytes(value: object) -> bytes:
    """Return the canonical JSON of a value.

    Args:
        value: A tree of None, bool, int, float, str, list, tuple, mapping with string keys, or dataclass instance
            (written as the object of its fields). Tuples and lists are written alike.

    Returns:
        UTF-8 bytes without a line break at the end.

    Raises:
        CanonicalFormError: for any other type, a float that is not finite, or a string that is not valid Unicode.
    """
    plain = _plain(value, "$")
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def require_canonical(data: bytes) -> None:
    """Refuse bytes that are not the canonical JSON of some value, without building it twice in Python.

    Args:
        data: as `canonical_bytes` gives them, or anything else.

    Raises:
        CanonicalFormError: where they are no JSON, or JSON in another writing; the message never holds them.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        # The two sort alike where all is ASCII, and a key that occurs twice is written once.
        same = (
            _ENCODER.encode(value) == text if text.isascii() and "-0.0" not in text else canonical_bytes(value) == data
        )
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or a number beyond all bounds
        raise CanonicalFormError(f"got {len(data)} bytes that are no JSON; write them with canonical_bytes") from None
    if not same:
        raise CanonicalFormError(
            f"got {len(data)} bytes of JSON that is not canonical; write them with canonical_bytes"
        )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and infinities, which JSON has not


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _plain(value: object, place: str) -> object:
    """Return the value as dicts with sorted keys, lists and scalars; `place` is its path from the root, `$`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CanonicalFormError(
                f"{place}: got a float that is not finite; JSON has none, so leave it out or use null"
            )
        return float(value) + 0.0  # negative zero plus zero is zero
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return _sorted_object(value, place)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _sorted_object({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, place)
    raise CanonicalFormError(
        f"{place}: got {type(value).__module__}.{type(value).__qualname__}, expected null, bool, int, float, str, list,"
        " mapping or dataclass; convert it first"
    )


def _sorted_object(value: Mapping[object, object], place: str) -> dict[str, object]:
    """Return the mapping with its keys in order of their UTF-16 code units."""
    keys: list[str] = []
    for key in value:
        if not isinstance(key, str):
            raise CanonicalFormError(f"{place}: got a key of type {type(key).__qualname__}, expected str")
        keys.append(_text(key, f"{place} (a key)"))
    keys.sort(key=lambda key: key.encode("utf-16-be"))
    return {key: _plain(value[key], f"{place}.{key}") for key in keys}


def _text(value: str, place: str) -> str:
    """Return the string, or raise when it holds half of a surrogate pair, which has no UTF-8."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise CanonicalFormError(f"{place}: got a string with a lone surrogate, expected valid Unicode") from None
    return str(value)
